package sns

import (
	"encoding/json"
	"strconv"
	"strings"

	"heliograph/simulator/pattern"
)

// The scopes of a filter policy.
const (
	scopeAttributes = "MessageAttributes"
	scopeBody       = "MessageBody"
)

// dialects are SNS's supported subsets of event patterns in each scope. Source: "Filter policy constraints", "String
// value matching" and the neighbouring pages, SNS developer guide. In a nested policy all fields with conditions count
// here, not only those at the top: where AWS's pages and its actual behaviour differ, the simulator follows the
// stricter rule.
var dialects = map[string]pattern.Dialect{
	scopeAttributes: dialect("Filter policy scope MessageAttributes does not support nested filter policy"),
	scopeBody:       dialect(""),
}

func dialect(flat string) pattern.Dialect {
	return pattern.Dialect{
		Operators:        []string{"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"},
		AnythingBut:      []string{"prefix", "wildcard"},
		Flat:             flat,
		MaxNumber:        1e9,
		ExistsNeedsValue: true,
		MaxKeys:          5,
		MaxCombinations:  150,
		MaxWildcards:     100,
	}
}

// filter is a parsed filter policy; the zero filter passes everything.
type filter struct {
	policy  string // as given, "" for none
	scope   string // "" for MessageAttributes
	pattern pattern.Pattern
}

// newFilter parses a policy. The empty text and the empty object mean no policy.
func newFilter(policy, scope string) (filter, error) {
	f := filter{scope: scope}
	if policy == "" {
		return f, nil
	}
	object, err := pattern.Decode[map[string]any]([]byte(policy))
	if err == nil && len(object) == 0 {
		return f, nil
	}
	f.policy = policy
	if f.pattern, err = dialects[f.shownScope()].Parse(policy); err != nil {
		return f, errInvalid("FilterPolicy", "%v", err)
	}
	return f, nil
}

// same reports whether two subscriptions have equal filters.
func (f filter) same(g filter) bool {
	return f.policy == g.policy && (f.policy == "" || f.shownScope() == g.shownScope())
}

func (f filter) shownScope() string {
	if f.scope == "" {
		return scopeAttributes
	}
	return f.scope
}

// matches reports whether a message passes. A message without attributes, or whose body is not an object with members,
// passes no policy at all, not even {"exists": false}. Source: "Key matching", SNS developer guide.
func (f filter) matches(p Publication) bool {
	if f.policy == "" {
		return true
	}
	event := fields(p.Attributes)
	if f.scope == scopeBody {
		event, _ = pattern.Decode[map[string]any]([]byte(p.Message))
	}
	return len(event) > 0 && f.pattern.Match(event)
}

// fields are attributes in the form that patterns compare.
func fields(attributes map[string]Attribute) map[string]any {
	event := make(map[string]any, len(attributes))
	for name, a := range attributes {
		event[name], _ = valueOf(a) // checked when the message was published
	}
	return event
}

// valueOf returns an attribute's value according to its type; ok is false if it does not fit the type. A text never
// equals a number: "1" and 1 differ as their types do. A policy can't refer to a Binary value.
func valueOf(a Attribute) (v any, ok bool) {
	switch kind, _, _ := strings.Cut(a.DataType, "."); {
	case kind == "Binary":
		return pattern.Opaque{}, true
	case kind == "Number":
		_, err := strconv.ParseFloat(a.StringValue, 64)
		return json.Number(a.StringValue), err == nil && !strings.ContainsAny(a.StringValue, "xXpP_nN")
	case a.DataType != "String.Array":
		return a.StringValue, true
	}
	array, err := pattern.Decode[[]any]([]byte(a.StringValue))
	ok = err == nil
	for _, element := range array {
		switch element.(type) {
		case []any, map[string]any:
			ok = false
		}
	}
	return array, ok
}
