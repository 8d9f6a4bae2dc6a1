package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
)

// alarmRow is an alarm in a list.
type alarmRow struct {
	Name     string      `json:"name"`
	State    alarm.State `json:"state"`
	Severity string      `json:"severity,omitempty"`
	Since    time.Time   `json:"since,omitzero"`
	Reason   string      `json:"reason,omitempty"`
}

func rowOfAlarm(a alarm.Alarm) alarmRow {
	return alarmRow{a.Name, a.State, a.Severity, a.Since, a.Reason}
}

func (c *console) states() []alarmRow {
	rows := []alarmRow{}
	for _, a := range c.Alarms.Alarms() {
		rows = append(rows, rowOfAlarm(a))
	}
	return rows
}

// statesOf are the alarms of some ARNs, in their order. One that is not known has no state.
func (c *console) statesOf(arns []string) []alarmRow {
	rows := []alarmRow{}
	for _, arn := range arns {
		_, name, _ := strings.Cut(arn, ":alarm:")
		if a, ok := c.Alarms.Alarm(name); ok {
			rows = append(rows, rowOfAlarm(a))
		} else {
			rows = append(rows, alarmRow{Name: name})
		}
	}
	return rows
}

func (c *console) alarms(*http.Request) (any, error) { return c.states(), nil }

// alarmView is all about an alarm.
type alarmView struct {
	alarmRow
	Description  string     `json:"description"`
	Condition    string     `json:"condition"`
	SuppressedBy string     `json:"suppressedBy,omitempty"`
	Points       []decided  `json:"points"`
	Chart        *series    `json:"chart,omitempty"`
	Inputs       []series   `json:"inputs,omitempty"`
	Children     []alarmRow `json:"children,omitempty"`
	History      []change   `json:"history"`
	Runbook      string     `json:"runbook,omitempty"`
	Prove        string     `json:"prove,omitempty"` // the preset that sets it off
}

// decided is a period of the last evaluation.
type decided struct {
	At    time.Time `json:"at"`
	Value *float64  `json:"value"`
	// State is breaching, ok or missing.
	State   string `json:"state"`
	Counted bool   `json:"counted"`
}

// series is a graph of some lines.
type series struct {
	Title  string      `json:"title"`
	From   time.Time   `json:"from"`
	To     time.Time   `json:"to"`
	Times  []int64     `json:"times"`
	Lines  []line      `json:"lines"`
	Limits []threshold `json:"limits,omitempty"`
}

type threshold struct {
	Label string  `json:"label"`
	Value float64 `json:"value"`
}

// change is a change of state.
type change struct {
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Reason string    `json:"reason"`
}

func (c *console) alarm(r *http.Request) (any, error) {
	name := r.PathValue("name")
	a, ok := c.Alarms.Alarm(name)
	if !ok {
		return nil, notFound("there is no alarm " + name)
	}
	v := alarmView{
		alarmRow: rowOfAlarm(a), Description: a.Description, Condition: a.Condition, SuppressedBy: a.SuppressedBy,
		Points: []decided{}, History: changes(c.Alarms.History(name)), Prove: c.proofOf(name),
	}
	for _, p := range a.Datapoints {
		v.Points = append(v.Points, decidedOf(p))
	}
	for _, child := range a.Children {
		if a, ok := c.Alarms.Alarm(child); ok {
			v.Children = append(v.Children, rowOfAlarm(a))
		}
	}
	if c.App.Runbook != nil {
		v.Runbook, _ = c.App.Runbook(a.Runbook)
	}
	return v, c.drawAlarm(&v, a)
}

func (c *console) proofOf(name string) string {
	for _, p := range c.App.Presets {
		if slices.ContainsFunc(p.Proves, func(suffix string) bool { return strings.HasSuffix(name, suffix) }) {
			return p.Name
		}
	}
	return ""
}

func decidedOf(p alarm.Datapoint) decided {
	d := decided{At: p.Time, State: "ok", Counted: p.Counted}
	switch {
	case p.Missing():
		d.State = "missing"
	case p.Breaching:
		d.State = "breaching"
	}
	if !p.Missing() {
		d.Value = &p.Value
	}
	return d
}

// periodsShown is how many periods the graphs of an alarm have at least.
const periodsShown = 30

// drawAlarm draws the value that is compared, and apart from it each series that it is made of.
func (c *console) drawAlarm(v *alarmView, a alarm.Alarm) error {
	if a.Metric == nil {
		return nil
	}
	inputs, err := c.Alarms.Inputs(a.Name, max(periodsShown, 3*a.Metric.EvaluationPeriods))
	if err != nil {
		return err
	}
	for _, one := range inputs {
		one.Label = cmp.Or(one.Label, one.ID)
		g := seriesOf(one)
		if one.Hidden {
			v.Inputs = append(v.Inputs, g)
			continue
		}
		if v.Chart == nil {
			g.Limits = []threshold{{a.Condition, a.Metric.Threshold}}
			v.Chart = &g
			continue
		}
		v.Chart.Times, v.Chart.Lines = linesOf(inputs)
	}
	if a.Metric.Band != "" && v.Chart != nil {
		v.Chart.Limits = nil // the band is in the lines
	}
	return nil
}

func seriesOf(d cloudwatch.Data) series {
	g := series{Title: d.Label, From: d.Start, To: d.TimeOf(len(d.Values))}
	g.Times, g.Lines = linesOf([]cloudwatch.Data{d})
	return g
}

// changes are the changes of state in a history, newest first.
func changes(history []alarm.HistoryItem) []change {
	list := []change{}
	for _, item := range history {
		var data struct {
			OldState struct{ StateValue string }
			NewState struct{ StateValue, StateReason string }
		}
		if item.Kind != "StateUpdate" || json.Unmarshal([]byte(item.Data), &data) != nil {
			continue
		}
		list = append(list, change{
			item.Time, data.OldState.StateValue, data.NewState.StateValue, cmp.Or(data.NewState.StateReason, item.Summary),
		})
	}
	return list
}
