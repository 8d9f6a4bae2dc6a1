package expression

import (
	"maps"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
)

// Projection picks parts of an item. The nil Projection picks all.
type Projection []Path

// projection reads: path ( , path )*.
func (p *parser) projection() Projection {
	paths := Projection{p.path()}
	for p.accept(",") {
		paths = append(paths, p.path())
	}
	if p.err() == nil {
		p.check(checkDisjoint(paths))
	}
	return paths
}

// Of gives the parts of the item that the paths lead to, inside the maps and lists around them; of a
// list's elements only the picked ones, in their order.
func (p Projection) Of(item attribute.Item) attribute.Item {
	if p == nil {
		return item
	}
	if picked := pick(attribute.MapOf(item), p).Fields(); picked != nil {
		return picked
	}
	return attribute.Item{}
}

// pick narrows one value to what the paths, as seen from it, lead to.
func pick(v attribute.Value, paths []Path) attribute.Value {
	inner := map[Step][]Path{}
	for _, path := range paths {
		if len(path) == 0 {
			return v
		}
		inner[path[0]] = append(inner[path[0]], path[1:])
	}
	if v.Kind() == attribute.List {
		return pickElems(v, inner)
	}
	m := attribute.Item{}
	for step, rest := range inner {
		if child := pick(step.into(v), rest); child.Exists() {
			m[step.Name] = child
		}
	}
	return some(attribute.MapOf(m), len(m), v)
}

func pickElems(v attribute.Value, inner map[Step][]Path) attribute.Value {
	var list []attribute.Value
	for _, step := range slices.SortedFunc(maps.Keys(inner), func(a, b Step) int { return a.Index - b.Index }) {
		if child := pick(step.into(v), inner[step]); child.Exists() {
			list = append(list, child)
		}
	}
	return some(attribute.ListOf(list), len(list), v)
}

// some drops an inner document of which nothing was picked; the item itself may be empty.
func some(picked attribute.Value, n int, of attribute.Value) attribute.Value {
	if n == 0 || !of.Exists() {
		return attribute.Value{}
	}
	return picked
}
