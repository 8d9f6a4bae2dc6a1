package alarm

import (
	"context"
	"time"

	"heliograph/simulator/cloudwatch"
)

// State is what an alarm says.
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
	// Notify publishes a notification to an SNS topic. Its error is kept in the alarm's history. Nil means nowhere.
	Notify func(ctx context.Context, topicARN string, n Notification) error
	// Delay is how long after its end a period is evaluated, for values that come late. 0 means a quarter of a minute
	// of the store, and at most a second.
	Delay time.Duration
}

// Notification is what an alarm publishes.
type Notification struct{ Subject, Message string }

// Actions are the topics that are told about state changes, by their ARNs.
type Actions struct {
	// Disabled changes states silently.
	Disabled                    bool
	OK, Alarm, InsufficientData []string
}

// of are the topics of a state.
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

	// Metric and Period are those of a plain alarm; Queries those of any other one. Exactly one query is not Hidden.
	Metric  *cloudwatch.MetricStat
	Period  time.Duration
	Queries []cloudwatch.DataQuery

	// Comparison is CloudWatch's ComparisonOperator. Those with a band compare with the query Band, not with Threshold.
	Comparison string
	Threshold  float64
	Band       string

	// Of the last EvaluationPeriods, DatapointsToAlarm must be bad; 0 means all of them.
	EvaluationPeriods, DatapointsToAlarm int
	// Missing is how periods without a value are treated: missing (also if empty), notBreaching, breaching or ignore.
	Missing string
	// LowSamples is what a percentile of few values does: evaluate (also if empty) or ignore.
	LowSamples string
}

// CompositeAlarm is an alarm on other alarms' states.
type CompositeAlarm struct {
	Name, Description string
	Actions           Actions
	Tags              map[string]string

	// Rule is CloudWatch's AlarmRule: ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c)).
	Rule string
	// Suppressor is the name or ARN of the alarm that, while it is in ALARM, holds back the actions. Wait is how long a
	// change waits for it to begin, Extension how long its end is waited out.
	Suppressor      string
	Wait, Extension time.Duration
}

// Alarm is an alarm as it stands.
type Alarm struct {
	Name, ARN, Description string
	// Severity and Runbook come from the tags of these names, or from the description: "Runbook: docs/runbooks/x.md".
	Severity, Runbook string
	State             State
	// Reason says why, ReasonData the same as JSON with the deciding values.
	Reason, ReasonData string
	// Since is when the state began, Updated when its reason was last written, Configured when the alarm was made.
	Since, Updated, Configured time.Time
	// Condition is when it fires, for a person: an expression with its threshold, or a composite's rule.
	Condition string
	// Datapoints are those of the last evaluation, oldest first. A composite has none.
	Datapoints []Datapoint
	// Children are the alarms that a composite's rule names.
	Children []string
	// SuppressedBy is why a composite's actions are held back: Alarm, WaitPeriod, ExtensionPeriod, or nothing.
	SuppressedBy string
	// Metric or Composite is what was declared.
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
	// Samples is how many values a plain metric's statistic is made of.
	Samples float64
	// Breaching reports whether the value is bad, Counted whether it was among those that decided.
	Breaching, Counted bool
}

// HistoryItem is what happened to an alarm.
type HistoryItem struct {
	Alarm string
	Time  time.Time
	// Kind is ConfigurationUpdate, StateUpdate or Action.
	Kind    string
	Summary string
	// Data is JSON: for a StateUpdate the old and the new state with their deciding values.
	Data string
}
