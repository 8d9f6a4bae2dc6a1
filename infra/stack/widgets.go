package stack

import "encoding/json"

// The body of a CloudWatch dashboard, as far as we use it. Source: AWS's page "Dashboard body structure and syntax".

// columns is the width of a dashboard.
const columns = 24

type dashboardBody struct {
	Widgets []widget `json:"widgets"`
}

// widget is a rectangle on the grid. Properties is one of the types below, after Type.
type widget struct {
	Type       string `json:"type"` // alarm, metric or text
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
	Stat    string `json:"stat"`   // of lines that name none
	Period  int    `json:"period"` // seconds
	Metrics []line `json:"metrics"`
	YAxis   yAxis  `json:"yAxis"`
}

type yAxis struct {
	Left axis `json:"left"`
}

type axis struct {
	Min       int    `json:"min"`
	Label     string `json:"label,omitempty"`
	ShowUnits bool   `json:"showUnits"`
}

// line is one series in a graph.
type line struct {
	series
	Label string `json:"label,omitempty"`
	Stat  string `json:"stat,omitempty"`
}

// MarshalJSON writes a line as CloudWatch wants it: [namespace, name, dimension, value, …, {options}].
func (l line) MarshalJSON() ([]byte, error) {
	row := []any{l.namespace, l.name}
	for _, name := range l.dimensionNames() {
		row = append(row, name, l.dimensions[name])
	}
	type options struct {
		Label string `json:"label,omitempty"`
		Stat  string `json:"stat,omitempty"`
	}
	if o := (options{l.Label, l.Stat}); o != (options{}) {
		row = append(row, o)
	}
	return json.Marshal(row)
}
