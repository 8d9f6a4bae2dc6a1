package cloud

import (
	"net/http"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/console"
)

// The simulator's own paths under the AWS endpoint.
const (
	// ConsolePath is a page that shows the stack.
	ConsolePath = console.Path
	// MetricsPath lists the metrics as JSON, []MetricSummary.
	MetricsPath = "/_heliograph/metrics"
)

// MetricSummary is one metric with its values since the start of the stack.
type MetricSummary struct {
	Namespace, Name string
	// Dimensions are "Name=value" pairs, sorted by name and joined by spaces.
	Dimensions                 string
	Unit                       string
	Last, Sum, Count, Min, Max float64
	LastTime                   time.Time
}

// summaries lists every series of a store.
func summaries(store *cloudwatch.Store) []MetricSummary {
	list := []MetricSummary{}
	for _, s := range store.Series() {
		list = append(list, MetricSummary{
			Namespace: s.Namespace, Name: s.Name, Dimensions: dimensionText(s.Dimensions), Unit: s.Unit,
			Last: s.Last, Sum: s.Sum, Count: s.Count, Min: s.Min, Max: s.Max, LastTime: s.LastTime,
		})
	}
	return list
}

func dimensionText(dimensions []cloudwatch.Dimension) string {
	words := make([]string, len(dimensions))
	for i, d := range dimensions {
		words[i] = d.Name + "=" + d.Value
	}
	return strings.Join(words, " ")
}

// handleConsole serves the console and the list of metrics.
func (c *Cloud) handleConsole(mux *http.ServeMux) {
	mux.HandleFunc("GET "+MetricsPath, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, c.Journal, http.StatusOK, summaries(c.Metrics))
	})
	o := console.Options{
		Ending: c.ending, Started: c.started, Watch: c.Metrics, Alarms: c.Alarms, Traces: c.Traces, APIs: c.APIs,
		Queues: c.Queues, Faults: c.Faults, Dashboards: c.Dashboards.Bodies, Problems: c.Journal.Problems,
	}
	if c.options.Console != nil {
		o.App = c.options.Console(c)
	}
	console.Register(mux, o)
}
