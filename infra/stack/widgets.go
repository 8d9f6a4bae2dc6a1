package stack

import "encoding/json"

// The body of a CloudWatch dashboard, as far as this package uses it. Source: AWS's page "Dashboard body structure and
// syntax".

// columns is the width of a dashboard.
const columns = 24

type dashboardBody struct {
	Widgets []widget `json:"widgets"`
}

// widget is a rectangle on the grid. Properties is one of the types below, matching Type.
type widget struct {
	Type       string `json:"type"` // alarm, log, metric or text
	X          int    `json:"x"`
	Y          int    `json:"y"`
	Width      int    `json:"width"`
	Height     int    `json:"height"`
	Properties any    `json:"properties"`
}

type textProperties struct {
	Markdown string `json:"markdown"`
}

type alarmProperties struct {
	Title  string   `json:"title"`
	Alarms []string `json:"alarms"` // ARNs
}

type metricProperties struct {
	Title   string `json:"title"`
	Region  string `json:"region"`
	View    string `json:"view"` // timeSeries
	Stacked bool   `json:"stacked"`
	Stat    string `json:"stat"`   // of lines without one of their own
	Period  int    `json:"period"` // seconds
	Metrics []line `json:"metrics"`
	YAxis   yAxis  `json:"yAxis"`

	Annotations annotations `json:"annotations,omitzero"`
}

type logProperties struct {
	Title  string `json:"title"`
	Region string `json:"region"`
	Query  string `json:"query"` // SOURCE 'group' | … | Logs Insights
	View   string `json:"view"`  // table
}

// annotations are lines drawn across a graph.
type annotations struct {
	Horizontal []annotation `json:"horizontal,omitempty"` // thresholds
	Vertical   []annotation `json:"vertical,omitempty"`   // moments
}

type annotation struct {
	Label string `json:"label"`
	Value any    `json:"value"` // a number, or a time as text
}

type yAxis struct {
	Left axis `json:"left"`
}

// axis is a scale. Without a bound it follows what is drawn.
type axis struct {
	Min       *int   `json:"min,omitempty"`
	Max       *int   `json:"max,omitempty"`
	Label     string `json:"label,omitempty"`
	ShowUnits bool   `json:"showUnits"`
}

// line is one series in a graph, or an expression over others.
type line struct {
	series
	Label string `json:"label,omitempty"`
	Stat  string `json:"stat,omitempty"`
	// ID is a series' name in expressions. Hidden series are only inputs of an expression.
	ID     string `json:"id,omitempty"`
	Hidden bool   `json:"-"`
	// Expression is metric math that replaces a series.
	Expression string `json:"expression,omitempty"`
	Period     int    `json:"period,omitempty"` // seconds; 0: the graph's
}

// MarshalJSON writes a line in CloudWatch's form: [namespace, name, dimension, value, …, {options}], or [{options}]
// with an expression.
func (l line) MarshalJSON() ([]byte, error) {
	row := []any{}
	if l.Expression == "" {
		row = append(row, l.namespace, l.name)
		for _, name := range l.dimensionNames() {
			row = append(row, name, l.dimensions[name])
		}
	}
	type options struct {
		Expression string `json:"expression,omitempty"`
		Label      string `json:"label,omitempty"`
		Stat       string `json:"stat,omitempty"`
		ID         string `json:"id,omitempty"`
		Period     int    `json:"period,omitempty"`
		Visible    *bool  `json:"visible,omitempty"`
	}
	o := options{Expression: l.Expression, Label: l.Label, Stat: l.Stat, ID: l.ID, Period: l.Period}
	if l.Hidden {
		o.Visible = new(bool)
	}
	if o != (options{}) {
		row = append(row, o)
	}
	return json.Marshal(row)
}
