package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"heliograph/simulator/cloudwatch"
)

// row is one entry of a widget's metrics: a metric, or an expression over others.
type row struct {
	metric *cloudwatch.MetricStat // nil for an expression
	options
}

// options are the last member of an entry, and all that an expression has.
type options struct {
	Expression string `json:"expression"`
	ID         string `json:"id"`
	Label      string `json:"label"`
	Stat       string `json:"stat"`
	Period     int    `json:"period"`
	Color      string `json:"color"`
	YAxis      string `json:"yAxis"`
	Visible    *bool  `json:"visible"`
}

func (o options) hidden() bool { return o.Visible != nil && !*o.Visible }

// readRows reads a widget's metrics. In [namespace, name, dimension, value, …, {options}] a "." stands for the member above
// it, and "..." for all members above that are not given.
func readRows(w widget) ([]row, error) {
	var rows []row
	var above []string
	for i, raw := range w.Properties.Metrics {
		var members []json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return nil, fmt.Errorf("the metric %d is no list: %w", i, err)
		}
		var r row
		if n := len(members); n > 0 && members[n-1][0] == '{' {
			if err := json.Unmarshal(members[n-1], &r.options); err != nil {
				return nil, fmt.Errorf("the options of the metric %d: %w", i, err)
			}
			members = members[:n-1]
		}
		r.Stat = cmp.Or(r.Stat, w.Properties.Stat, "Average")
		r.Period = cmp.Or(r.Period, w.Properties.Period, 300)
		if r.Expression == "" {
			texts, err := expand(members, above)
			if err != nil {
				return nil, fmt.Errorf("the metric %d: %w", i, err)
			}
			above = texts
			r.metric = metricOf(texts, r.Stat)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// expand replaces "." and "...".
func expand(members []json.RawMessage, above []string) ([]string, error) {
	var texts []string
	for i, raw := range members {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("its member %d is no text", i)
		}
		switch {
		case text == "...":
			given := len(members) - i - 1
			texts = append(texts, above[len(texts):max(len(texts), len(above)-given)]...)
		case text == "." && len(texts) < len(above):
			texts = append(texts, above[len(texts)])
		default:
			texts = append(texts, text)
		}
	}
	if len(texts) < 2 || len(texts)%2 != 0 {
		return nil, errors.New("it is not a namespace, a name, and pairs of a dimension and its value")
	}
	return texts, nil
}

func metricOf(texts []string, stat string) *cloudwatch.MetricStat {
	m := &cloudwatch.MetricStat{Namespace: texts[0], Name: texts[1], Stat: stat}
	for i := 2; i < len(texts); i += 2 {
		m.Dimensions = append(m.Dimensions, cloudwatch.Dimension{Name: texts[i], Value: texts[i+1]})
	}
	return m
}

// label is the entry's own, or the part of its name that tells it apart.
func (r row) label() string {
	if r.Label != "" || r.metric == nil {
		return cmp.Or(r.Label, r.Expression)
	}
	if n := len(r.metric.Dimensions); n > 0 {
		return r.metric.Dimensions[n-1].Value + " " + r.metric.Name
	}
	return r.metric.Name
}

// drawMetrics gives a graph its lines.
func (c *console) drawMetrics(d *drawn, w widget, from, to time.Time) {
	rows, err := readRows(w)
	if err != nil {
		d.Error = err.Error()
		return
	}
	data, err := c.Watch.Data(queriesOf(rows), from, to)
	if err != nil {
		d.Error = err.Error()
		return
	}
	byID := map[string]row{}
	for i, r := range rows {
		byID[r.id(i)] = r
	}
	var shown []cloudwatch.Data
	for _, series := range data {
		if !series.Hidden {
			shown = append(shown, series)
		}
	}
	d.Times, d.Lines = linesOf(shown)
	for i, series := range shown {
		d.Lines[i].Color, d.Lines[i].Axis = byID[series.ID].Color, byID[series.ID].YAxis
	}
}

// id is the entry's own, or one that no entry has by itself.
func (r row) id(i int) string { return cmp.Or(r.ID, fmt.Sprintf("row_%d", i)) }

func queriesOf(rows []row) []cloudwatch.DataQuery {
	queries := make([]cloudwatch.DataQuery, len(rows))
	for i, r := range rows {
		queries[i] = cloudwatch.DataQuery{
			ID: r.id(i), Expression: r.Expression, Metric: r.metric, Label: r.label(),
			Period: time.Duration(r.Period) * time.Second, Hidden: r.hidden(),
		}
	}
	return queries
}

// linesOf puts series, each on periods of its own, on the same times.
func linesOf(data []cloudwatch.Data) (times []int64, lines []line) {
	found := map[int64]bool{}
	for _, series := range data {
		for i, v := range series.Values {
			if !math.IsNaN(v) {
				found[series.TimeOf(i).Unix()] = true
			}
		}
	}
	times = slices.Sorted(maps.Keys(found))
	for _, series := range data {
		l := line{Label: series.Label, Values: make([]*float64, len(times))}
		for i, v := range series.Values {
			if j, ok := slices.BinarySearch(times, series.TimeOf(i).Unix()); ok && !math.IsNaN(v) {
				l.Values[j] = &v
			}
		}
		lines = append(lines, l)
	}
	return times, lines
}
