package differential_test

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"heliograph/simulator/dynamodb"
)

type item = map[string]types.AttributeValue

func s(text string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: text} }
func n(digits string) types.AttributeValue { return &types.AttributeValueMemberN{Value: digits} }

func b(data string) types.AttributeValue { return &types.AttributeValueMemberB{Value: []byte(data)} }

func yes(is bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: is} }

func null(is bool) types.AttributeValue { return &types.AttributeValueMemberNULL{Value: is} }

func ss(texts ...string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: texts} }

func ns(numbers ...string) types.AttributeValue { return &types.AttributeValueMemberNS{Value: numbers} }

func m(fields item) types.AttributeValue { return &types.AttributeValueMemberM{Value: fields} }

func bs(data ...string) types.AttributeValue {
	elems := make([][]byte, len(data))
	for i, d := range data {
		elems[i] = []byte(d)
	}
	return &types.AttributeValueMemberBS{Value: elems}
}

func l(values ...types.AttributeValue) types.AttributeValue {
	return &types.AttributeValueMemberL{Value: values}
}

// draw makes one random request. Names and values in its expressions get placeholders as they come up.
type draw struct {
	*rapid.T
	def    dynamodb.Definition
	names  map[string]string
	values item
	// used are the attributes with which the paths of one update or projection begin.
	used map[string]bool
}

// one draws one of the values.
func one[V any](d draw, from ...V) V { return rapid.SampledFrom(from).Draw(d.T, "one") }

// often is true about once in n draws, and shrinks to false. The true value is not at an end of the list, because rapid
// prefers those.
func (d draw) often(n int) bool {
	is := make([]bool, n)
	is[n*2/3] = true
	return one(d, is...)
}

// upTo draws a number from 0 to n-1.
func (d draw) upTo(n int) int { return rapid.IntRange(0, n-1).Draw(d.T, "number") }

// attributes are the names that items have beyond their keys, each mostly with the type that fits it. Some of the names
// are reserved words.
var attributes = []string{"n", "m", "s", "l", "strings", "numbers", "blobs", "yes", "size", "name", "a.b", "Ünï"}

var (
	texts   = []string{"", "a", "ab", "abc", "b", "B", "10", "9", "ä€😀", "\"<&>\\\n\u2028", " "}
	numbers = []string{
		"0", "1", "-1", "2", "10", "9", "-0", "1.0", "+1", "01", "0.5", ".5", "5.", "1e2", "1E-2", "-1.5e+3", "100", "1e0", "-0.0",
		"12345678901234567890123456789012345678", "-0.12345678901234567890123456789012345678", "99999999999999999999999999999999999999",
		"1E-130", "-1E-130", "9.9999999999999999999999999999999999999E+125", "-9.9999999999999999999999999999999999999E125",
		"10000000000000000000000000000000000000000000", "0.00000000000000000000000000000000000000000000001",
	}
	badNumbers = []string{
		"", "abc", "1e126", "1e-131", "-1e126", "123456789012345678901234567890123456789", "1.23456789012345678901234567890123456789",
		"Infinity", "NaN", " 1", "1 ", "1_0", "0x1", "1e", "e1", "1e1.5", "--1", "1,0", ".", "+", "-", "1.2.3",
	}
)

// number draws a valid number: an interesting one, or any.
func (d draw) number() string {
	if d.often(2) {
		return one(d, numbers...)
	}
	return rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,17})?(e-?[0-9]{1,2})?`).Draw(d.T, "digits")
}

// typed draws a value of a type, given by the API's name for it.
func (d draw) typed(kind string, depth int) types.AttributeValue {
	switch kind {
	case "S":
		return s(one(d, texts...))
	case "N":
		return n(d.number())
	case "B":
		return b(one(d, "", "a", "ab", "\xff", "\x00\xff"))
	case "BOOL":
		return yes(d.often(2))
	case "NULL":
		return null(true)
	case "SS":
		return ss(rapid.SliceOfNDistinct(rapid.SampledFrom(texts), 1, 4, rapid.ID).Draw(d.T, "texts")...)
	case "NS":
		return ns(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "-3", "0.5", "100000000000000000000", "100", "0"}), 1, 4, rapid.ID).Draw(d.T, "numbers")...)
	case "BS":
		return bs(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "a", "ab", "\xff"}), 1, 3, rapid.ID).Draw(d.T, "data")...)
	case "L":
		return l(d.listed(depth)...)
	default:
		return m(d.fields(depth))
	}
}

func (d draw) listed(depth int) []types.AttributeValue {
	list := []types.AttributeValue{}
	for range d.upTo(4) {
		list = append(list, d.value(depth-1))
	}
	return list
}

func (d draw) fields(depth int) item {
	fields := item{}
	for range d.upTo(4) {
		fields[one(d, "n", "s", "l", "m", "x", "size")] = d.value(depth - 1)
	}
	return fields
}

// value draws a valid value of any type, with at most that depth of nesting.
func (d draw) value(depth int) types.AttributeValue {
	kinds := []string{"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS"}
	if depth > 0 {
		kinds = append(kinds, "L", "M", "L", "M")
	}
	return d.typed(one(d, kinds...), depth)
}

// bad draws a value that DynamoDB never accepts.
func (d draw) bad() types.AttributeValue {
	v := one(d, null(false), ss(), ns(), bs(), ss("a", "b", "a"), ns("1", "1.0"), ns("1", "x"), bs("a", "a"), n(one(d, badNumbers...)),
		l(n("x")), m(item{"": s("a")}), m(item{"a": l(ss())}), deep(40))
	if d.often(2) {
		return l(s("a"), m(item{"x": v}))
	}
	return v
}

// deep is a value inside that many lists.
func deep(levels int) types.AttributeValue {
	v := s("core")
	for range levels {
		v = l(v)
	}
	return v
}

// kinds are the types that fit the attributes' names.
var kinds = map[string]string{"n": "N", "m": "M", "s": "S", "l": "L", "strings": "SS", "numbers": "NS", "blobs": "BS", "yes": "BOOL", "size": "N", "name": "S", "Ünï": "N"}

// attribute draws a value for an attribute of that name.
func (d draw) attribute(name string) types.AttributeValue {
	kind := typeOf(d.def, name)
	switch {
	case kind != "":
		return d.keyValue(name, kind)
	case d.often(300):
		return d.bad()
	case kinds[name] == "" || d.often(8):
		return d.value(2)
	}
	return d.typed(kinds[name], 2)
}

// keyValue draws a value for a key attribute, one of few, so that requests hit the same items; occasionally one that is
// not valid as a key.
func (d draw) keyValue(name, kind string) types.AttributeValue {
	if d.often(40) {
		return d.badKey(name, kind)
	}
	hash := name == d.def.HashKey || name == "gpk"
	switch {
	case kind == "S" && hash:
		return s(one(d, "p", "q"))
	case kind == "S":
		return s(one(d, "a", "ab", "b", "Z", "é", "😀", "10", "9", "ab "))
	case kind == "N" && hash:
		return n(one(d, "1", "1.0", "-2"))
	case kind == "N":
		return n(one(d, "0", "-0", "1", "1.0", "10", "9", "-1", "-10", "-9.5", "1e-130", "-1E125", "12345678901234567890123456789012345678", "12345678901234567890123456789012345677"))
	case hash:
		return b(one(d, "p", "\xff"))
	}
	return b(one(d, "a", "\x00", "\xff", "\xff\xff", "a\xff", "ab"))
}

// badKey draws a value that is invalid as a key, or close to the largest valid one.
func (d draw) badKey(name, kind string) types.AttributeValue {
	if d.often(2) {
		return d.value(1)
	}
	size := one(d, 0, 1024, 1025, 2048, 2049)
	if name != d.def.HashKey && name != d.def.RangeKey {
		size = min(size, 1024) // see "key sizes of indexes"
	}
	switch kind {
	case "S":
		return s(strings.Repeat("x", size))
	case "B":
		return b(strings.Repeat("x", size))
	}
	return n(one(d, badNumbers...))
}

// key draws a table's key, occasionally one that does not fit.
func (d draw) key() item {
	key := item{d.def.HashKey: d.attribute(d.def.HashKey)}
	if d.def.RangeKey != "" {
		key[d.def.RangeKey] = d.attribute(d.def.RangeKey)
	}
	if d.often(40) {
		delete(key, one(d, d.def.HashKey, d.def.RangeKey))
	}
	if d.often(60) {
		key[one(d, "more", "n", "")] = d.value(0)
	}
	return key
}

// item draws a whole item.
func (d draw) item() item {
	all := d.key()
	for _, a := range d.def.Attributes {
		if _, ok := all[a.Name]; !ok && d.often(2) && a.Name != d.def.HashKey && a.Name != d.def.RangeKey {
			all[a.Name] = d.attribute(a.Name)
		}
	}
	for _, name := range attributes {
		if d.often(2) {
			all[name] = d.attribute(name)
		}
	}
	return all
}

// place adds a value to the request and returns its placeholder.
func (d draw) place(v types.AttributeValue) string {
	placeholder := fmt.Sprintf(":v%d", len(d.values))
	d.values[placeholder] = v
	return placeholder
}
