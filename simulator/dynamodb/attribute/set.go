package attribute

import "slices"

// SetOf makes a set from values of its element type, and drops duplicates. Without elements it returns the zero Value:
// DynamoDB has no empty sets.
func SetOf(kind Kind, elems []Value) Value {
	if len(elems) == 0 {
		return Value{}
	}
	sorted := slices.SortedFunc(slices.Values(elems), Value.Compare)
	return Value{kind: kind, list: slices.CompactFunc(sorted, Value.Equal)}
}

// Contains reports whether a set or list holds the element.
func (v Value) Contains(elem Value) bool { return slices.ContainsFunc(v.list, elem.Equal) }

// Union returns the set together with another set of the same type.
func (v Value) Union(w Value) Value { return SetOf(v.kind, slices.Concat(v.list, w.list)) }

// Minus returns the set without the elements of another set, or the zero Value if nothing is left.
func (v Value) Minus(w Value) Value {
	return SetOf(v.kind, slices.DeleteFunc(slices.Clone(v.list), w.Contains))
}
