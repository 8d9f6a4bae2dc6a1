package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"heliograph/simulator/xray"
)

// traceRow is a trace in the list.
type traceRow struct {
	ID          xray.TraceID   `json:"id"`
	Name        string         `json:"name"`
	Start       time.Time      `json:"start"`
	Ms          float64        `json:"ms"`
	Status      string         `json:"status"`
	Segments    int            `json:"segments"`
	Annotations map[string]any `json:"annotations"`
}

type traceList struct {
	Traces []traceRow `json:"traces"`
	// Hidden is how many background traces were left out.
	Hidden int `json:"hidden"`
	// Names are those of all traces that are kept.
	Names []string `json:"names"`
}

// tracesShown is how many traces a list has at most. Filters come first, so that no trace crowds out another kind.
const tracesShown = 100

// traceFilter is what a list of traces is narrowed to.
type traceFilter struct {
	name, status, text string
	atLeast            float64 // ms
	background         bool
}

func (f traceFilter) fits(row traceRow) bool {
	return (f.name == "" || row.Name == f.name) && (f.status == "" || row.Status == f.status) && row.Ms >= f.atLeast &&
		(f.text == "" || strings.Contains(string(row.ID)+" "+fmt.Sprint(row.Annotations), f.text))
}

func (c *console) traces(r *http.Request) (any, error) {
	q := r.URL.Query()
	least, err := strconv.ParseFloat(cmp.Or(q.Get("atLeast"), "0"), 64)
	if err != nil {
		return nil, refused("atLeast is a number of milliseconds")
	}
	f := traceFilter{q.Get("name"), q.Get("status"), q.Get("q"), least, q.Get("background") != ""}
	list := traceList{Traces: []traceRow{}, Names: []string{}}
	for _, s := range c.Traces.Traces(0) {
		if !slices.Contains(list.Names, s.Name) {
			list.Names = append(list.Names, s.Name)
		}
		row := rowOf(s)
		switch {
		case !f.fits(row):
		case !f.background && f.name != s.Name && c.background(s.Name):
			list.Hidden++
		case len(list.Traces) < tracesShown:
			list.Traces = append(list.Traces, row)
		}
	}
	slices.Sort(list.Names)
	return list, nil
}

func (c *console) background(name string) bool {
	return c.App.Background != nil && c.App.Background(name)
}

func rowOf(s xray.Summary) traceRow {
	return traceRow{s.ID, s.Name, s.Start, milliseconds(s.Duration), statusOf(s.Fault, s.Error, s.Throttle), s.Segments, s.Annotations}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func statusOf(fault, failed, throttle bool) string {
	switch {
	case fault:
		return "fault"
	case throttle:
		return "throttle"
	case failed:
		return "error"
	}
	return "ok"
}

// span is a segment as the waterfall draws it: its place in the tree by its depth, its time by milliseconds after the trace's
// start.
type span struct {
	ID          string          `json:"id"`
	Depth       int             `json:"depth"`
	Name        string          `json:"name"`
	Kind        string          `json:"kind"`
	At          float64         `json:"at"`
	Ms          float64         `json:"ms"`
	InProgress  bool            `json:"inProgress,omitempty"`
	Status      string          `json:"status"`
	Annotations map[string]any  `json:"annotations,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	HTTP        json.RawMessage `json:"http,omitempty"`
	AWS         json.RawMessage `json:"aws,omitempty"`
	Cause       json.RawMessage `json:"cause,omitempty"`
}

type traceView struct {
	traceRow
	Spans []span    `json:"spans"`
	Logs  []logLine `json:"logs"`
	// Document is the trace as X-Ray's BatchGetTraces gives it.
	Document xray.BatchedTrace `json:"document"`
}

func (c *console) trace(r *http.Request) (any, error) {
	id := r.PathValue("id")
	t, ok := c.Traces.Trace(xray.TraceID(id))
	if !ok {
		return nil, notFound("there is no trace " + id + ": it may have made room for newer ones")
	}
	view := traceView{traceRow: rowOf(t.Summary), Spans: []span{}, Document: t.Document()}
	for _, root := range t.Roots {
		view.Spans = appendSpans(view.Spans, root, 0, t.Start)
	}
	view.Logs = c.search(logFilter{text: id})
	slices.Reverse(view.Logs) // a trace reads from the top, a log from its end
	return view, nil
}

func appendSpans(to []span, s *xray.Segment, depth int, start time.Time) []span {
	one := span{
		ID: s.ID, Depth: depth, Name: s.Name, Kind: cmp.Or(s.Namespace, s.Origin), At: milliseconds(s.Start.Sub(start)),
		InProgress: s.InProgress, Status: statusOf(s.Fault, s.Error, s.Throttle), Annotations: s.Annotations,
		Metadata: s.Metadata, HTTP: s.HTTP, AWS: s.AWS, Cause: s.Cause,
	}
	if !s.End.IsZero() {
		one.Ms = milliseconds(s.End.Sub(s.Start))
	}
	to = append(to, one)
	for _, child := range s.Children {
		to = appendSpans(to, child, depth+1, start)
	}
	return to
}
