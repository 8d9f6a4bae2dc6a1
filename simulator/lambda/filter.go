package lambda

import (
	"fmt"
	"slices"

	"heliograph/simulator/pattern"
)

// dialect is the subset of event patterns that Lambda accepts. Source: "Control which events Lambda sends to your
// function", Lambda developer guide; for the operands of anything-but, "Comparison operators", EventBridge user guide,
// column "Pipe support": pipes and event sources filter by the same rules.
var dialect = pattern.Dialect{
	Operators:     []string{"anything-but", "equals-ignore-case", "exists", "numeric", "prefix", "suffix"},
	MaxNumber:     5e9,
	NumbersAsText: true,
}

// maxFilters is AWS's default quota of filters per event source.
const maxFilters = 5

// filter is the FilterCriteria of an event source: an event passes if any pattern matches it, or if there are no
// patterns.
type filter []pattern.Pattern

func newFilter(texts []string) (filter, error) {
	if len(texts) > maxFilters {
		return nil, fmt.Errorf("there are %d filters; Lambda takes %d", len(texts), maxFilters)
	}
	var f filter
	for _, text := range texts {
		p, err := dialect.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("filter %s: %w", text, err)
		}
		f = append(f, p)
	}
	return f, nil
}

// match reports whether an event passes.
func (f filter) match(event map[string]any) bool {
	return len(f) == 0 || slices.ContainsFunc(f, func(p pattern.Pattern) bool { return p.Match(event) })
}
