// Package pattern implements the event pattern language that AWS's services share: a JSON object that names fields and,
// for each, a list of conditions of which one must hold. Lambda's event source filters and SNS's filter policies are
// both written in it, and each supports its own subset: a Dialect.
//
// Parse parses a pattern and refuses what the dialect does not support, in AWS's wording; Match then can't fail. The
// errors are those of EventBridge's rule compiler, which AWS publishes as aws/event-ruler and which the services
// return.
package pattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Dialect is one service's subset of the language. The zero value supports only literal values in nested objects.
type Dialect struct {
	// Operators are the supported match types of a condition, such as "prefix".
	Operators []string
	// AnythingBut are the match types that anything-but supports besides literal values.
	AnythingBut []string
	// Flat is the reason for refusing nested objects; empty: they are supported.
	Flat string
	// MaxNumber is the greatest magnitude of numbers in numeric conditions, and in literals unless
	// NumbersAsText; 0 means any.
	MaxNumber float64
	// NumbersAsText compares literal numbers as written: 300, 300.0 and 3.0e2 all differ.
	NumbersAsText bool
	// ExistsNeedsValue makes {"exists": true} skip null and the empty text.
	ExistsNeedsValue bool
	// MaxKeys bounds the fields with conditions, MaxCombinations the combinations of their conditions (nested ones
	// count by their depth), and MaxWildcards the cost of wildcards; 0 means any.
	MaxKeys, MaxCombinations, MaxWildcards int
}

// Pattern is a parsed pattern. The zero Pattern matches everything.
type Pattern struct {
	fields map[string]field
	or     []Pattern // one of which must match, if there are any
}

// field is a pattern's requirement on one field: a nested pattern, or conditions of which one must hold.
type field struct {
	nested     *Pattern
	conditions []condition
}

// Opaque is the value of a field that is present but can't be compared with anything, such as SNS's binary attributes.
type Opaque struct{}

// Parse parses a pattern. Its error says what is wrong, and where.
func (d Dialect) Parse(text string) (Pattern, error) {
	object, err := Decode[map[string]any]([]byte(text))
	if err != nil {
		return Pattern{}, err
	}
	r := reader{dialect: d}
	p, combinations, err := r.pattern(object, 1, 1)
	switch {
	case err != nil:
		return Pattern{}, err
	case d.MaxKeys > 0 && r.keys > d.MaxKeys:
		return Pattern{}, errorf("Filter policy can not have more than %d keys", d.MaxKeys)
	case d.MaxCombinations > 0 && combinations > d.MaxCombinations:
		return Pattern{}, errorf("Filter policy is too complex: it has %d combinations of conditions, at most %d are taken", combinations, d.MaxCombinations)
	case d.MaxWildcards > 0 && r.wildcards > d.MaxWildcards:
		return Pattern{}, errorf("Filter policy is too complex: its wildcards cost %d points, at most %d are taken", r.wildcards, d.MaxWildcards)
	}
	return p, nil
}

// Decode decodes one JSON object, or list, into the form that Match takes, with numbers as written. Anything else is an
// error.
func Decode[T map[string]any | []any](text []byte) (T, error) {
	var v T
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is more than one value")
	}
	if v == nil {
		return nil, errors.New("null is neither an object nor a list")
	}
	return v, nil
}

// errorf is an error in AWS's wording, which begins with a capital.
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// reader parses one pattern, and counts what the dialect limits.
type reader struct {
	dialect         Dialect
	keys, wildcards int
}

// pattern parses an object at a depth. combinations is the product over the preceding fields; the result includes its
// own.
func (r *reader) pattern(object map[string]any, depth, combinations int) (Pattern, int, error) {
	if len(object) == 0 {
		return Pattern{}, 0, errorf("Empty objects are not allowed")
	}
	p := Pattern{fields: map[string]field{}}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		var err error
		if name == "$or" {
			p.or, combinations, err = r.alternatives(object[name], depth, combinations)
		} else {
			p.fields[name], combinations, err = r.field(name, object[name], depth, combinations)
		}
		if err != nil {
			return Pattern{}, 0, err
		}
	}
	return p, combinations, nil
}

// alternatives parses the list of $or. Each of its patterns is combined with its sibling fields, so their combinations
// add up.
func (r *reader) alternatives(v any, depth, combinations int) ([]Pattern, int, error) {
	list, _ := v.([]any)
	if len(list) < 2 {
		return nil, 0, errorf("There must have at least 2 Objects in $or relationship")
	}
	var all []Pattern
	sum := 0
	for _, v := range list {
		object, is := v.(map[string]any)
		if !is {
			return nil, 0, errorf("Only Object is allowed in array of $or relationship")
		}
		p, n, err := r.pattern(object, depth, combinations)
		if err != nil {
			return nil, 0, fmt.Errorf("$or: %w", err)
		}
		all, sum = append(all, p), sum+n
	}
	return all, sum, nil
}

// field parses what a pattern requires of one field. Conditions multiply the combinations, weighted by their depth, as
// AWS counts them.
func (r *reader) field(name string, v any, depth, combinations int) (field, int, error) {
	switch v := v.(type) {
	case map[string]any:
		if r.dialect.Flat != "" {
			return field{}, 0, errorf("%s", r.dialect.Flat)
		}
		nested, n, err := r.pattern(v, depth+1, combinations)
		if err != nil {
			return field{}, 0, fmt.Errorf("%s: %w", name, err)
		}
		return field{nested: &nested}, n, nil
	case []any:
		r.keys++
		conditions, err := r.conditions(v)
		if err != nil {
			return field{}, 0, fmt.Errorf("%s: %w", name, err)
		}
		return field{conditions: conditions}, combinations * len(v) * depth, nil
	}
	return field{}, 0, fmt.Errorf("%q must be an object or an array", name)
}

// Match reports whether a decoded event (see Decode) matches the pattern.
func (p Pattern) Match(event map[string]any) bool {
	for name, field := range p.fields {
		value, present := event[name]
		if !field.match(value, present) {
			return false
		}
	}
	return len(p.or) == 0 || slices.ContainsFunc(p.or, func(p Pattern) bool { return p.Match(event) })
}

// match reports whether a value matches. In a list one element is enough; a nested pattern must be met by one and the
// same element.
func (f field) match(v any, present bool) bool {
	values := []any{v}
	if list, is := v.([]any); is {
		values = flatten(list)
	}
	if f.nested == nil {
		return slices.ContainsFunc(f.conditions, func(c condition) bool {
			return slices.ContainsFunc(values, func(v any) bool { return c(v, present) })
		})
	}
	objects := 0
	for _, v := range values {
		object, is := v.(map[string]any)
		if !is {
			continue
		}
		if f.nested.Match(object) {
			return true
		}
		objects++
	}
	// A missing object has no fields, which {"exists": false} may ask for.
	return objects == 0 && f.nested.Match(nil)
}

func flatten(list []any) []any {
	var flat []any
	for _, v := range list {
		if inner, is := v.([]any); is {
			flat = append(flat, flatten(inner)...)
		} else {
			flat = append(flat, v)
		}
	}
	return flat
}
