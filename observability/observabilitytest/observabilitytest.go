// Package observabilitytest runs a piece of code as an invocation and gives what it logged and measured, so that a test of
// a handler or of the domain can assert its telemetry without knowing how it is written.
package observabilitytest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// Output is what one invocation wrote.
type Output struct {
	// Logs are the log lines, one map each, with the keys that observability.Log names.
	Logs []map[string]any
	// Values are the values that were added to each metric: one sum of a counter, the last value of a gauge, each value of
	// an observation. A metric that was not written is not there.
	Values map[catalogue.Metric][]float64
	// Err is what the code returned.
	Err error
	// Text is the whole output, to be searched for what must not be in it.
	Text string
}

// Value is the sum of a metric's values, and 0 of one that was not written.
func (o Output) Value(m catalogue.Metric) (sum float64) {
	for _, v := range o.Values[m] {
		sum += v
	}
	return sum
}

// Run calls do as one invocation of the function with this short name, at log level DEBUG and without a trace.
func Run(t testing.TB, function string, do func(context.Context) error) Output {
	t.Helper()
	var printed bytes.Buffer
	f := observability.New(function, observability.Settings{Stage: "test", LogLevel: slog.LevelDebug}, &printed)
	o := Output{Values: map[catalogue.Metric][]float64{}}
	_, o.Err = observability.Wrap(f, func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, do(ctx) })(t.Context(), struct{}{})
	o.Text = printed.String()
	for line := range strings.Lines(o.Text) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("a line is not JSON: %v: %s", err, line)
		}
		if members["_aws"] == nil {
			o.Logs = append(o.Logs, members)
			continue
		}
		for _, m := range catalogue.All() {
			o.Values[m] = append(o.Values[m], numbers(members[m.Name()])...)
			if len(o.Values[m]) == 0 {
				delete(o.Values, m)
			}
		}
	}
	return o
}

// numbers reads a number or a list of them.
func numbers(member any) (all []float64) {
	switch v := member.(type) {
	case float64:
		return []float64{v}
	case []any:
		for _, one := range v {
			all = append(all, numbers(one)...)
		}
	}
	return all
}
