package alarm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/cloudwatch"
)

// Engine evaluates alarms on the metrics of a store. It is safe for concurrent use.
type Engine struct {
	store   *cloudwatch.Store
	options Options

	evaluating sync.Mutex // one evaluation, with its notifications, at a time

	mu     sync.Mutex
	alarms map[string]*entry
	order  []*entry // in order of creation: a composite comes after the alarms that it names
}

// entry is an alarm with its state. Exactly one of metric and composite is set.
type entry struct {
	Alarm
	actions   Actions
	tags      map[string]string
	metric    *metricAlarm
	composite *compositeAlarm
	history   []HistoryItem // oldest first
}

// metricAlarm is a MetricAlarm, ready to be evaluated.
type metricAlarm struct {
	MetricAlarm
	queries *cloudwatch.Plan
	watched string // the id of the query that is compared
	period  time.Duration
}

// m is how many datapoints must be bad.
func (a *metricAlarm) m() int {
	if a.DatapointsToAlarm == 0 {
		return a.EvaluationPeriods
	}
	return a.DatapointsToAlarm
}

// New makes an Engine without alarms.
func New(store *cloudwatch.Store, o Options) *Engine {
	if o.Delay == 0 {
		o.Delay = min(store.Real(time.Minute)/4, time.Second)
	}
	return &Engine{store: store, options: o, alarms: map[string]*entry{}}
}

// PutMetric adds an alarm. It returns an error for an alarm that CloudWatch would refuse, and for a name already in
// use.
func (e *Engine) PutMetric(a MetricAlarm) error {
	m := &metricAlarm{MetricAlarm: a}
	if err := m.plan(); err != nil {
		return fmt.Errorf("the alarm %q: %w", a.Name, err)
	}
	if m.Missing == "" {
		m.Missing = "missing"
	}
	return e.put(&entry{
		Alarm:   Alarm{Name: a.Name, Description: a.Description, Metric: &a, Condition: m.condition()},
		actions: a.Actions, tags: a.Tags, metric: m,
	})
}

// PutComposite adds an alarm. The alarms that it names must exist, as on AWS.
func (e *Engine) PutComposite(a CompositeAlarm) error {
	c, err := newComposite(a)
	if err != nil {
		return fmt.Errorf("the alarm %q: %w", a.Name, err)
	}
	return e.put(&entry{
		Alarm:   Alarm{Name: a.Name, Description: a.Description, Composite: &a, Condition: a.Rule, Children: c.rule.children},
		actions: a.Actions, tags: a.Tags, composite: c,
	})
}

// put adds an alarm in its initial state. Unlike CloudWatch it refuses to replace one, since that would hide a
// duplicate name, and it requires a composite's alarms to exist as on AWS.
func (e *Engine) put(a *entry) error {
	now := e.store.Now()
	a.ARN = "arn:aws:cloudwatch:" + e.options.Region + ":" + e.options.Account + ":alarm:" + a.Name
	a.State, a.Reason = InsufficientData, "Unchecked: Initial alarm creation"
	a.Since, a.Updated, a.Configured = now, now, now
	a.Severity, a.Runbook = said("Severity", a), said("Runbook", a)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.alarms[a.Name] != nil {
		return fmt.Errorf("an alarm %q exists; CloudWatch would replace it silently", a.Name)
	}
	if a.composite != nil {
		for _, needed := range a.composite.needs() {
			if e.alarms[needed] == nil {
				return fmt.Errorf("the alarm %q needs %q, which does not exist yet: it must depend on it", a.Name, needed)
			}
		}
	}
	e.alarms[a.Name] = a
	e.order = append(e.order, a)
	a.note(now, "ConfigurationUpdate", fmt.Sprintf("Alarm %q created", a.Name), "")
	return nil
}

// said returns the value of an alarm's tag, or otherwise the value given in its description.
func said(what string, a *entry) string {
	for name, value := range a.tags {
		if strings.EqualFold(name, what) {
			return value
		}
	}
	return Said(a.Description, what)
}

// Said returns the word after a name and a colon in an alarm's description: "Runbook: docs/runbooks/x.md".
func Said(description, what string) string {
	_, after, _ := strings.Cut(description, what+": ")
	word, _, _ := strings.Cut(after, " ")
	return strings.TrimRight(word, ".,;")
}

// Run evaluates the alarms by the store's clock until the context ends.
func (e *Engine) Run(ctx context.Context) {
	last := e.store.Second(e.store.Now().Add(-e.options.Delay))
	for {
		step := e.step()
		due := (last/step + 1) * step
		timer := time.NewTimer(e.store.Time(due).Add(e.options.Delay).Sub(e.store.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		last = e.store.Second(e.store.Now().Add(-e.options.Delay))
		e.Evaluate(ctx, e.store.Time(last-last%step))
	}
}

// step is the evaluation interval in simulated seconds: 60, or 10 if an alarm has high resolution.
func (e *Engine) step() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.ContainsFunc(e.order, func(a *entry) bool { return a.metric != nil && a.metric.period < time.Minute }) {
		return 10
	}
	return 60
}

// Evaluate evaluates the periods that have ended at a time, and publishes the changes.
func (e *Engine) Evaluate(ctx context.Context, at time.Time) {
	e.evaluating.Lock()
	defer e.evaluating.Unlock()
	e.mu.Lock()
	var out []outgoing
	for _, a := range e.order {
		if a.metric != nil {
			out = append(out, e.evaluateMetric(a, at)...)
		} else {
			out = append(out, e.evaluateComposite(a, at)...)
		}
	}
	e.mu.Unlock()
	e.send(ctx, out)
}

// evaluateMetric evaluates one metric alarm. An alarm that spans more than a day is evaluated every hour, as on AWS.
func (e *Engine) evaluateMetric(a *entry, at time.Time) []outgoing {
	m, second := a.metric, e.store.Second(at)
	every := int64(60)
	if m.period < time.Minute {
		every = 10
	} else if m.period*time.Duration(m.EvaluationPeriods) > day {
		every = 3600
	}
	if second%every != 0 && a.Datapoints != nil {
		return nil
	}
	points, err := e.points(m, second-second%min(every, 60), m.EvaluationPeriods+extraPoints)
	if err != nil { // the queries were tried when the alarm was created
		return e.transition(a, at, InsufficientData, "Error: "+err.Error(), "")
	}
	v := judge(points, m.m(), m.EvaluationPeriods, m.missing())
	a.Datapoints = points
	if v.state == a.State || v.retain || m.tooFew(points) { // only a change needs the reason, which is slow to write
		return nil
	}
	return e.transition(a, at, v.state, m.reason(a.State, v, points), m.reasonData(at, points))
}

// points are an alarm's last n periods that ended at a second. They slide: a period of 5 minutes that is evaluated at
// minute 6 begins with minute 2.
func (e *Engine) points(m *metricAlarm, end int64, n int) ([]Datapoint, error) {
	period := int64(m.period / time.Second)
	data, err := m.queries.On(e.store, cloudwatch.Grid{Start: end - int64(n)*period, Period: period, N: n})
	if err != nil {
		return nil, err
	}
	return m.datapoints(data), nil
}

// missing is the treatment of missing data. Alarms on DynamoDB metrics always ignore it.
func (a *metricAlarm) missing() string {
	for _, q := range a.queries.Queries() {
		if q.Metric != nil && q.Metric.Namespace == "AWS/DynamoDB" {
			return "ignore"
		}
	}
	return a.Missing
}

// transition changes the state, if it differs, and returns the resulting notifications.
func (e *Engine) transition(a *entry, at time.Time, to State, reason, data string) []outgoing {
	if a.State == to {
		return nil
	}
	out := e.change(a, at, to, reason, data)
	if a.actions.Disabled {
		return nil
	}
	return out
}

// change records a change of state.
func (e *Engine) change(a *entry, at time.Time, to State, reason, data string) []outgoing {
	old := a.Alarm
	a.State, a.Reason, a.ReasonData, a.Since, a.Updated = to, reason, data, at, at
	a.note(at, "StateUpdate", fmt.Sprintf("Alarm updated from %s to %s", old.State, to), historyData(old, a.Alarm))
	return e.outgoing(a, old.State)
}

// SetState sets a state until the next evaluation, like SetAlarmState, to try out an alarm's actions.
func (e *Engine) SetState(ctx context.Context, name string, to State, reason, data string) error {
	e.evaluating.Lock()
	defer e.evaluating.Unlock()
	e.mu.Lock()
	a := e.alarms[name]
	if a == nil {
		e.mu.Unlock()
		return fmt.Errorf("there is no alarm %q", name)
	}
	out := e.transition(a, e.store.Now(), to, reason, data)
	e.mu.Unlock()
	e.send(ctx, out)
	return nil
}
