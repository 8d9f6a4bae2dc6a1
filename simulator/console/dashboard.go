package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// body is the body of a dashboard, as far as it is drawn.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
type body struct {
	Widgets []widget `json:"widgets"`
}

type widget struct {
	Type       string `json:"type"`
	X          int    `json:"x"`
	Y          int    `json:"y"`
	Width      int    `json:"width"`
	Height     int    `json:"height"`
	Properties struct {
		Title       string            `json:"title"`
		Markdown    string            `json:"markdown"`
		View        string            `json:"view"`
		Stacked     bool              `json:"stacked"`
		Stat        string            `json:"stat"`
		Period      int               `json:"period"`
		Metrics     []json.RawMessage `json:"metrics"`
		Alarms      []string          `json:"alarms"`
		Query       string            `json:"query"`
		YAxis       json.RawMessage   `json:"yAxis"`
		Annotations json.RawMessage   `json:"annotations"`
	} `json:"properties"`
}

// drawn is a widget with what the page needs to draw it.
type drawn struct {
	Type   string `json:"type"`
	X      int    `json:"x"`
	Y      int    `json:"y"`
	Width  int    `json:"width"`
	Height int    `json:"height"`

	Title       string          `json:"title,omitempty"`
	Markdown    string          `json:"markdown,omitempty"`
	View        string          `json:"view,omitempty"`
	Stacked     bool            `json:"stacked,omitempty"`
	YAxis       json.RawMessage `json:"yAxis,omitempty"`
	Annotations json.RawMessage `json:"annotations,omitempty"`
	// Times are Unix seconds; each line has as many values, null where there is none.
	Times []int64 `json:"times,omitempty"`
	Lines []line  `json:"lines,omitempty"`
	// Alarms are those of an alarm widget, and of a graph that is about an alarm.
	Alarms []alarmRow `json:"alarms,omitempty"`
	Query  string     `json:"query,omitempty"`
	Log    *logTable  `json:"log,omitempty"`
	// Error says why the widget, or a line of it, can't be drawn.
	Error string `json:"error,omitempty"`
}

// line is a series in a graph.
type line struct {
	Label  string     `json:"label"`
	Color  string     `json:"color,omitempty"`
	Axis   string     `json:"axis,omitempty"`
	Values []*float64 `json:"values"`
}

type dashboardView struct {
	Name    string    `json:"name"`
	Names   []string  `json:"names"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Widgets []drawn   `json:"widgets"`
}

// longest is the longest time that a dashboard is drawn for.
const longest = 3 * time.Hour

// dashboard draws a dashboard over the last minutes.
func (c *console) dashboard(r *http.Request) (any, error) {
	minutes, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("minutes"), "15"))
	if err != nil || minutes < 1 || minutes > int(longest/time.Minute) {
		return nil, refused(fmt.Sprintf("minutes is a whole number of 1 to %.0f", longest.Minutes()))
	}
	bodies := c.Dashboards()
	view := dashboardView{Names: slices.Sorted(maps.Keys(bodies)), To: time.Now(), Widgets: []drawn{}}
	view.From = view.To.Add(-time.Duration(minutes) * time.Minute)
	if len(view.Names) == 0 {
		return view, nil
	}
	view.Name = cmp.Or(r.URL.Query().Get("name"), view.Names[0])
	text, ok := bodies[view.Name]
	if !ok {
		return nil, notFound("there is no dashboard " + view.Name)
	}
	var b body
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return nil, fmt.Errorf("the body of the dashboard %s: %w", view.Name, err)
	}
	for _, w := range b.Widgets {
		view.Widgets = append(view.Widgets, c.draw(w, view.From, view.To))
	}
	return view, nil
}

func (c *console) draw(w widget, from, to time.Time) drawn {
	p := w.Properties
	d := drawn{
		Type: w.Type, X: w.X, Y: w.Y, Width: w.Width, Height: w.Height, Title: p.Title, Markdown: p.Markdown,
		View: p.View, Stacked: p.Stacked, YAxis: p.YAxis, Annotations: p.Annotations,
	}
	switch w.Type {
	case "metric":
		c.drawMetrics(&d, w, from, to)
	case "alarm":
		d.Alarms = c.statesOf(p.Alarms)
	case "log":
		d.Query = p.Query
		table, err := c.query(p.Query, from, to)
		d.Log = table
		if err != nil {
			d.Error = err.Error()
		}
	}
	return d
}
