package alarm

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
)

// itemsKept bounds an alarm's history. CloudWatch keeps 30 days.
const itemsKept = 200

func (a *entry) note(at time.Time, kind, summary, data string) {
	a.history = append(a.history, HistoryItem{Alarm: a.Name, Time: at, Kind: kind, Summary: summary, Data: data})
	if surplus := len(a.history) - itemsKept; surplus > 0 {
		a.history = slices.Delete(a.history, 0, surplus)
	}
}

// historyState is a state in the JSON of a StateUpdate.
type historyState struct {
	Value  State           `json:"stateValue"`
	Reason string          `json:"stateReason"`
	Data   json.RawMessage `json:"stateReasonData,omitempty"`
}

func historyData(from, to Alarm) string {
	state := func(a Alarm) historyState {
		s := historyState{Value: a.State, Reason: a.Reason}
		if json.Valid([]byte(a.ReasonData)) {
			s.Data = json.RawMessage(a.ReasonData)
		}
		return s
	}
	text, _ := json.Marshal(map[string]any{"version": "1.0", "oldState": state(from), "newState": state(to)}) // never fails
	return string(text)
}

// Alarms returns all alarms, by name.
func (e *Engine) Alarms() []Alarm {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]Alarm, 0, len(e.order))
	for _, a := range e.order {
		list = append(list, a.snapshot())
	}
	slices.SortFunc(list, func(a, b Alarm) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (a *entry) snapshot() Alarm {
	s := a.Alarm
	s.Datapoints = slices.Clone(s.Datapoints)
	return s
}

// Alarm returns one alarm.
func (e *Engine) Alarm(name string) (Alarm, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.alarms[nameOf(name)]
	if a == nil {
		return Alarm{}, false
	}
	return a.snapshot(), true
}

// History returns the history of an alarm, newest first; of all alarms if the name is empty.
func (e *Engine) History(name string) []HistoryItem {
	e.mu.Lock()
	defer e.mu.Unlock()
	var items []HistoryItem
	for _, a := range e.order {
		if name == "" || a.Name == name {
			items = append(items, a.history...)
		}
	}
	slices.SortStableFunc(items, func(a, b HistoryItem) int { return b.Time.Compare(a.Time) })
	return items
}

// Inputs returns the series behind a metric alarm, hidden ones included, over its last n periods, for a graph of the
// alarm. The periods slide as in the evaluation. A composite has none.
func (e *Engine) Inputs(name string, n int) ([]cloudwatch.Data, error) {
	e.mu.Lock()
	a := e.alarms[nameOf(name)]
	e.mu.Unlock()
	if a == nil || a.metric == nil {
		return nil, fmt.Errorf("there is no metric alarm %q", name)
	}
	period := int64(a.metric.period / time.Second)
	end := e.store.Second(e.store.Now())
	end -= end % min(period, 60)
	return a.metric.queries.On(e.store, cloudwatch.Grid{Start: end - int64(n)*period, Period: period, N: n})
}

// Missing reports whether the period had no value.
func (d Datapoint) Missing() bool { return math.IsNaN(d.Value) }
