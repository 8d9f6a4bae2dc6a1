package attribute_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heliograph/simulator/dynamodb/attribute"
)

func read(t testing.TB, text string) attribute.Value {
	t.Helper()
	var v attribute.Value
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// TestValueJSON proves that the wire form comes back unchanged, except that numbers become canonical and sets sorted.
func TestValueJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`{"S":""}`:                   `{"S":""}`,
		`{"S":"a\"\\\n<>&é\u2028"}`:  `{"S":"a\"\\\n\u003c\u003e\u0026é\u2028"}`,
		`{"N":"1.50"}`:               `{"N":"1.5"}`,
		`{"B":"AQID"}`:               `{"B":"AQID"}`,
		`{"BOOL":false}`:             `{"BOOL":false}`,
		`{"NULL":true}`:              `{"NULL":true}`,
		`{"SS":["b","a"]}`:           `{"SS":["a","b"]}`,
		`{"NS":["10","9"]}`:          `{"NS":["9","10"]}`,
		`{"BS":["Ag==","AQ=="]}`:     `{"BS":["AQ==","Ag=="]}`,
		`{"L":[]}`:                   `{"L":[]}`,
		`{"L":[{"N":"1"},{"L":[]}]}`: `{"L":[{"N":"1"},{"L":[]}]}`,
		`{"M":{}}`:                   `{"M":{}}`,
		`{"M":{"b":{"S":"x"},"a":{"NULL":true}}}`: `{"M":{"a":{"NULL":true},"b":{"S":"x"}}}`,
	}
	for text, want := range tests {
		got, err := json.Marshal(read(t, text))
		if err != nil || string(got) != want {
			t.Errorf("%s came back as %s, %v; want %s", text, got, err, want)
		}
	}
}

// TestInvalidValues proves that a value that breaks a rule, at any depth of a document, is kept with the text of that
// rule.
func TestInvalidValues(t *testing.T) {
	t.Parallel()
	const (
		empty = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
		two   = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
		parm  = "One or more parameter values were invalid: "
	)
	tests := map[string]string{
		`{}`:                         empty,
		`{"s":"x"}`:                  empty,
		`{"!":"x"}`:                  empty,
		`{"S":null}`:                 empty,
		`{"S":"x","N":"1"}`:          two,
		`{"N":"x"}`:                  "The parameter cannot be converted to a numeric value: x",
		`{"NULL":false}`:             parm + "Null attribute value types must have the value of true",
		`{"SS":[]}`:                  parm + "An string set  may not be empty",
		`{"NS":[]}`:                  parm + "An number set  may not be empty",
		`{"BS":[]}`:                  parm + "Binary sets should not be empty",
		`{"SS":["a","b","a"]}`:       parm + "Input collection [a, b, a] contains duplicates.",
		`{"NS":["1","1.0"]}`:         "Input collection contains duplicates",
		`{"L":[{"N":"x"}]}`:          "The parameter cannot be converted to a numeric value: x",
		`{"M":{"a":{"M":{"b":{}}}}}`: empty,
		`{"M":{"":{"S":"x"}}}`:       "Empty attribute name",
		strings.Repeat(`{"L":[`, 33) + `{"S":"x"}` + strings.Repeat(`]}`, 33): "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
	}
	for text, want := range tests {
		v := read(t, text)
		err := attribute.Check(attribute.Item{"a": attribute.StringOf("fine"), "b": v})
		if v.Kind() != attribute.Invalid || err == nil || err.Error() != want {
			t.Errorf("%s gives %v, want %s", text, err, want)
		}
	}
	if err := attribute.Check(attribute.Item{strings.Repeat("x", 65536): attribute.StringOf("")}); err == nil {
		t.Error("a name of 64 KB passes")
	}
}

// TestBrokenJSON proves that malformed wire form is an ordinary error, not a broken rule.
func TestBrokenJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`1`, `"x"`, `{"S":1}`, `{"N":1}`, `{"B":"?"}`, `{"BOOL":"true"}`, `{"NULL":1}`, `{"SS":"a"}`, `{"L":{}}`, `{"M":[]}`, `{"L":[1]}`, `{"M":{"a":1}}`} {
		var v attribute.Value
		if err := json.Unmarshal([]byte(text), &v); err == nil {
			t.Errorf("%s passes as %v", text, v.Kind())
		}
	}
}

// TestSize proves AWS's rules for sizes, which decide about limits and the bill.
func TestSize(t *testing.T) {
	t.Parallel()
	tests := map[string]int{
		`{"S":"é!"}`: 3, `{"B":"AQID"}`: 3, `{"BOOL":true}`: 1, `{"NULL":true}`: 1,
		`{"N":"0"}`: 1, `{"N":"7"}`: 2, `{"N":"-7"}`: 3, `{"N":"12"}`: 2, `{"N":"123"}`: 3, `{"N":"1e100"}`: 2,
		`{"SS":["ab","c"]}`: 3, `{"NS":["1","123"]}`: 5,
		`{"L":[]}`: 3, `{"L":[{"S":"ab"},{"S":"c"}]}`: 3 + 2 + 3,
		`{"M":{}}`: 3, `{"M":{"key":{"S":"ab"}}}`: 3 + 1 + 3 + 2,
	}
	for text, want := range tests {
		if got := read(t, text).Size(); got != want {
			t.Errorf("%s has size %d, want %d", text, got, want)
		}
	}
	item := attribute.Item{"name": read(t, `{"S":"ab"}`), "n": read(t, `{"N":"7"}`)}
	if got := attribute.ItemSize(item); got != 4+2+1+2 {
		t.Errorf("the item has size %d, want 9", got)
	}
}

// values draws values of all types, nested to some depth.
func values(depth int) *rapid.Generator[attribute.Value] {
	scalars := []*rapid.Generator[attribute.Value]{
		rapid.Map(rapid.StringN(0, 4, -1), attribute.StringOf),
		rapid.Map(rapid.IntRange(-99, 99), attribute.IntOf),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 3), attribute.BinaryOf),
		rapid.Map(rapid.Bool(), attribute.BoolOf),
		rapid.Just(attribute.NullValue()),
		rapid.Map(rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 9), attribute.IntOf), 1, 4), func(vs []attribute.Value) attribute.Value {
			return attribute.SetOf(attribute.NumberSet, vs)
		}),
	}
	if depth > 0 {
		scalars = append(scalars,
			rapid.Map(rapid.SliceOfN(values(depth-1), 0, 3), attribute.ListOf),
			rapid.Map(rapid.MapOfN(rapid.StringN(1, 2, -1), values(depth-1), 0, 3), attribute.MapOf))
	}
	return rapid.OneOf(scalars...)
}

// TestValuesSurviveTheWire proves that any value survives the wire, and equals itself and nothing else.
func TestValuesSurviveTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, other := values(3).Draw(t, "v"), values(3).Draw(t, "other")
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back attribute.Value
		if err := json.Unmarshal(text, &back); err != nil || !back.Equal(v) {
			t.Fatalf("%s came back as another value, %v", text, err)
		}
		otherText, _ := json.Marshal(other)
		if v.Equal(other) != (string(text) == string(otherText)) {
			t.Fatalf("%s and %s: Equal says %v", text, otherText, v.Equal(other))
		}
	})
}

// TestSets proves that sets have neither order nor duplicates, and that an empty set is no value.
func TestSets(t *testing.T) {
	t.Parallel()
	ab, bc := read(t, `{"SS":["a","b"]}`), read(t, `{"SS":["c","b"]}`)
	if diff := cmp.Diff(read(t, `{"SS":["a","b","c"]}`), ab.Union(bc)); diff != "" {
		t.Errorf("union (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(read(t, `{"SS":["a"]}`), ab.Minus(bc)); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	if ab.Minus(ab).Exists() {
		t.Error("the empty set exists")
	}
}
