package attribute

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxDepth is the deepest nesting of documents.
const maxDepth = 32

// UnmarshalJSON reads the wire form, such as {"S":"x"}; malformed wire form is an error. A value that only breaks a
// rule of DynamoDB becomes an Invalid value, because AWS reports the two with different errors: see Check.
func (v *Value) UnmarshalJSON(data []byte) error {
	var err error
	*v, err = decode(data, 0)
	if broken, ok := errors.AsType[*Error](err); ok {
		*v, err = Value{kind: Invalid, text: broken.Message}, nil
	}
	return err
}

// maxNameLength is the length of the longest attribute name, in bytes.
const maxNameLength = 65535

// CheckName refuses an empty or oversized attribute name; the error is an *Error.
func CheckName(name string) error {
	switch {
	case name == "":
		return Errorf("Empty attribute name")
	case len(name) > maxNameLength:
		return Errorf("Attribute name is too large, must be less than %d bytes", maxNameLength+1)
	}
	return nil
}

// Check returns the error of an item's first bad name or Invalid value, in the order of names: an *Error, or nil.
func Check(item Item) error {
	for _, name := range slices.Sorted(maps.Keys(item)) {
		if err := CheckName(name); err != nil {
			return Errorf("One or more parameter values were invalid: %v", err)
		}
		if v := item[name]; v.kind == Invalid {
			return &Error{Message: v.text}
		}
	}
	return nil
}

// decode reads a value at a nesting depth. A broken rule yields an *Error; any other error means malformed wire form.
func decode(data []byte, depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, Errorf("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return Value{}, err
	}
	switch len(members) {
	case 0:
		return Value{}, Errorf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case 1:
	default:
		return Value{}, Errorf("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	for name, raw := range members {
		return decodeKind(ParseKind(name), raw, depth)
	}
	panic("unreachable")
}

// decodeKind reads the value inside {"<type>": …}. An unknown type and a null count as no value.
func decodeKind(kind Kind, raw json.RawMessage, depth int) (Value, error) {
	switch kind {
	case String, Number, Binary:
		var text *string
		if err := json.Unmarshal(raw, &text); err != nil {
			return Value{}, err
		}
		if text == nil {
			break
		}
		return scalar(kind, *text)
	case StringSet, NumberSet, BinarySet:
		return decodeSet(kind, raw)
	case Bool:
		v := Value{kind: Bool}
		return v, json.Unmarshal(raw, &v.yes)
	case Null:
		v := Value{kind: Null}
		if err := json.Unmarshal(raw, &v.yes); err != nil {
			return v, err
		}
		if !v.yes {
			return v, Errorf("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		return v, nil
	case List:
		return decodeList(raw, depth)
	case Map:
		return decodeMap(raw, depth)
	}
	return Value{}, Errorf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
}

// scalar makes a value from its text on the wire: a Number is checked, a Binary is Base64.
func scalar(kind Kind, text string) (Value, error) {
	switch kind {
	case Number:
		d, err := ParseDecimal(text)
		return NumberOf(d), err
	case Binary:
		raw, err := base64.StdEncoding.DecodeString(text)
		return BinaryOf(raw), err
	default:
		return StringOf(text), nil
	}
}

// decodeSet compares elements by value, so that 1 and 1.0 are duplicates.
func decodeSet(kind Kind, raw json.RawMessage) (Value, error) {
	var texts []string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return Value{}, err
	}
	elems := make([]Value, len(texts))
	for i, text := range texts {
		var err error
		if elems[i], err = scalar(kind.Element(), text); err != nil {
			return Value{}, err
		}
	}
	if len(elems) == 0 {
		return Value{}, emptySet(kind)
	}
	set := SetOf(kind, elems)
	if len(set.list) < len(elems) {
		return Value{}, duplicates(kind, texts)
	}
	return set, nil
}

// emptySet returns AWS's error for an empty set, whose grammar and spaces are AWS's, too.
func emptySet(kind Kind) error {
	what := map[Kind]string{
		StringSet: "An string set  may not be empty",
		NumberSet: "An number set  may not be empty",
		BinarySet: "Binary sets should not be empty",
	}[kind]
	return Errorf("One or more parameter values were invalid: %s", what)
}

// duplicates returns AWS's error for equal elements of a set; for numbers, it does not list them.
func duplicates(kind Kind, texts []string) error {
	if kind == NumberSet {
		return Errorf("Input collection contains duplicates")
	}
	list := ""
	for i, text := range texts {
		if i > 0 {
			list += ", "
		}
		list += text
	}
	return Errorf("One or more parameter values were invalid: Input collection [%s] contains duplicates.", list)
}

func decodeList(raw json.RawMessage, depth int) (Value, error) {
	var elems []json.RawMessage
	if err := json.Unmarshal(raw, &elems); err != nil {
		return Value{}, err
	}
	list := make([]Value, len(elems))
	for i, elem := range elems {
		var err error
		if list[i], err = decode(elem, depth+1); err != nil {
			return Value{}, err
		}
	}
	return ListOf(list), nil
}

// decodeMap checks the names of members, which are attribute names like those of an item.
func decodeMap(raw json.RawMessage, depth int) (Value, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return Value{}, err
	}
	m := make(map[string]Value, len(members))
	for name, member := range members {
		v, err := decode(member, depth+1)
		if err == nil {
			err = CheckName(name)
		}
		if err != nil {
			return Value{}, err
		}
		m[name] = v
	}
	return MapOf(m), nil
}

// MarshalJSON writes the wire form.
func (v Value) MarshalJSON() ([]byte, error) { return v.append(nil), nil }

// append appends the wire form to b.
func (v Value) append(b []byte) []byte {
	b = append(b, '{', '"')
	b = append(b, v.kind.String()...)
	b = append(b, '"', ':')
	switch v.kind {
	case Bool, Null:
		b = strconv.AppendBool(b, v.yes)
	case List:
		b = appendList(b, v.list, func(b []byte, e Value) []byte { return e.append(b) })
	case StringSet, NumberSet, BinarySet:
		b = appendList(b, v.list, func(b []byte, e Value) []byte { return e.appendText(b) })
	case Map:
		b = appendMap(b, v.m)
	default:
		b = v.appendText(b)
	}
	return append(b, '}')
}

// appendText appends a scalar as a JSON string.
func (v Value) appendText(b []byte) []byte {
	switch v.kind {
	case Binary:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, []byte(v.text))
		return append(b, '"')
	case Number:
		b = append(b, '"')
		b = append(b, v.text...)
		return append(b, '"')
	}
	return appendString(b, v.text)
}

func appendList(b []byte, values []Value, one func([]byte, Value) []byte) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}

// appendMap writes members in the order of their names, so that equal items yield equal bytes.
func appendMap(b []byte, m map[string]Value) []byte {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, name)
		b = append(b, ':')
		b = m[name].append(b)
	}
	return append(b, '}')
}

// appendString skips encoding/json for ASCII text without characters to escape, which is nearly all text.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
