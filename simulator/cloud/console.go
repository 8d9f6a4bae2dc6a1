package cloud

import (
	_ "embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/sqs"
	"heliograph/simulator/xray"
)

// Console adapts the console page to a program.
type Console struct {
	Name    string // of the program, as the page's heading
	Connect string // a command that opens a connection, shown while there are none
}

// Paths under the AWS endpoint that are the simulator's own.
const (
	// ConsolePath is a page that shows the stack.
	ConsolePath = "/console"
	// MetricsPath lists the metrics as JSON, []MetricSummary.
	MetricsPath = "/_heliograph/metrics"
)

// MetricSummary is one metric with its values since the stack was started.
type MetricSummary struct {
	Namespace, Name string
	// Dimensions are "Name=value", joined by a space, in the order of their names.
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

//go:embed console.html
var consolePage string

var consoleTemplate = template.Must(template.New("console").Funcs(template.FuncMap{
	"number": func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) },
	"clock":  func(t time.Time) string { return t.Format("15:04:05.000") },
	"ms":     func(d time.Duration) string { return d.Round(100 * time.Microsecond).String() },
}).Parse(consolePage))

// consoleView is what the page shows.
type consoleView struct {
	Console
	Started     time.Time
	Problems    []string
	Faults      []fault.Status
	Connections []gateway.Connection
	Queues      []queueView
	OwnMetrics  []MetricSummary
	AWSMetrics  []MetricSummary
	Traces      []xray.Summary
	Logs        []logView
}

type queueView struct {
	Name string
	sqs.Stats
}

type logView struct {
	Group  string
	Events []cloudwatch.Event
}

// How many of each the page shows.
const (
	tracesShown = 25
	linesShown  = 20
)

// console serves the page that shows a cloud, and the list of its metrics.
type console struct{ *Cloud }

func (c console) view() consoleView {
	v := consoleView{
		Console: c.options.Console, Started: c.started, Problems: c.Journal.Problems(),
		Faults: c.Faults.List(), Connections: c.APIs.Connections(), Traces: c.Traces.Traces(tracesShown),
	}
	for _, m := range summaries(c.Metrics) {
		if !strings.HasPrefix(m.Namespace, "AWS/") {
			v.OwnMetrics = append(v.OwnMetrics, m)
		} else {
			v.AWSMetrics = append(v.AWSMetrics, m)
		}
	}
	for _, q := range c.Queues.Queues() {
		v.Queues = append(v.Queues, queueView{q.Name(), q.Stats()})
	}
	for _, g := range c.Metrics.Groups() {
		v.Logs = append(v.Logs, logView{g.Name, c.Metrics.Events(g.Name, 0, linesShown)})
	}
	return v
}

func (c console) handle(mux *http.ServeMux) {
	mux.HandleFunc("GET "+MetricsPath, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, c.Journal, http.StatusOK, summaries(c.Metrics))
	})
	mux.HandleFunc("GET "+ConsolePath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		if err := consoleTemplate.Execute(w, c.view()); err != nil {
			c.Journal.Problem("the console was not drawn: " + err.Error())
		}
	})
	mux.Handle("GET /{$}", http.RedirectHandler(ConsolePath, http.StatusFound))
}
