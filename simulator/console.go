package simulator

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

func (c *cloud) metrics() []MetricSummary {
	list := []MetricSummary{}
	for _, s := range c.watch.Series() {
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
	Endpoints   map[string]string
	Started     time.Time
	Problems    []string
	Faults      []fault.Status
	Connections []gateway.Connection
	Queues      []queueView
	OurMetrics  []MetricSummary
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

// What the page shows of what could be endless.
const (
	tracesShown = 25
	linesShown  = 20
)

func (c *cloud) view() consoleView {
	v := consoleView{
		Endpoints: map[string]string{"AWS APIs": c.address()}, Started: c.started, Problems: c.console.recentProblems(),
		Faults: c.faults.List(), Connections: c.apis.Connections(), Traces: c.traces.Traces(tracesShown),
	}
	for _, m := range c.metrics() {
		if !strings.HasPrefix(m.Namespace, "AWS/") {
			v.OurMetrics = append(v.OurMetrics, m)
		} else {
			v.AWSMetrics = append(v.AWSMetrics, m)
		}
	}
	for _, q := range c.queues.Queues() {
		v.Queues = append(v.Queues, queueView{q.Name(), q.Stats()})
	}
	for _, g := range c.watch.Groups() {
		v.Logs = append(v.Logs, logView{g.Name, c.watch.Events(g.Name, 0, linesShown)})
	}
	return v
}

func (c *cloud) handleConsole(mux *http.ServeMux) {
	mux.HandleFunc("GET "+MetricsPath, func(w http.ResponseWriter, _ *http.Request) {
		c.writeJSON(w, http.StatusOK, c.metrics())
	})
	mux.HandleFunc("GET "+ConsolePath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		if err := consoleTemplate.Execute(w, c.view()); err != nil {
			c.console.problem("the console was not drawn: " + err.Error())
		}
	})
	mux.Handle("GET /{$}", http.RedirectHandler(ConsolePath, http.StatusFound))
}
