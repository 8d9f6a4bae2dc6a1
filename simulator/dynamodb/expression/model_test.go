package expression_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// The model: conditions as trees over plain Go values. Each node knows its text and its meaning. Both are written as
// plainly as possible, so that the model is unlikely to share a mistake with the package.

// value is an int, a string, a []int or, for a missing attribute, nil.
type value any

// world is an item in the model.
type world map[string]value

// term is an operand: an attribute's name, or a constant under its placeholder.
type term struct {
	text     string
	name     string
	constant value
}

func (o term) in(w world) value {
	if o.name != "" {
		return w[o.name]
	}
	return o.constant
}

// node is a condition. level ranks precedence: 0 OR, 1 AND, 2 NOT, 3 everything else.
type node struct {
	text  string
	level int
	holds func(world) bool
}

// within returns the node's text as an operand of a node of this level, in parentheses if it binds less.
func (n node) within(level int) string {
	if n.level < level {
		return "(" + n.text + ")"
	}
	return n.text
}

func less(a, b value) bool {
	switch a := a.(type) {
	case int:
		b, ok := b.(int)
		return ok && a < b
	case string:
		b, ok := b.(string)
		return ok && a < b
	}
	return false
}

func equal(a, b value) bool {
	return a != nil && fmt.Sprintf("%T%v", a, a) == fmt.Sprintf("%T%v", b, b)
}

func compared(op string, a, b value) bool {
	_, list := a.([]int)
	switch op {
	case "=":
		return equal(a, b)
	case "<>":
		return !equal(a, b)
	case "<":
		return less(a, b)
	case ">":
		return less(b, a)
	case "<=":
		return less(a, b) || equal(a, b) && !list
	default:
		return less(b, a) || equal(a, b) && !list
	}
}

func contained(whole, part value) bool {
	switch whole := whole.(type) {
	case string:
		p, ok := part.(string)
		return ok && strings.Contains(whole, p)
	case []int:
		p, ok := part.(int)
		return ok && slices.Contains(whole, p)
	}
	return false
}

var attributes = []string{"x", "y", "z"}

func plainValues(lists bool) *rapid.Generator[value] {
	kinds := []*rapid.Generator[value]{
		rapid.Map(rapid.IntRange(0, 3), func(i int) value { return i }),
		rapid.Map(rapid.SampledFrom([]string{"", "a", "ab", "b"}), func(s string) value { return s }),
	}
	if lists {
		kinds = append(kinds, rapid.Map(rapid.SliceOfN(rapid.IntRange(0, 3), 0, 3), func(l []int) value { return l }))
	}
	return rapid.OneOf(kinds...)
}

// draw builds a random condition; its constants get placeholders in given.
type draw struct {
	*rapid.T
	given attribute.Item
}

func (d draw) term(lists bool) term {
	if rapid.Bool().Draw(d.T, "path") {
		name := rapid.SampledFrom(attributes).Draw(d.T, "name")
		return term{text: name, name: name}
	}
	v := plainValues(lists).Draw(d.T, "constant")
	placeholder := fmt.Sprintf(":v%d", len(d.given))
	d.given[placeholder] = stored(v)
	return term{text: placeholder, constant: v}
}

// terms draws operands whose paths differ, since AWS refuses to compare a path with itself.
func (d draw) terms(n int, lists bool) []term {
	for {
		terms := make([]term, n)
		for i := range terms {
			terms[i] = d.term(lists)
		}
		if !slices.ContainsFunc(terms[1:], func(t term) bool { return t.name != "" && t.name == terms[0].name }) {
			return terms
		}
	}
}

func (d draw) node(depth int) node {
	if depth == 0 {
		return d.leaf()
	}
	switch rapid.IntRange(0, 3).Draw(d.T, "node") {
	case 0:
		l, r := d.node(depth-1), d.node(depth-1)
		return node{l.within(0) + " OR " + r.within(1), 0, func(w world) bool { return l.holds(w) || r.holds(w) }}
	case 1:
		l, r := d.node(depth-1), d.node(depth-1)
		return node{l.within(1) + " AND " + r.within(2), 1, func(w world) bool { return l.holds(w) && r.holds(w) }}
	case 2:
		n := d.node(depth - 1)
		return node{"NOT " + n.within(2), 2, func(w world) bool { return !n.holds(w) }}
	}
	return d.leaf()
}

func (d draw) leaf() node {
	switch rapid.IntRange(0, 5).Draw(d.T, "leaf") {
	case 0:
		return d.between()
	case 1:
		o := d.terms(3, true)
		return node{fmt.Sprintf("%s IN (%s, %s)", o[0].text, o[1].text, o[2].text), 3, func(w world) bool {
			return equal(o[0].in(w), o[1].in(w)) || equal(o[0].in(w), o[2].in(w))
		}}
	case 2:
		name := rapid.SampledFrom(attributes).Draw(d.T, "name")
		return node{"attribute_exists(" + name + ")", 3, func(w world) bool { return w[name] != nil }}
	case 3:
		o := d.terms(2, true)
		return node{fmt.Sprintf("contains(%s, %s)", o[0].text, o[1].text), 3, func(w world) bool {
			return contained(o[0].in(w), o[1].in(w))
		}}
	}
	op := rapid.SampledFrom([]string{"=", "<>", "<", "<=", ">", ">="}).Draw(d.T, "op")
	o := d.terms(2, op == "=" || op == "<>")
	return node{o[0].text + " " + op + " " + o[1].text, 3, func(w world) bool {
		return compared(op, o[0].in(w), o[1].in(w))
	}}
}

// between has a path as its upper bound, since AWS refuses constant bounds in the wrong order.
func (d draw) between() node {
	o := d.terms(2, false)
	high := rapid.SampledFrom(attributes).Draw(d.T, "high")
	return node{fmt.Sprintf("%s BETWEEN %s AND %s", o[0].text, o[1].text, high), 3, func(w world) bool {
		return compared("<=", o[1].in(w), o[0].in(w)) && compared("<=", o[0].in(w), w[high])
	}}
}

// stored returns the model's value as DynamoDB's.
func stored(v value) attribute.Value {
	switch v := v.(type) {
	case int:
		return attribute.IntOf(v)
	case string:
		return attribute.StringOf(v)
	case []int:
		elems := make([]attribute.Value, len(v))
		for i, e := range v {
			elems[i] = attribute.IntOf(e)
		}
		return attribute.ListOf(elems)
	}
	return attribute.Value{}
}

// TestConditionsAgreeWithModel proves that any condition means what the model says, particularly its precedence and its
// treatment of missing attributes.
func TestConditionsAgreeWithModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, doc := world{}, attribute.Item{}
		for _, name := range attributes {
			if rapid.Bool().Draw(t, "present") {
				w[name] = plainValues(true).Draw(t, name)
				doc[name] = stored(w[name])
			}
		}
		d := draw{t, attribute.Item{":unused": attribute.IntOf(0)}}
		n := d.node(rapid.IntRange(0, 4).Draw(t, "depth"))
		s, err := expression.NewScope(nil, d.given)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Condition("ConditionExpression", n.text)
		if err != nil {
			t.Fatalf("%s: %v", n.text, err)
		}
		if got, want := c.Holds(doc), n.holds(w); got != want {
			t.Fatalf("%s with %v and %v is %v, want %v", n.text, w, d.given, got, want)
		}
	})
}

// TestNoExpressionPanics proves that the parser ends on any input, and that every expression it accepts can be
// evaluated.
func TestNoExpressionPanics(t *testing.T) {
	t.Parallel()
	tokens := []string{
		"a", "l", "m", "#a", "#nope", ":1", ":text", ":list", ":nope", ".", "[", "]", "0", "99", "(", ")", ",", "=", "<>", "<", ">=", "+", "-", "!", "_",
		"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE", "size", "contains", "begins_with", "attribute_exists", "attribute_type",
		"if_not_exists", "list_append", "dog", "name", "",
	}
	doc := item(t, document)
	given := item(t, values)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(tokens), 0, 12).Draw(t, "tokens"), " ")
		s, err := expression.NewScope(names, given)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := s.Condition("FilterExpression", text); err == nil {
			c.Holds(doc)
			expression.NamesIn(c)
		}
		if p, err := s.Projection(text); err == nil {
			p.Of(doc)
		}
		if u, err := s.Update(text); err == nil {
			_, _ = u.Apply(doc)
		}
		if keys, err := s.KeyConditions(text); err == nil && len(keys) == 0 {
			t.Fatalf("%q is a condition of no key", text)
		}
	})
}
