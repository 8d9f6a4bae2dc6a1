package observability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"heliograph/observability/catalogue"
)

var testPage = page{
	at: time.UnixMilli(1767323045678), stage: "test", function: "send",
	properties: []property{{"requestId", "r-1"}},
}

// TestLine shows lines, byte for byte: the function is on one only if a metric has it as a dimension.
func TestLine(t *testing.T) {
	t.Parallel()
	const begin = `{"_aws":{"Timestamp":1767323045678,"CloudWatchMetrics":[{"Namespace":"Heliograph","Dimensions":[["Stage"]],"Metrics":[`
	for want, all := range map[string][]series{
		begin + `{"Name":"PostsFailed"}]}]},"Stage":"test","PostsFailed":2,"requestId":"r-1"}`: {newSeries(catalogue.PostsFailed, 2)},
		begin + `{"Name":"PostsFailed"},{"Name":"DeliveryLatency","Unit":"Milliseconds"}]},` +
			`{"Namespace":"Heliograph","Dimensions":[["Stage","Function"]],"Metrics":[{"Name":"ColdStarts"}]}]},` +
			`"Stage":"test","Function":"send","PostsFailed":2,"ColdStarts":1,"DeliveryLatency":[12.5,1000000],"requestId":"r-1"}`: {
			newSeries(catalogue.PostsFailed, 2), newSeries(catalogue.ColdStarts, 1), newSeries(catalogue.DeliveryLatency, 12.5, 1e6),
		},
	} {
		got := linesOf(testPage, all)
		if len(got) != 1 {
			t.Fatalf("%d lines, not one", len(got))
		}
		if diff := cmp.Diff(want+"\n", string(got[0])); diff != "" {
			t.Error(diff)
		}
		decodeLines(t, got[0])
	}
}

// TestNothingIsNoLine proves that an invocation without metrics writes nothing.
func TestNothingIsNoLine(t *testing.T) {
	t.Parallel()
	if got := linesOf(testPage, nil); len(got) != 0 {
		t.Errorf("nothing became %q", got)
	}
}

// TestLinesHoldEverything proves for any number of metrics, values and properties that each line is
// valid and within the limits, and that no value is lost or told twice.
func TestLinesHoldEverything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.Custom(drawSeries).Draw(rt, "series")
		p := testPage
		p.properties = rapid.SliceOfNDistinct(rapid.Custom(drawProperty), 0, 6, func(p property) string { return p.key }).Draw(rt, "properties")
		want := map[string][]float64{}
		for _, s := range all {
			want[s.name] = slices.Clone(s.values)
		}
		if diff := cmp.Diff(want, readBack(t, linesOf(p, all))); diff != "" {
			rt.Errorf("what was added (-) and what was written (+) differ:\n%s", diff)
		}
	})
}

func drawSeries(rt *rapid.T) []series {
	var all []series
	n := rapid.IntRange(1, 250).Draw(rt, "metrics")
	long := rapid.IntRange(0, n-1).Draw(rt, "the long one")
	for i := range n {
		made := series{name: fmt.Sprintf("Made%d", i), unit: rapid.SampledFrom([]catalogue.Unit{catalogue.None, catalogue.Count}).Draw(rt, "unit"), perFunction: rapid.Bool().Draw(rt, "per function")}
		values := 1
		if i == long {
			values = rapid.IntRange(1, 350).Draw(rt, "values")
		}
		number := rapid.Float64Range(-maxValue, maxValue)
		made.values = rapid.SliceOfN(number, values, values).Draw(rt, "numbers")
		all = append(all, made)
	}
	return all
}

func drawProperty(rt *rapid.T) property {
	return newProperty(rapid.String().Draw(rt, "key"), rapid.String().Draw(rt, "value"))
}

// FuzzEMF proves that no name, value, property or stage makes a line that CloudWatch refuses or reads otherwise.
func FuzzEMF(f *testing.F) {
	f.Add("Posts", 1.5, uint8(3), "connectionId", "L0SM9cOFvHcCIhw=", "dev", true)
	f.Add("A", -1e300, uint8(250), "\x00\xff", strings.Repeat("é\"", 2000), "\u2028", false)
	f.Add("B", math.MaxFloat64, uint8(101), "_aws", "Stage", "a\\", true)
	f.Fuzz(func(t *testing.T, name string, value float64, n uint8, key, text, stage string, everySecond bool) {
		if !representable(value) || !regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`).MatchString(name) || name == "Stage" || name == "Function" {
			t.Skip("what Add and the catalogue's lint let through does not look like this")
		}
		p := page{at: time.UnixMilli(1767323045678), stage: strings.ToValidUTF8(stage, ""), function: "send", properties: []property{newProperty(key, text)}}
		if p.properties[0].key == name || p.stage == "" || len(p.stage) > maxName {
			t.Skip("a property's key is no metric of the catalogue, and a stage is a stack's name")
		}
		values := slices.Repeat([]float64{value}, int(n)+1)
		all := []series{{name: name, unit: catalogue.Percent, everySecond: everySecond, values: values}}
		if diff := cmp.Diff(map[string][]float64{name: values}, readBack(t, linesOf(p, all))); diff != "" {
			t.Errorf("what was added (-) and what was written (+) differ:\n%s", diff)
		}
	})
}

// linesOf are the lines that a page is written as.
func linesOf(p page, all []series) [][]byte {
	var out bytes.Buffer
	p.write(&out, all)
	return slices.Collect(bytes.Lines(out.Bytes()))
}

// readBack reads the metric values of lines, each of which must be valid.
func readBack(t *testing.T, lines [][]byte) map[string][]float64 {
	t.Helper()
	got := map[string][]float64{}
	for _, raw := range lines {
		decodeLines(t, raw)
		for _, m := range declaredMetrics(t, raw) {
			got[m.name] = append(got[m.name], m.values...)
		}
	}
	return got
}

// TestLinesStaySmall proves that the largest thing that the limits of metrics and values allow is cut
// into events that CloudWatch takes.
func TestLinesStaySmall(t *testing.T) {
	t.Parallel()
	values := slices.Repeat([]float64{-1.2345678901234567e-101}, 101)
	var all []series
	for i := range 120 {
		name := fmt.Sprintf("Made%0*d", maxName-4, i)
		all = append(all, series{name: name, unit: catalogue.Milliseconds, values: values})
	}
	p := testPage
	for i := range maxProperties {
		p.properties = append(p.properties, newProperty(fmt.Sprintf("%0300d", i), strings.Repeat("\x01", 5000)))
	}
	total := 0
	for _, v := range readBack(t, linesOf(p, all)) {
		total += len(v)
	}
	if total != 120*101 {
		t.Errorf("%d values were written of %d", total, 120*101)
	}
}

// TestStrings proves that ids come out as they went in, whatever is in them.
func TestStrings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~\x00-\x1f]{0,20}`)).Draw(t, "string")
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil || got != s {
			t.Errorf("%q became %q (%v)", s, got, err)
		}
	})
}

// TestNumbers proves that numbers keep their value and are numbers of JSON.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{0, 1, -1, 0.1, 1e15, 1e21, 123456789012345680, 5e-324, maxValue, -maxValue} {
		raw := appendNumber(nil, v)
		var got float64
		if err := json.Unmarshal(raw, &got); err != nil || got != v {
			t.Errorf("%v became %s (%v)", v, raw, err)
		}
	}
}

// TestRepresentable proves which numbers are refused.
func TestRepresentable(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]bool{
		0: true, -1: true, maxValue: true,
		math.Inf(1): false, math.Inf(-1): false, maxValue * 2: false, -maxValue * 2: false,
	} {
		if representable(v) != want {
			t.Errorf("representable(%v) is not %v", v, want)
		}
	}
	if representable(math.NaN()) {
		t.Error("NaN is representable")
	}
}

// TestPropertyKeys proves that no property takes the place of a metric, a dimension or a key that log
// and metric lines use.
func TestPropertyKeys(t *testing.T) {
	t.Parallel()
	taken := []string{"", "_aws", "Stage", "Function", "level", "message", "timestamp", "requestId", "traceId"}
	for _, m := range catalogue.All() {
		taken = append(taken, m.Name())
	}
	for _, key := range taken {
		if got := newProperty(key, "x").key; got != "property_"+key {
			t.Errorf("the key %q became %q", key, got)
		}
	}
	if got := newProperty("connectionId", "x").key; got != "connectionId" {
		t.Errorf("a free key became %q", got)
	}
}

// TestPropertyValues proves that values are cut, stay UTF-8, and never hold a user id or a secret.
func TestPropertyValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, key, value, want string }{
		{"plain", "connectionId", "L0SM9cOFvHcCIhw=", "L0SM9cOFvHcCIhw="},
		{"long", "agent", strings.Repeat("a", 5000), strings.Repeat("a", maxPropertyBytes)},
		{"cut within a character", "agent", "a" + strings.Repeat("é", 5000), "a" + strings.Repeat("é", maxPropertyBytes/2-1)},
		{"not UTF-8", "agent", "a\xffb", "a\uFFFDb"},
		{"user id", "userId", "1234", HashUser("1234")},
		{"hashed user id", "user", HashUser("1234"), HashUser("1234")},
		{"token", "token", "eyJhbGciOi", hidden},
		{"body", "Body", "dear diary", hidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := newProperty(c.key, c.value).value; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestMetricLinesHaveNoLevel proves that a metric line holds none of the keys of a log line: Lambda's
// JSON log format would take it for one, and filter it by its level.
func TestMetricLinesHaveNoLevel(t *testing.T) {
	t.Parallel()
	raw := bytes.Join(linesOf(testPage, []series{newSeries(catalogue.PostsFailed, 1)}), nil)
	_, metrics := decodeLines(t, raw)
	for _, key := range []string{"level", "message", "msg", "timestamp", "time"} {
		if _, ok := metrics[0][key]; ok {
			t.Errorf("the line has a %s: %s", key, raw)
		}
	}
}

// TestSchemaFindsFaults proves that the schema that all lines of these tests are held against refuses
// what CloudWatch would refuse.
func TestSchemaFindsFaults(t *testing.T) {
	t.Parallel()
	schema, err := emfSchema()
	if err != nil {
		t.Fatal(err)
	}
	good := string(linesOf(testPage, []series{newSeries(catalogue.DeliveryLatency, 1)})[0])
	for old, spoiled := range map[string]string{
		`"Timestamp":1767323045678`: `"Timestamp":"now"`,
		`"Unit":"Milliseconds"`:     `"Unit":"Posts"`,
		`[["Stage"]]`:               `["Stage"]`,
		`"Name":"DeliveryLatency",`: ``,
		`"_aws"`:                    `"aws"`,
	} {
		raw := strings.Replace(good, old, spoiled, 1)
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(instance) == nil {
			t.Errorf("the schema accepts %s", raw)
		}
	}
}
