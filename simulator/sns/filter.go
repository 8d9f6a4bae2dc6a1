package sns

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// filter is a filter policy on message attributes: all rules must match, and of a rule one condition.
// Source: the developer guide, "Filter policy constraints" and "String value matching" and its like.
type filter []rule

type rule struct {
	name       string
	conditions []condition
}

// condition says whether an attribute matches. present is whether the message has it; values are what of
// it can be compared.
type condition func(present bool, values []value) bool

// value is a text, a number, or what JSON has else (of which only its being different counts).
type value struct {
	text     string
	number   float64
	isNumber bool
	isText   bool
}

// equals never takes a text for a number: "1" and 1 are different, as the attribute types say.
func (v value) equals(w value) bool {
	switch {
	case v.isNumber:
		return w.isNumber && v.number == w.number
	case v.isText:
		return w.isText && v.text == w.text
	}
	return false
}

// valuesOf are the values of an attribute; false if it does not fit its type. A Binary one has none that
// a policy can name.
func valuesOf(a Attribute) ([]value, bool) {
	switch kind, _, _ := strings.Cut(a.DataType, "."); {
	case kind == "Binary":
		return nil, true
	case kind == "Number":
		n, err := strconv.ParseFloat(a.StringValue, 64)
		return []value{{number: n, isNumber: true}}, err == nil && !strings.ContainsAny(a.StringValue, "xXpP_nN")
	case a.DataType != "String.Array":
		return []value{{text: a.StringValue, isText: true}}, true
	}
	var elements []any
	if json.Unmarshal([]byte(a.StringValue), &elements) != nil {
		return nil, false
	}
	var values []value
	for _, element := range elements {
		switch element := element.(type) {
		case string:
			values = append(values, value{text: element, isText: true})
		case float64:
			values = append(values, value{number: element, isNumber: true})
		case bool, nil:
			values = append(values, value{})
		default:
			return nil, false
		}
	}
	return values, true
}

// matches says whether a message with these attributes passes.
func (f filter) matches(attributes map[string]Attribute) bool {
	for _, r := range f {
		a, present := attributes[r.name]
		values, _ := valuesOf(a)
		if !present {
			values = nil
		}
		if !slices.ContainsFunc(r.conditions, func(c condition) bool { return c(present, values) }) {
			return false
		}
	}
	return true
}

// parseFilter reads a filter policy. An empty text or object is none.
func parseFilter(policy string) (string, filter, error) {
	if policy == "" {
		return "", nil, nil
	}
	var rules map[string]json.RawMessage
	if err := json.Unmarshal([]byte(policy), &rules); err != nil || rules == nil {
		return "", nil, errInvalid("FilterPolicy", "not a JSON object")
	}
	if len(rules) == 0 {
		return "", nil, nil
	}
	f, combinations := filter{}, 1
	for name, raw := range rules {
		conditions, err := parseRule(raw)
		if err != nil {
			return "", nil, errInvalid("FilterPolicy", "%s: %v", name, err)
		}
		f = append(f, rule{name, conditions})
		combinations *= len(conditions)
	}
	if len(f) > 5 || combinations > 150 {
		return "", nil, errInvalid("FilterPolicy", "at most 5 attributes and 150 combinations of conditions, not %d and %d", len(f), combinations)
	}
	return policy, f, nil
}

// parseRule reads the conditions on one attribute.
func parseRule(raw json.RawMessage) (conditions []condition, err error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, errors.New("must be a list of conditions (nested objects and $or are not simulated)")
	}
	for _, item := range list {
		c, err := parseCondition(item)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, c)
	}
	return conditions, nil
}

// parseCondition reads a value to be equal to, or an object of one operator.
func parseCondition(raw json.RawMessage) (condition, error) {
	if raw[0] != '{' {
		want, err := parseValue(raw)
		return func(_ bool, values []value) bool { return slices.ContainsFunc(values, want.equals) }, err
	}
	operator, operand, err := parseOperator(raw)
	if err != nil {
		return nil, err
	}
	switch operator {
	case "prefix":
		return prefixed(operand)
	case "anything-but":
		return anythingBut(operand)
	case "exists":
		return exists(operand)
	case "numeric":
		return numeric(operand)
	}
	return nil, fmt.Errorf("the operator %q is not simulated; prefix, anything-but, exists and numeric are", operator)
}

// parseOperator takes an object with one member apart.
func parseOperator(raw json.RawMessage) (name string, operand json.RawMessage, err error) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || len(object) != 1 {
		return "", nil, errors.New("a condition must have one operator")
	}
	for name, operand = range object {
	}
	return name, operand, nil
}

// maxNumber is the range of numbers in a policy, both ways.
const maxNumber = 1e9

// parseValue reads what a policy can compare with.
func parseValue(raw json.RawMessage) (value, error) {
	var parsed any
	if err := json.Unmarshal(raw, &parsed); err != nil {
		return value{}, err
	}
	switch parsed := parsed.(type) {
	case string:
		return value{text: parsed, isText: true}, nil
	case float64:
		if parsed < -maxNumber || parsed > maxNumber {
			return value{}, fmt.Errorf("numbers are between -10^9 and 10^9, not %s", raw)
		}
		return value{number: parsed, isNumber: true}, nil
	}
	return value{}, fmt.Errorf("a value must be a text or a number, not %s", raw)
}

// prefixed matches a text that begins as the operand.
func prefixed(operand json.RawMessage) (condition, error) {
	want, err := parseValue(operand)
	if err != nil || !want.isText || want.text == "" {
		return nil, errors.New("prefix needs a text")
	}
	return func(_ bool, values []value) bool { return slices.ContainsFunc(values, want.begins) }, nil
}

// begins says whether another value begins as this one.
func (v value) begins(w value) bool { return w.isText && strings.HasPrefix(w.text, v.text) }

// exists matches by an attribute's presence alone; it is the only condition that a missing or binary one
// can match.
func exists(operand json.RawMessage) (condition, error) {
	var want bool
	if json.Unmarshal(operand, &want) != nil || string(operand) == "null" {
		return nil, errors.New("exists needs true or false")
	}
	return func(present bool, _ []value) bool { return present == want }, nil
}

// anythingBut matches an attribute that is there and has a value that is none of those given.
func anythingBut(operand json.RawMessage) (condition, error) {
	unwanted := func(value) bool { return false }
	switch operand[0] {
	case '{':
		operator, operand, err := parseOperator(operand)
		want, valueErr := parseValue(operand)
		if err != nil || valueErr != nil || operator != "prefix" || !want.isText || want.text == "" {
			return nil, errors.New("anything-but takes a text, a number, a list of these, or a prefix")
		}
		unwanted = want.begins
	default:
		list := []json.RawMessage{operand}
		if operand[0] == '[' && (json.Unmarshal(operand, &list) != nil || len(list) == 0) {
			return nil, errors.New("anything-but needs a list that is not empty")
		}
		var values []value
		for _, item := range list {
			v, err := parseValue(item)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		unwanted = func(v value) bool { return slices.ContainsFunc(values, v.equals) }
	}
	return func(_ bool, values []value) bool {
		return slices.ContainsFunc(values, func(v value) bool { return !unwanted(v) })
	}, nil
}

// numeric matches a number: ["=", n], or a bound, or a lower and an upper one: [">", 0, "<=", 150].
func numeric(operand json.RawMessage) (condition, error) {
	bad := errors.New(`numeric needs ["=", n], one bound such as [">", n], or a lower and an upper one`)
	var list []json.RawMessage
	if json.Unmarshal(operand, &list) != nil || len(list) != 2 && len(list) != 4 {
		return nil, bad
	}
	var tests []func(float64) bool
	kinds := ""
	for i := 0; i < len(list); i += 2 {
		test, kind, err := parseBound(list[i], list[i+1])
		if err != nil {
			return nil, err
		}
		tests, kinds = append(tests, test), kinds+kind
	}
	if len(tests) == 2 && kinds != "><" && kinds != "<>" {
		return nil, bad
	}
	return func(_ bool, values []value) bool {
		return slices.ContainsFunc(values, func(v value) bool {
			return v.isNumber && !slices.ContainsFunc(tests, func(test func(float64) bool) bool { return !test(v.number) })
		})
	}, nil
}

// parseBound reads an operator and its number; kind is "=", "<" or ">".
func parseBound(rawOperator, rawNumber json.RawMessage) (test func(float64) bool, kind string, err error) {
	var operator string
	number, err := parseValue(rawNumber)
	if err != nil || !number.isNumber || json.Unmarshal(rawOperator, &operator) != nil {
		return nil, "", errors.New("numeric needs pairs of an operator and a number")
	}
	n := number.number
	switch operator {
	case "=":
		return func(v float64) bool { return v == n }, "=", nil
	case "<":
		return func(v float64) bool { return v < n }, "<", nil
	case "<=":
		return func(v float64) bool { return v <= n }, "<", nil
	case ">":
		return func(v float64) bool { return v > n }, ">", nil
	case ">=":
		return func(v float64) bool { return v >= n }, ">", nil
	}
	return nil, "", fmt.Errorf("numeric does not know %q", operator)
}
