package attribute

// SortKey encodes a key value so that comparing encodings as bytes orders the values: strings by their UTF-8 bytes,
// binaries by their bytes, numbers by value. Encodings of different types must not be compared; they never meet, since
// a key attribute has one type.
func (v Value) SortKey() string {
	if v.kind != Number {
		return v.text
	}
	return v.Decimal().sortKey()
}

// sortKey is sign, exponent, digits. In negative numbers, exponent and digits are complemented, and a byte above all
// others ends them: there, the longer run of digits is the smaller number.
func (d Decimal) sortKey() string {
	if d.digits == "" {
		return "\x01"
	}
	key := make([]byte, 0, len(d.digits)+3)
	key = append(key, '\x02', byte(d.exp-minMagnitude))
	key = append(key, d.digits...)
	if !d.negative {
		return string(key)
	}
	key[0] = '\x00'
	for i := 1; i < len(key); i++ {
		key[i] = ^key[i]
	}
	return string(append(key, 0xFF))
}
