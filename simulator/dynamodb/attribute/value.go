// Package attribute models the contents of a DynamoDB item: values of the ten types, numbers with 38 digits, their
// order, their size as DynamoDB bills it, and their JSON form on the wire.
package attribute

import (
	"cmp"
	"slices"
	"strconv"
)

// Kind is the type of a Value.
type Kind byte

// The ten types of DynamoDB. None, the zero Kind, belongs to the zero Value: no value at all.
const (
	None Kind = iota
	String
	Number
	Binary
	StringSet
	NumberSet
	BinarySet
	List
	Map
	Bool
	Null
	// Invalid marks a value that broke a rule when it was decoded; its text is the error's. See Check.
	Invalid
)

var kindNames = [...]string{
	None: "?", String: "S", Number: "N", Binary: "B", StringSet: "SS", NumberSet: "NS",
	BinarySet: "BS", List: "L", Map: "M", Bool: "BOOL", Null: "NULL", Invalid: "!",
}

// String returns the type's name on the wire, such as "S" or "NS".
func (k Kind) String() string { return kindNames[k] }

// ParseKind is the inverse of Kind.String; an unknown name yields None.
func ParseKind(name string) Kind {
	return Kind(max(0, slices.Index(kindNames[:Invalid], name)))
}

// IsSet reports whether the type is one of the three set types.
func (k Kind) IsSet() bool { return k == StringSet || k == NumberSet || k == BinarySet }

// Element returns the type of a set's elements, or None if the type is not a set.
func (k Kind) Element() Kind {
	switch k {
	case StringSet:
		return String
	case NumberSet:
		return Number
	case BinarySet:
		return Binary
	}
	return None
}

// Value is one attribute value. It is immutable: changing an item builds new values around the unchanged ones, so that
// old images, index entries and stream records can share them without copies. The zero Value stands for a missing
// value; its Kind is None.
type Value struct {
	kind Kind
	yes  bool
	// text is a string's text, a binary's bytes or a number's canonical form.
	text string
	// list holds the elements of a list, or those of a set in ascending order.
	list []Value
	m    map[string]Value
}

// Item is an item of a table: values by attribute name. Like a Value, it must not be changed once stored.
type Item = map[string]Value

// StringOf makes a String.
func StringOf(s string) Value { return Value{kind: String, text: s} }

// BinaryOf makes a Binary.
func BinaryOf(b []byte) Value { return Value{kind: Binary, text: string(b)} }

// BoolOf makes a Bool.
func BoolOf(b bool) Value { return Value{kind: Bool, yes: b} }

// NullValue makes a Null.
func NullValue() Value { return Value{kind: Null, yes: true} }

// NumberOf makes a Number from a decimal.
func NumberOf(d Decimal) Value { return Value{kind: Number, text: d.String()} }

// ListOf makes a List. It keeps elems, which must not be changed afterwards.
func ListOf(elems []Value) Value { return Value{kind: List, list: elems} }

// MapOf makes a Map. It keeps m, which must not be changed afterwards.
func MapOf(m map[string]Value) Value { return Value{kind: Map, m: m} }

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.kind }

// Exists is false only for the zero Value.
func (v Value) Exists() bool { return v.kind != None }

// Text returns a String's text, a Number's canonical digits or a Binary's bytes.
func (v Value) Text() string { return v.text }

// Elems returns the elements of a List or set. They must not be changed.
func (v Value) Elems() []Value { return v.list }

// Fields returns the members of a Map. They must not be changed.
func (v Value) Fields() map[string]Value { return v.m }

// Decimal returns the value of a Number.
func (v Value) Decimal() Decimal {
	d, _ := ParseDecimal(v.text) // canonical text always parses
	return d
}

// Equal reports whether two values have the same type and content. The order in which a set was given does not matter.
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind || v.text != w.text || v.yes != w.yes {
		return false
	}
	if !slices.EqualFunc(v.list, w.list, Value.Equal) {
		return false
	}
	return EqualItems(v.m, w.m)
}

// EqualItems reports whether two items, or the members of two maps, are equal.
func EqualItems(a, b Item) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		if w, ok := b[name]; !ok || !v.Equal(w) {
			return false
		}
	}
	return true
}

// Compare orders two values of the same type, which must be String (by UTF-8 bytes), Number or Binary.
func (v Value) Compare(w Value) int {
	if v.kind == Number {
		return v.Decimal().Compare(w.Decimal())
	}
	return cmp.Compare(v.text, w.text)
}

// Ordered reports whether values of this type can be compared with < and >.
func (v Value) Ordered() bool { return v.kind == String || v.kind == Number || v.kind == Binary }

// IntOf makes a Number from an integer.
func IntOf(n int) Value {
	d, _ := ParseDecimal(strconv.Itoa(n)) // an int always parses
	return NumberOf(d)
}
