package expression

import (
	"strings"

	"heliograph/simulator/dynamodb/attribute"
)

// Condition is a parsed condition or filter. It is a tree that evaluates itself; all its constants are resolved.
type Condition interface {
	// Holds evaluates the condition against an item; nil stands for an item that does not exist.
	Holds(item attribute.Item) bool
}

// operand is one side of a condition: a path, a constant or size(path). If the item has no value there, it evaluates to
// the zero Value, for which see compare.
type operand interface {
	of(item attribute.Item) attribute.Value
}

// constant is the value of a placeholder. It serves conditions as an operand and updates as a source.
type constant struct{ attribute.Value }

func (c constant) of(attribute.Item) attribute.Value { return c.Value }

func (p Path) of(item attribute.Item) attribute.Value { return p.Get(item) }

// sizeOf is size(path): the bytes of a string or binary, the elements of a list or set, the members of a map.
type sizeOf struct{ path operand }

func (s sizeOf) of(item attribute.Item) attribute.Value {
	v := s.path.of(item)
	switch v.Kind() {
	case attribute.String, attribute.Binary:
		return attribute.IntOf(len(v.Text()))
	case attribute.Map:
		return attribute.IntOf(len(v.Fields()))
	case attribute.List, attribute.StringSet, attribute.NumberSet, attribute.BinarySet:
		return attribute.IntOf(len(v.Elems()))
	}
	return attribute.Value{} // numbers, Booleans and null have no size
}

// The kinds of conditions. attribute_not_exists is not{exists}.
type (
	and        struct{ left, right Condition }
	or         struct{ left, right Condition }
	not        struct{ of Condition }
	comparison struct {
		op          string
		left, right operand
	}
	between struct{ value, low, high operand }
	in      struct {
		value operand
		list  []operand
	}
	exists  struct{ path Path }
	hasType struct {
		value operand
		kind  attribute.Kind
	}
	beginsWith struct{ value, prefix operand }
	contains   struct{ value, part operand }
)

func (c and) Holds(item attribute.Item) bool    { return c.left.Holds(item) && c.right.Holds(item) }
func (c or) Holds(item attribute.Item) bool     { return c.left.Holds(item) || c.right.Holds(item) }
func (c not) Holds(item attribute.Item) bool    { return !c.of.Holds(item) }
func (c exists) Holds(item attribute.Item) bool { return c.path.Get(item).Exists() }

func (c hasType) Holds(item attribute.Item) bool { return c.value.of(item).Kind() == c.kind }

func (c comparison) Holds(item attribute.Item) bool {
	return compare(c.op, c.left.of(item), c.right.of(item))
}

func (c between) Holds(item attribute.Item) bool {
	v := c.value.of(item)
	return compare("<=", c.low.of(item), v) && compare("<=", v, c.high.of(item))
}

func (c in) Holds(item attribute.Item) bool {
	v := c.value.of(item)
	for _, candidate := range c.list {
		if compare("=", v, candidate.of(item)) {
			return true
		}
	}
	return false
}

func (c beginsWith) Holds(item attribute.Item) bool {
	v, prefix := c.value.of(item), c.prefix.of(item)
	text := v.Kind() == attribute.String || v.Kind() == attribute.Binary
	return text && v.Kind() == prefix.Kind() && strings.HasPrefix(v.Text(), prefix.Text())
}

// Holds looks for a substring in a string or binary, and for an element in a list or set.
func (c contains) Holds(item attribute.Item) bool {
	v, part := c.value.of(item), c.part.of(item)
	switch v.Kind() {
	case attribute.String, attribute.Binary:
		return v.Kind() == part.Kind() && strings.Contains(v.Text(), part.Text())
	case attribute.None:
		return false
	}
	return part.Exists() && v.Contains(part)
}

// compare applies an operator. Values of different types, and missing ones, are neither equal nor ordered; so the only
// operator that holds for them is <>, the negation of =.
func compare(op string, a, b attribute.Value) bool {
	switch {
	case op == "<>":
		return !compare("=", a, b)
	case !a.Exists() || a.Kind() != b.Kind():
		return false
	case op == "=":
		return a.Equal(b)
	case !a.Ordered():
		return false
	}
	switch c := a.Compare(b); op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}
