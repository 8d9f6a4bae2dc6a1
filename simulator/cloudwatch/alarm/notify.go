package alarm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
)

// outgoing is a notification still to be sent.
type outgoing struct {
	alarm *entry
	topic string
	Notification
}

// outgoing returns the notifications of an alarm's state.
func (e *Engine) outgoing(a *entry, old State) []outgoing {
	var out []outgoing
	n := Notification{
		Subject: fmt.Sprintf("%s: %q in %s", a.State, a.Name, e.options.Region),
		Message: e.message(a, old),
	}
	for _, topic := range a.actions.of(a.State) {
		out = append(out, outgoing{a, topic, n})
	}
	return out
}

// send publishes the notifications. The history records each attempt.
func (e *Engine) send(ctx context.Context, all []outgoing) {
	for _, o := range all {
		summary := "Successfully executed action " + o.topic
		if e.options.Notify != nil {
			if err := e.options.Notify(ctx, o.topic, o.Notification); err != nil {
				summary = fmt.Sprintf("Failed to execute action %s: %v", o.topic, err)
			}
		}
		e.mu.Lock()
		o.alarm.note(e.store.Now(), "Action", summary, "")
		e.mu.Unlock()
	}
}

// message is the JSON that CloudWatch publishes, with members in CloudWatch's order.
type message struct {
	AlarmName                          string
	AlarmDescription                   string
	AWSAccountID                       string `json:"AWSAccountId"`
	AlarmConfigurationUpdatedTimestamp string
	NewStateValue                      State
	NewStateReason                     string
	StateChangeTime                    string
	Region                             string
	AlarmArn                           string
	OldStateValue                      State
	OKActions                          []string
	AlarmActions                       []string
	InsufficientDataActions            []string
	Trigger                            any               `json:",omitempty"`
	AlarmRule                          string            `json:",omitempty"`
	TriggeringChildren                 []triggeringChild `json:",omitempty"`
}

type triggeringChild struct {
	Arn   string
	State struct {
		Value     State
		Timestamp string
	}
}

func (e *Engine) message(a *entry, old State) string {
	m := message{
		AlarmName: a.Name, AlarmDescription: a.Description, AWSAccountID: e.options.Account,
		AlarmConfigurationUpdatedTimestamp: stamp(a.Configured), NewStateValue: a.State, NewStateReason: a.Reason,
		StateChangeTime: stamp(a.Since), Region: e.options.Region, AlarmArn: a.ARN, OldStateValue: old,
		OKActions: list(a.actions.OK), AlarmActions: list(a.actions.Alarm), InsufficientDataActions: list(a.actions.InsufficientData),
	}
	if a.metric != nil {
		m.Trigger = a.metric.trigger()
	} else {
		m.AlarmRule = a.composite.Rule
		t := e.trigger(a)
		child := triggeringChild{Arn: t.arn}
		child.State.Value, child.State.Timestamp = t.state, stamp(t.since)
		m.TriggeringChildren = []triggeringChild{child}
	}
	text, _ := json.Marshal(m) // never fails
	return string(text)
}

// list is never null in JSON.
func list(s []string) []string { return append([]string{}, s...) }

// triggerDimension is a dimension in the form of CloudWatch's Trigger.
type triggerDimension struct {
	Value string `json:"value"`
	Name  string `json:"name"`
}

func triggerDimensions(all []cloudwatch.Dimension) []triggerDimension {
	out := make([]triggerDimension, len(all))
	for i, d := range all {
		out[i] = triggerDimension{d.Value, d.Name}
	}
	return out
}

// trigger describes what the alarm watches, in CloudWatch's form.
func (a *metricAlarm) trigger() map[string]any {
	t := map[string]any{
		"Period": int(a.period / time.Second), "EvaluationPeriods": a.EvaluationPeriods, "DatapointsToAlarm": a.m(),
		"ComparisonOperator": a.Comparison, "TreatMissingData": a.Missing, "EvaluateLowSampleCountPercentile": a.LowSamples,
	}
	if a.Band == "" {
		t["Threshold"] = a.Threshold
	} else {
		t["ThresholdMetricId"] = a.Band
	}
	if a.Metric == nil {
		var metrics []map[string]any
		for _, q := range a.Queries {
			metrics = append(metrics, triggerQuery(q))
		}
		t["Metrics"] = metrics
		return t
	}
	maps.Copy(t, map[string]any{
		"MetricName": a.Metric.Name, "Namespace": a.Metric.Namespace, "Unit": orNull(a.Metric.Unit), "Dimensions": triggerDimensions(a.Metric.Dimensions),
	})
	if basic := []string{"SampleCount", "Average", "Sum", "Minimum", "Maximum"}; slices.Contains(basic, a.Metric.Stat) {
		t["StatisticType"], t["Statistic"] = "Statistic", strings.ToUpper(a.Metric.Stat)
	} else {
		t["StatisticType"], t["ExtendedStatistic"] = "ExtendedStatistic", a.Metric.Stat
	}
	return t
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func triggerQuery(q cloudwatch.DataQuery) map[string]any {
	m := map[string]any{"Id": q.ID, "ReturnData": !q.Hidden}
	if q.Label != "" {
		m["Label"] = q.Label
	}
	if q.Metric == nil {
		m["Expression"] = q.Expression
		return m
	}
	m["MetricStat"] = map[string]any{
		"Metric": map[string]any{
			"MetricName": q.Metric.Name, "Namespace": q.Metric.Namespace, "Dimensions": triggerDimensions(q.Metric.Dimensions),
		},
		"Period": int(q.Period / time.Second), "Stat": q.Metric.Stat,
	}
	return m
}
