package attribute

import "slices"

// SetOf makes a set of values that all have the set's element type; duplicates are dropped. A set
// without elements does not exist in DynamoDB: it gives the zero Value.
func SetOf(kind Kind, elems []Value) Value {
	if len(elems) == 0 {
		return Value{}
	}
	sorted := slices.SortedFunc(slices.Values(elems), Value.Compare)
	return Value{kind: kind, list: slices.CompactFunc(sorted, Value.Equal)}
}

// Contains reports whether a set or list holds the element.
func (v Value) Contains(elem Value) bool { return slices.ContainsFunc(v.list, elem.Equal) }

// Union adds another set of the same type.
func (v Value) Union(w Value) Value { return SetOf(v.kind, slices.Concat(v.list, w.list)) }

// Minus takes another set's elements away; the zero Value when nothing is left.
func (v Value) Minus(w Value) Value {
	return SetOf(v.kind, slices.DeleteFunc(slices.Clone(v.list), w.Contains))
}
