package observability

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"heliograph/observability/catalogue"
)

// TestMain makes this binary a Lambda function where a test starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(functionUnderTest) != "" {
		startFunctionUnderTest()
	}
	os.Exit(m.Run())
}

var testSettings = Settings{Stage: "test", LogLevel: slog.LevelInfo, TraceSampling: 1}

// line is one decoded line of a function's output.
type line map[string]any

// isMetrics tells metric lines from log lines.
func (l line) isMetrics() bool { return l["_aws"] != nil }

// decodeLines splits an output into its lines. Every line has to be one JSON object.
func decodeLines(t testing.TB, output []byte) (logs, metrics []line) {
	t.Helper()
	if len(output) > 0 && output[len(output)-1] != '\n' {
		t.Errorf("the output does not end with a newline: %q", output)
	}
	for raw := range bytes.Lines(output) {
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			t.Fatalf("%q is no line of JSON: %v", raw, err)
		}
		if !l.isMetrics() {
			logs = append(logs, l)
			continue
		}
		validate(t, raw)
		metrics = append(metrics, l)
	}
	return logs, metrics
}

// validate holds a line against AWS's published schema of the embedded metric format, and against what
// the schema does not say.
func validate(t testing.TB, raw []byte) {
	t.Helper()
	if len(raw) >= maxLine {
		t.Errorf("a line has %d bytes", len(raw))
	}
	schema, err := emfSchema()
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(instance); err != nil {
		t.Errorf("%s does not fit the schema: %v", raw, err)
	}
	for _, m := range declaredMetrics(t, raw) {
		checkTargets(t, raw, m)
	}
}

// emfSchema is AWS's published schema. It names no draft; its ids are of the kind that draft 7 allowed.
var emfSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	return c.Compile("testdata/emf-schema.json")
})

// declaredMetric is one metric of a line with the dimension set of its directive.
type declaredMetric struct {
	name, unit string
	dimensions string // names, joined by a comma
	values     []float64
}

// declaredMetrics reads a line as CloudWatch does.
func declaredMetrics(t testing.TB, raw []byte) []declaredMetric {
	t.Helper()
	var l struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	var root map[string]json.RawMessage
	if err := json.Unmarshal(raw, &l); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	var out []declaredMetric
	for _, d := range l.AWS.CloudWatchMetrics {
		if d.Namespace != catalogue.Namespace || len(d.Dimensions) != 1 || len(d.Metrics) > maxMetrics {
			t.Errorf("the directive %+v has another namespace, several dimension sets or too many metrics", d)
		}
		for _, m := range d.Metrics {
			out = append(out, declaredMetric{m.Name, cmp.Or(m.Unit, string(catalogue.None)), strings.Join(d.Dimensions[0], ","), numbers(t, root[m.Name])})
		}
	}
	return out
}

// numbers reads a metric's root member: a number or an array of them.
func numbers(t testing.TB, raw json.RawMessage) []float64 {
	t.Helper()
	var many []float64
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	var one float64
	if err := json.Unmarshal(raw, &one); err != nil {
		t.Errorf("%s is no metric value: %v", raw, err)
	}
	return []float64{one}
}

// checkTargets proves that what a directive names is there, once.
func checkTargets(t testing.TB, raw []byte, m declaredMetric) {
	t.Helper()
	if n := bytes.Count(raw, []byte(`,"`+m.name+`":`)); n != 1 {
		t.Errorf("%s stands %d times in %s", m.name, n, raw)
	}
	if len(m.values) == 0 || len(m.values) > maxValues {
		t.Errorf("%s has %d values in one line", m.name, len(m.values))
	}
	if m.dimensions != "Stage" && m.dimensions != "Stage,Function" {
		t.Errorf("%s has the dimensions %s", m.name, m.dimensions)
	}
}

// run wraps a handler without event and answer, calls it once, and returns what it wrote.
func run(t testing.TB, ctx context.Context, h func(context.Context) error) (logs, metrics []line, err error) {
	t.Helper()
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	_, err = Wrap(f, ignoring(h))(ctx, struct{}{})
	logs, metrics = decodeLines(t, out.Bytes())
	return logs, metrics, err
}

// newUntraced is New without a daemon, so that a test's traces go nowhere, and without the zeros of the function's own metrics.
func newUntraced(function string, s Settings, out *bytes.Buffer) *Function {
	f := New(function, s, out)
	f.tracer, f.zeros = nil, nil
	return f
}

// ignoring makes a handler of a plain function.
func ignoring(h func(context.Context) error) Handler[struct{}, struct{}] {
	return func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, h(ctx) }
}

// lambdaContext is a context as aws-lambda-go makes it.
func lambdaContext(ctx context.Context, requestID, traceHeader string) context.Context {
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: requestID})
	//lint:ignore SA1029 aws-lambda-go and the X-Ray SDK agree on this plain string
	return context.WithValue(ctx, "x-amzn-trace-id", traceHeader)
}
