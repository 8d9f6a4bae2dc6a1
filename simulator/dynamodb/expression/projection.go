package expression

import (
	"maps"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
)

// Projection picks parts of an item. The nil Projection picks the whole item.
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

// Of returns the picked parts of the item, still inside the maps and lists that enclose them. A list keeps only the
// picked elements, in their order. If nothing is picked, the result is an empty item.
func (p Projection) Of(item attribute.Item) attribute.Item {
	if p == nil {
		return item
	}
	if picked := pick(attribute.MapOf(item), p).Fields(); picked != nil {
		return picked
	}
	return attribute.Item{}
}

// pick narrows a value to the parts that the paths, relative to it, lead to. Paths with the same first step are
// followed together, so that their parts end up in one map or list.
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

// pickElems is pick for a list: picked elements close ranks, in the order of their indexes.
func pickElems(v attribute.Value, inner map[Step][]Path) attribute.Value {
	var list []attribute.Value
	for _, step := range slices.SortedFunc(maps.Keys(inner), func(a, b Step) int { return a.Index - b.Index }) {
		if child := pick(step.into(v), inner[step]); child.Exists() {
			list = append(list, child)
		}
	}
	return some(attribute.ListOf(list), len(list), v)
}

// some leaves out a map or list from which nothing was picked. Of turns that into an empty item at the top.
func some(picked attribute.Value, n int, of attribute.Value) attribute.Value {
	if n == 0 || !of.Exists() {
		return attribute.Value{}
	}
	return picked
}
