package alarm

import (
	"context"
	"time"

	"heliograph/simulator/cloudwatch"
)

// State is the state of an alarm.
type State string

// The states of an alarm.
const (
	OK               State = "OK"
	Alarming         State = "ALARM"
	InsufficientData State = "INSUFFICIENT_DATA"
)

// Options configure an Engine.
type Options struct {
	// Region and Account are part of the alarms' ARNs.
	Region, Account string
	// Notify publishes a notification to an SNS topic. Its error is recorded in the alarm's history. nil: not
	// published.
	Notify func(ctx context.Context, topicARN string, n Notification) error
	// Delay is how long after its end a period is evaluated, to allow for late values. 0 means a quarter of a minute of
	// the store, and at most a second.
	Delay time.Duration
}

// Notification is the message that an alarm publishes.
type Notification struct{ Subject, Message string }

// Actions are the topics, by ARN, that are notified of state changes.
type Actions struct {
	// Disabled suppresses notifications; the state still changes.
	Disabled                    bool
	OK, Alarm, InsufficientData []string
}

// of returns the topics of a state.
func (a Actions) of(s State) []string {
	switch s {
	case OK:
		return a.OK
	case Alarming:
		return a.Alarm
	default:
		return a.InsufficientData
	}
}

// MetricAlarm is an alarm on a metric, or on an expression over several.
type MetricAlarm struct {
	Name, Description string
	Actions           Actions
	Tags              map[string]string

	// Metric and Period belong to a plain alarm; Queries to any other one. Exactly one query is not Hidden.
	Metric  *cloudwatch.MetricStat
	Period  time.Duration
	Queries []cloudwatch.DataQuery

	// Comparison is CloudWatch's ComparisonOperator. Band operators compare with the query Band, not with Threshold.
	Comparison string
	Threshold  float64
	Band       string

	// DatapointsToAlarm of the last EvaluationPeriods must be bad; 0 means all of them.
	EvaluationPeriods, DatapointsToAlarm int
	// Missing is the treatment of periods without a value: missing (the default), notBreaching, breaching or ignore.
	Missing string
	// LowSamples is the treatment of a percentile over few values: evaluate (the default) or ignore.
	LowSamples string
}

// CompositeAlarm is an alarm on other alarms' states.
type CompositeAlarm struct {
	Name, Description string
	Actions           Actions
	Tags              map[string]string

	// Rule is CloudWatch's AlarmRule: ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c)).
	Rule string
	// Suppressor is the name or ARN of the alarm that holds back the actions while it is in ALARM. Wait is how long a
	// change waits for the suppressor to fire, Extension how long the actions stay held back after it ends.
	Suppressor      string
	Wait, Extension time.Duration
}

// Silent is the severity of an alarm that notifies no one, a part of another's condition. Counts of firing alarms leave it
// out.
const Silent = "none"

// Alarm is the current state of an alarm.
type Alarm struct {
	Name, ARN, Description string
	// Severity and Runbook come from the tags of these names, or from the description: "Runbook: docs/runbooks/x.md".
	Severity, Runbook string
	State             State
	// Reason explains the state; ReasonData is the same as JSON, with the deciding values.
	Reason, ReasonData string
	// Since is when the state began, Updated when its reason was last written, Configured when the alarm was created.
	Since, Updated, Configured time.Time
	// Condition describes, in readable form, when it fires: an expression with its threshold, or a composite's rule.
	Condition string
	// Datapoints are those of the last evaluation, oldest first. A composite has none.
	Datapoints []Datapoint
	// Children are the alarms that a composite's rule names.
	Children []string
	// SuppressedBy is why a composite's actions are held back: Alarm, WaitPeriod, ExtensionPeriod, or empty.
	SuppressedBy string
	// Metric or Composite is the declaration.
	Metric    *MetricAlarm
	Composite *CompositeAlarm
}

// Datapoint is one period of an alarm's last evaluation.
type Datapoint struct {
	Time time.Time
	// Value is NaN where it is missing.
	Value float64
	// Upper and Lower are the limits of an anomaly band, NaN for other alarms.
	Upper, Lower float64
	// Samples is how many values a plain metric's statistic is computed from.
	Samples float64
	// Breaching reports whether the value is bad, Counted whether it was among those that decided.
	Breaching, Counted bool
}

// HistoryItem is one event in an alarm's history.
type HistoryItem struct {
	Alarm string
	Time  time.Time
	// Kind is ConfigurationUpdate, StateUpdate or Action.
	Kind    string
	Summary string
	// Data is JSON: for a StateUpdate the old and the new state with their deciding values.
	Data string
}
