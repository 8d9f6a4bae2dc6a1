package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// filter is the FilterCriteria of an event source: an event passes if any of the patterns matches it, or if there is
// none. https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
type filter []pattern

// pattern is one object of a pattern: each field must match.
type pattern map[string]fieldPattern

// fieldPattern is a nested pattern, or the list of conditions of which one must hold for a leaf.
type fieldPattern struct {
	nested pattern
	leaf   []condition
}

// condition says whether a leaf's value fits. ok is false where the field is missing.
type condition func(value any, ok bool) bool

func newFilter(texts []string) (filter, error) {
	if len(texts) > 5 {
		return nil, fmt.Errorf("there are %d filters; Lambda takes 5", len(texts))
	}
	var f filter
	for _, text := range texts {
		var fields map[string]any
		if err := decodeNumbers([]byte(text), &fields); err != nil {
			return nil, fmt.Errorf("the filter %s: %w", text, err)
		}
		p, err := newPattern(fields)
		if err != nil {
			return nil, fmt.Errorf("the filter %s: %w", text, err)
		}
		f = append(f, p)
	}
	return f, nil
}

// decodeNumbers reads JSON and keeps numbers as they were written.
func decodeNumbers(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one value")
	}
	return nil
}

func newPattern(fields map[string]any) (pattern, error) {
	if len(fields) == 0 {
		return nil, errors.New("an empty object matches nothing")
	}
	p := pattern{}
	for name, v := range fields {
		field, err := newField(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p[name] = field
	}
	return p, nil
}

func newField(v any) (fieldPattern, error) {
	switch v := v.(type) {
	case map[string]any:
		nested, err := newPattern(v)
		return fieldPattern{nested: nested}, err
	case []any:
		var conditions []condition
		for _, one := range v {
			c, err := newCondition(one)
			if err != nil {
				return fieldPattern{}, err
			}
			conditions = append(conditions, c)
		}
		if len(conditions) == 0 {
			return fieldPattern{}, errors.New("an empty list matches nothing")
		}
		return fieldPattern{leaf: conditions}, nil
	}
	return fieldPattern{}, fmt.Errorf("%v is neither an object nor a list", v)
}

func newCondition(v any) (condition, error) {
	operator, is := v.(map[string]any)
	if !is {
		if _, list := v.([]any); list {
			return nil, errors.New("a list in a list is no condition")
		}
		return func(value any, ok bool) bool { return ok && equal(v, value) }, nil
	}
	if len(operator) != 1 {
		return nil, fmt.Errorf("%v must have one operator", operator)
	}
	for name, argument := range operator {
		c, err := newOperator(name, argument)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return c, nil
	}
	panic("unreachable: the operator has one name")
}

func newOperator(name string, argument any) (condition, error) {
	switch name {
	case "prefix":
		return newPrefix(argument)
	case "exists":
		return newExists(argument)
	case "anything-but":
		return newAnythingBut(argument)
	case "numeric":
		return newNumeric(argument)
	}
	return nil, errors.New("the simulator does not know this operator")
}

func newPrefix(argument any) (condition, error) {
	prefix, is := argument.(string)
	if !is {
		return nil, fmt.Errorf("%v is no string", argument)
	}
	return func(value any, _ bool) bool {
		s, is := value.(string)
		return is && strings.HasPrefix(s, prefix)
	}, nil
}

func newExists(argument any) (condition, error) {
	want, is := argument.(bool)
	if !is {
		return nil, fmt.Errorf("%v is neither true nor false", argument)
	}
	return func(value any, ok bool) bool {
		if _, object := value.(map[string]any); object { // it looks at leaves only
			return false
		}
		return ok == want
	}, nil
}

func newAnythingBut(argument any) (condition, error) {
	var not []condition
	switch argument := argument.(type) {
	case []any:
		for _, a := range argument {
			switch a.(type) {
			case string, json.Number:
			default:
				return nil, fmt.Errorf("%v is neither a string nor a number", a)
			}
			not = append(not, func(value any, _ bool) bool { return equal(a, value) })
		}
	case map[string]any:
		c, err := newCondition(argument)
		if _, prefix := argument["prefix"]; err != nil || !prefix {
			return nil, errors.Join(err, fmt.Errorf("%v is not a prefix", argument))
		}
		not = append(not, c)
	case string, json.Number:
		not = append(not, func(value any, _ bool) bool { return equal(argument, value) })
	default:
		return nil, fmt.Errorf("%v is no string, number, list or prefix", argument)
	}
	return func(value any, ok bool) bool {
		return ok && !slices.ContainsFunc(not, func(c condition) bool { return c(value, ok) })
	}, nil
}

// newNumeric reads [">", 0, "<=", 5]: one or two comparisons that must all hold.
func newNumeric(argument any) (condition, error) {
	parts, is := argument.([]any)
	if !is || len(parts) != 2 && len(parts) != 4 {
		return nil, fmt.Errorf("%v is not one or two comparisons", argument)
	}
	var all []func(float64) bool
	for i := 0; i < len(parts); i += 2 {
		operator, _ := parts[i].(string)
		number, _ := parts[i+1].(json.Number)
		bound, err := number.Float64()
		compare := comparisons[operator]
		if err != nil || compare == nil {
			return nil, fmt.Errorf("%v %v is no comparison", parts[i], parts[i+1])
		}
		all = append(all, func(v float64) bool { return compare(v, bound) })
	}
	return func(value any, _ bool) bool {
		number, is := value.(json.Number)
		v, err := number.Float64()
		return is && err == nil && !slices.ContainsFunc(all, func(c func(float64) bool) bool { return !c(v) })
	}, nil
}

var comparisons = map[string]func(a, b float64) bool{
	"=":  func(a, b float64) bool { return a == b },
	"<":  func(a, b float64) bool { return a < b },
	"<=": func(a, b float64) bool { return a <= b },
	">":  func(a, b float64) bool { return a > b },
	">=": func(a, b float64) bool { return a >= b },
}

// equal compares two leaves; numbers by their value.
func equal(a, b any) bool {
	x, isX := a.(json.Number)
	y, isY := b.(json.Number)
	if isX && isY {
		m, errM := strconv.ParseFloat(string(x), 64)
		n, errN := strconv.ParseFloat(string(y), 64)
		return errM == nil && errN == nil && m == n
	}
	switch a.(type) {
	case string, bool, nil:
		return a == b
	}
	return false
}

// match says whether an event passes.
func (f filter) match(event map[string]any) bool {
	if len(f) == 0 {
		return true
	}
	return slices.ContainsFunc(f, func(p pattern) bool { return p.match(event) })
}

func (p pattern) match(event map[string]any) bool {
	for name, field := range p {
		value, ok := event[name]
		if !field.match(value, ok) {
			return false
		}
	}
	return true
}

func (f fieldPattern) match(value any, ok bool) bool {
	if f.nested != nil {
		object, _ := value.(map[string]any) // a missing object has no fields, which "exists": false may ask for
		return f.nested.match(object)
	}
	values := []any{value}
	if list, is := value.([]any); is { // one of its members is enough
		values = list
	}
	for _, c := range f.leaf {
		if slices.ContainsFunc(values, func(v any) bool { return c(v, ok) }) {
			return true
		}
	}
	return false
}
