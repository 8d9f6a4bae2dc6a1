package pattern

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// condition reports whether a leaf's value matches; present is false if the field is missing.
type condition func(v any, present bool) bool

// conditions parses the list of a field.
func (r *reader) conditions(list []any) ([]condition, error) {
	if len(list) == 0 {
		return nil, errorf("Empty arrays are not allowed")
	}
	var all []condition
	points, wildcards := 0, 0
	for _, v := range list {
		c, err := r.condition(v)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if n := wildcardPoints(v); n > 0 {
			points, wildcards = points+n, wildcards+1
		}
	}
	// For SNS, a field's wildcards cost their sum times their number. Source: "Filter policy constraints", SNS
	// developer guide.
	r.wildcards += points * wildcards
	return all, nil
}

// condition parses a literal or an operator.
func (r *reader) condition(v any) (condition, error) {
	object, is := v.(map[string]any)
	if !is {
		return r.literal(v)
	}
	name, argument, err := single(object)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(r.dialect.Operators, name) {
		return nil, errorf("Unrecognized match type %s; %s are taken", name, strings.Join(r.dialect.Operators, ", "))
	}
	switch name {
	case "exists":
		return r.exists(argument)
	case "anything-but":
		return r.anythingBut(argument)
	case "numeric":
		return r.numeric(argument)
	}
	return onText(name, argument)
}

// single splits an object with one member into name and argument.
func single(object map[string]any) (name string, argument any, err error) {
	if len(object) != 1 {
		return "", nil, errorf("Only one key allowed in match expression")
	}
	for name, argument = range object {
	}
	return name, argument, nil
}

// literal matches a value equal to a text, a number, true, false or null.
func (r *reader) literal(want any) (condition, error) {
	switch want := want.(type) {
	case json.Number:
		if r.dialect.NumbersAsText {
			return func(v any, _ bool) bool { return v == want }, nil
		}
		n, err := r.number(want)
		return func(v any, _ bool) bool { m, is := numberOf(v); return is && m == n }, err
	case string, bool, nil:
		return func(v any, present bool) bool { return present && comparable(v) && v == want }, nil
	}
	return nil, errorf("Match value must be String, number, true, false, or null")
}

// comparable excludes objects and lists, which Go's == panics on.
func comparable(v any) bool {
	switch v.(type) {
	case string, bool, json.Number, nil:
		return true
	}
	return false
}

// number returns a number's value, within the dialect's range.
func (r *reader) number(v json.Number) (float64, error) {
	n, err := v.Float64()
	if most := r.dialect.MaxNumber; err == nil && most > 0 && (n < -most || n > most) {
		err = fmt.Errorf("numbers must be from %g to %g, not %v", -most, most, v)
	}
	return n, err
}

func numberOf(v any) (float64, bool) {
	number, is := v.(json.Number)
	if !is {
		return 0, false
	}
	n, err := number.Float64()
	return n, err == nil
}

// exists considers only leaves: an object is an intermediate node, for which it never holds.
func (r *reader) exists(argument any) (condition, error) {
	want, is := argument.(bool)
	if !is {
		return nil, errorf("exists match pattern must be either true or false")
	}
	needsValue := want && r.dialect.ExistsNeedsValue
	return func(v any, present bool) bool {
		if _, object := v.(map[string]any); object || needsValue && (v == nil || v == "") {
			return false
		}
		return present == want
	}, nil
}

// anythingBut holds for a value that is present and not among those given.
func (r *reader) anythingBut(argument any) (condition, error) {
	var unwanted []condition
	switch argument := argument.(type) {
	case map[string]any:
		name, operand, err := single(argument)
		switch {
		case err != nil:
			return nil, err
		case !slices.Contains(r.dialect.AnythingBut, name):
			return nil, errorf("Unsupported anything-but pattern: %s", name)
		case operand == "":
			return nil, errorf("Null prefix/suffix not allowed")
		}
		c, err := onText(name, operand)
		if err != nil {
			return nil, err
		}
		unwanted = append(unwanted, c)
	default:
		var err error
		if unwanted, err = r.butLiterals(argument); err != nil {
			return nil, err
		}
	}
	return func(v any, present bool) bool {
		return present && comparable(v) && !slices.ContainsFunc(unwanted, func(c condition) bool { return c(v, present) })
	}, nil
}

// butLiterals parses a text, a number, or a list of either.
func (r *reader) butLiterals(argument any) (unwanted []condition, err error) {
	list, is := argument.([]any)
	if !is {
		list = []any{argument}
	}
	if len(list) == 0 {
		return nil, errorf("Empty arrays are not allowed")
	}
	texts := 0
	for _, v := range list {
		switch v.(type) {
		case string:
			texts++
		case json.Number:
		default:
			return nil, errorf("Inside anything-but list, number|start|null|boolean is not supported")
		}
		c, err := r.literal(v)
		if err != nil {
			return nil, err
		}
		unwanted = append(unwanted, c)
	}
	if texts > 0 && texts < len(list) {
		return nil, errorf("Inside anything but list, either all values are number or string, mixed type is not supported")
	}
	return unwanted, nil
}

// onText parses the operators on texts.
func onText(name string, argument any) (condition, error) {
	want, is := argument.(string)
	if !is {
		return nil, fmt.Errorf("%s match pattern must be a string", name)
	}
	var test func(s string) bool
	switch name {
	case "prefix":
		test = func(s string) bool { return strings.HasPrefix(s, want) }
	case "suffix":
		test = func(s string) bool { return strings.HasSuffix(s, want) }
	case "equals-ignore-case":
		test = func(s string) bool { return strings.EqualFold(s, want) }
	case "cidr":
		network, err := network(want)
		if err != nil {
			return nil, err
		}
		test = func(s string) bool {
			address, err := netip.ParseAddr(s)
			return err == nil && network.Contains(address)
		}
	case "wildcard":
		parts, err := wildcardParts(want)
		if err != nil {
			return nil, err
		}
		test = func(s string) bool { return matchParts(parts, s) }
	default:
		panic("pattern: a dialect names the unknown operator " + name)
	}
	return func(v any, _ bool) bool {
		s, is := v.(string)
		return is && test(s)
	}, nil
}

func network(text string) (netip.Prefix, error) {
	if strings.Count(text, "/") != 1 {
		return netip.Prefix{}, errorf("Malformed CIDR, one '/' required")
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return network, errorf("Malformed CIDR: %w", err)
	}
	return network, nil
}

// numeric parses ["=", n], one bound such as [">", n], or a lower and an upper one: [">", 0, "<=", 150].
func (r *reader) numeric(argument any) (condition, error) {
	parts, _ := argument.([]any)
	if len(parts) != 2 && len(parts) != 4 {
		return nil, errorf(`Invalid member in numeric match: ["=", n], one bound such as [">", n], or a lower and an upper one are taken`)
	}
	var tests []func(float64) bool
	var bounds []float64
	var operators []string
	for i := 0; i < len(parts); i += 2 {
		operator, _ := parts[i].(string)
		compare := comparisons[operator]
		if compare == nil {
			return nil, errorf("Unrecognized numeric range operator: %v", parts[i])
		}
		number, is := parts[i+1].(json.Number)
		if !is {
			return nil, errorf("Value of %s must be numeric", operator)
		}
		bound, err := r.number(number)
		if err != nil {
			return nil, err
		}
		tests = append(tests, func(v float64) bool { return compare(v, bound) })
		bounds, operators = append(bounds, bound), append(operators, operator)
	}
	if err := checkRange(operators, bounds); err != nil {
		return nil, err
	}
	return func(v any, _ bool) bool {
		n, is := numberOf(v)
		return is && !slices.ContainsFunc(tests, func(test func(float64) bool) bool { return !test(n) })
	}, nil
}

// checkRange requires that the first of two bounds is the lower one.
func checkRange(operators []string, bounds []float64) error {
	switch {
	case len(operators) == 1:
		return nil
	case operators[0][0] != '>':
		return errorf("Too many elements in numeric expression")
	case operators[1][0] != '<':
		return errorf("Bad numeric range operator: %s", operators[1])
	case bounds[0] >= bounds[1]:
		return errorf("Bottom must be less than top")
	}
	return nil
}

var comparisons = map[string]func(a, b float64) bool{
	"=":  func(a, b float64) bool { return a == b },
	"<":  func(a, b float64) bool { return a < b },
	"<=": func(a, b float64) bool { return a <= b },
	">":  func(a, b float64) bool { return a > b },
	">=": func(a, b float64) bool { return a >= b },
}

// maxStars is how many stars one wildcard may have. Source: "Filter policy constraints", SNS developer guide.
const maxStars = 3

// wildcardParts splits a wildcard at its stars. A backslash makes a star, or a backslash, a plain character.
func wildcardParts(text string) ([]string, error) {
	parts := []string{""}
	for i := 0; i < len(text); i++ {
		last := &parts[len(parts)-1]
		switch {
		case text[i] == '*' && i > 0 && *last == "" && len(parts) > 1:
			return nil, errorf("Consecutive wildcard characters at pos %d", i-1)
		case text[i] == '*':
			parts = append(parts, "")
		case text[i] != '\\':
			*last += text[i : i+1]
		case i+1 < len(text) && (text[i+1] == '*' || text[i+1] == '\\'):
			i++
			*last += text[i : i+1]
		default:
			return nil, errorf("Invalid escape character at pos %d", i)
		}
	}
	if len(parts)-1 > maxStars {
		return nil, fmt.Errorf("a wildcard has at most %d stars, not %d", maxStars, len(parts)-1)
	}
	return parts, nil
}

// matchParts finds the parts in order: the first at the beginning, the last at the end.
func matchParts(parts []string, s string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	s, ok := strings.CutPrefix(s, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):] // the earliest match leaves the most for the others
	}
	return ok && strings.HasSuffix(s, parts[len(parts)-1])
}

// wildcardPoints is the cost of a condition's wildcard: one point for one star, three for each of several.
func wildcardPoints(v any) int {
	object, _ := v.(map[string]any)
	if but, is := object["anything-but"].(map[string]any); is {
		object = but
	}
	text, _ := object["wildcard"].(string)
	parts, _ := wildcardParts(text)
	switch stars := len(parts) - 1; {
	case stars <= 1:
		return max(0, stars)
	default:
		return 3 * stars
	}
}
