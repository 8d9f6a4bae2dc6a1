package alarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// compositeAlarm is a CompositeAlarm, ready to be evaluated.
type compositeAlarm struct {
	CompositeAlarm
	rule       rule
	suppressor string // the name, or empty

	pending bool      // a change whose actions are held back
	until   time.Time // when the wait or extension period is over
}

func newComposite(a CompositeAlarm) (*compositeAlarm, error) {
	r, err := parseRule(a.Rule)
	if err == nil && a.Suppressor == "" && (a.Wait != 0 || a.Extension != 0) {
		err = errors.New("a wait or extension period needs a suppressor")
	}
	if err == nil && (a.Wait < 0 || a.Extension < 0) {
		err = fmt.Errorf("the wait period %v or the extension period %v is negative", a.Wait, a.Extension)
	}
	if err := errors.Join(checkName(a.Name), a.Actions.check(), err); err != nil {
		return nil, err
	}
	return &compositeAlarm{CompositeAlarm: a, rule: r, suppressor: nameOf(a.Suppressor)}, nil
}

// needs are the alarms that must exist before this one.
func (c *compositeAlarm) needs() []string {
	if c.suppressor == "" {
		return c.rule.children
	}
	return append([]string{c.suppressor}, c.rule.children...)
}

func (e *Engine) stateOf(name string) State { return e.alarms[name].State }

func (e *Engine) evaluateComposite(a *entry, at time.Time) []outgoing {
	to := OK
	if a.composite.rule.holds(e.stateOf) {
		to = Alarming
	}
	changed := a.State != to
	var out []outgoing
	if changed {
		trigger := e.trigger(a)
		out = e.change(a, at, to, trigger.reason(), trigger.data())
	}
	out = e.suppress(a, at, changed, out)
	if a.actions.Disabled {
		return nil
	}
	return out
}

// Reasons for holding back a composite's actions, in CloudWatch's terms.
const (
	byAlarm     = "Alarm"
	byWait      = "WaitPeriod"
	byExtension = "ExtensionPeriod"
)

// suppress holds back the actions or releases them. A change waits for the suppressor to fire; while it is in ALARM no
// actions are taken; after it ends, the extension period must pass. Then the actions are those of the current state.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
func (e *Engine) suppress(a *entry, at time.Time, changed bool, out []outgoing) []outgoing {
	c := a.composite
	if c.suppressor == "" {
		return out
	}
	if changed {
		c.pending, c.until, a.SuppressedBy = true, at.Add(e.store.Real(c.Wait)), byWait
	}
	switch suppressing := e.stateOf(c.suppressor) == Alarming; {
	case !c.pending:
	case suppressing:
		a.SuppressedBy = byAlarm
	case a.SuppressedBy == byAlarm:
		a.SuppressedBy, c.until = byExtension, at.Add(e.store.Real(c.Extension))
	}
	if !c.pending || a.SuppressedBy == byAlarm || at.Before(c.until) {
		return nil
	}
	c.pending, a.SuppressedBy = false, ""
	if out == nil { // the change was recorded before
		out = e.outgoing(a, c.before(a.State))
	}
	return out
}

// before is the old state named in a notification that was held back.
func (c *compositeAlarm) before(s State) State {
	if s == Alarming {
		return OK
	}
	return Alarming
}

// trigger is the child that changed last.
type trigger struct {
	arn   string
	state State
	since time.Time
}

func (e *Engine) trigger(a *entry) (t trigger) {
	for _, name := range a.Children {
		if child := e.alarms[name]; t.arn == "" || child.Since.After(t.since) {
			t = trigger{child.ARN, child.State, child.Since}
		}
	}
	return t
}

func (t trigger) reason() string {
	if t.arn == "" {
		return "The rule names no alarm"
	}
	return fmt.Sprintf("%s transitioned to %s at %s", t.arn, t.state, t.since.UTC().Format("Monday 02 January, 2006 15:04:05 MST"))
}

func (t trigger) data() string {
	text, _ := json.Marshal(map[string]any{"triggeringAlarms": []any{map[string]any{ // strings and times never fail
		"arn": t.arn, "state": map[string]any{"value": t.state, "timestamp": stamp(t.since)},
	}}})
	return string(text)
}
