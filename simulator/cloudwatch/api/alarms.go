package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/wire"
)

type describeInput struct {
	AlarmNames          []string
	AlarmNamePrefix     string
	AlarmTypes          []string
	StateValue          alarm.State
	ActionPrefix        string
	MaxRecords          int
	NextToken           string
	ChildrenOfAlarmName string
	ParentsOfAlarmName  string
}

type describeOutput struct {
	CompositeAlarms []compositeAlarm
	MetricAlarms    []metricAlarm
	NextToken       string `json:",omitempty"`
}

// compositeAlarm and metricAlarm repeat their common members, since protocol members are not embedded.
type compositeAlarm struct {
	AlarmName                          string
	AlarmArn                           string
	AlarmDescription                   string `json:",omitempty"`
	AlarmRule                          string
	ActionsEnabled                     bool
	OKActions                          []string
	AlarmActions                       []string
	InsufficientDataActions            []string
	StateValue                         alarm.State
	StateReason                        string
	StateReasonData                    string `json:",omitempty"`
	StateUpdatedTimestamp              wire.Time
	StateTransitionedTimestamp         wire.Time
	AlarmConfigurationUpdatedTimestamp wire.Time
	ActionsSuppressor                  string `json:",omitempty"`
	ActionsSuppressorWaitPeriod        int    `json:",omitempty"`
	ActionsSuppressorExtensionPeriod   int    `json:",omitempty"`
	ActionsSuppressedBy                string `json:",omitempty"`
	ActionsSuppressedReason            string `json:",omitempty"`
}

type metricAlarm struct {
	AlarmName                          string
	AlarmArn                           string
	AlarmDescription                   string `json:",omitempty"`
	ActionsEnabled                     bool
	OKActions                          []string
	AlarmActions                       []string
	InsufficientDataActions            []string
	StateValue                         alarm.State
	StateReason                        string
	StateReasonData                    string `json:",omitempty"`
	StateUpdatedTimestamp              wire.Time
	StateTransitionedTimestamp         wire.Time
	AlarmConfigurationUpdatedTimestamp wire.Time
	MetricName                         string `json:",omitempty"`
	Namespace                          string `json:",omitempty"`
	Statistic                          string `json:",omitempty"`
	ExtendedStatistic                  string `json:",omitempty"`
	Dimensions                         []dimension
	Period                             int    `json:",omitempty"`
	Unit                               string `json:",omitempty"`
	EvaluationPeriods                  int
	DatapointsToAlarm                  int `json:",omitempty"`
	Threshold                          *float64
	ThresholdMetricID                  string `json:"ThresholdMetricId,omitempty"`
	ComparisonOperator                 string
	TreatMissingData                   string      `json:",omitempty"`
	EvaluateLowSampleCountPercentile   string      `json:",omitempty"`
	Metrics                            []dataQuery `json:",omitempty"`
}

// pageOfAlarms is the default number of alarms in a response.
const pageOfAlarms = 50

func (s service) describeAlarms(_ context.Context, in *describeInput) (*describeOutput, error) {
	if in.ChildrenOfAlarmName != "" || in.ParentsOfAlarmName != "" {
		return nil, invalid("ChildrenOfAlarmName and ParentsOfAlarmName are not simulated")
	}
	found := slices.DeleteFunc(s.Alarms.Alarms(), func(a alarm.Alarm) bool { return !in.wants(a) })
	found, next, err := page(found, in.NextToken, cmp.Or(in.MaxRecords, pageOfAlarms))
	if err != nil {
		return nil, err
	}
	out := &describeOutput{CompositeAlarms: []compositeAlarm{}, MetricAlarms: []metricAlarm{}, NextToken: next}
	for _, a := range found {
		if a.Composite != nil {
			out.CompositeAlarms = append(out.CompositeAlarms, compositeOf(a))
		} else {
			out.MetricAlarms = append(out.MetricAlarms, metricOf(a))
		}
	}
	return out, nil
}

// wants reports whether an alarm was requested. Without a type, composites are not.
func (in *describeInput) wants(a alarm.Alarm) bool {
	kind, actions := "MetricAlarm", alarm.Actions{}
	if a.Composite != nil {
		kind, actions = "CompositeAlarm", a.Composite.Actions
	} else {
		actions = a.Metric.Actions
	}
	types := in.AlarmTypes
	if len(types) == 0 {
		types = []string{"MetricAlarm"}
	}
	hasAction := func(topic string) bool { return strings.HasPrefix(topic, in.ActionPrefix) }
	return slices.Contains(types, kind) && strings.HasPrefix(a.Name, in.AlarmNamePrefix) &&
		(len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, a.Name)) &&
		(in.StateValue == "" || in.StateValue == a.State) &&
		(in.ActionPrefix == "" || slices.ContainsFunc(slices.Concat(actions.Alarm, actions.OK, actions.InsufficientData), hasAction))
}

func texts(list []string) []string { return append([]string{}, list...) }

func compositeOf(a alarm.Alarm) compositeAlarm {
	c := a.Composite
	out := compositeAlarm{
		AlarmName: a.Name, AlarmArn: a.ARN, AlarmDescription: a.Description, AlarmRule: c.Rule, ActionsEnabled: !c.Actions.Disabled,
		OKActions: texts(c.Actions.OK), AlarmActions: texts(c.Actions.Alarm), InsufficientDataActions: texts(c.Actions.InsufficientData),
		StateValue: a.State, StateReason: a.Reason, StateReasonData: a.ReasonData, StateUpdatedTimestamp: wire.Time{Time: a.Updated},
		StateTransitionedTimestamp: wire.Time{Time: a.Since}, AlarmConfigurationUpdatedTimestamp: wire.Time{Time: a.Configured},
		ActionsSuppressor: c.Suppressor, ActionsSuppressorWaitPeriod: seconds(c.Wait), ActionsSuppressorExtensionPeriod: seconds(c.Extension),
		ActionsSuppressedBy: a.SuppressedBy,
	}
	if a.SuppressedBy != "" {
		out.ActionsSuppressedReason = "Actions suppressed by " + a.SuppressedBy
	}
	return out
}

// metricOf converts an alarm to the API's form, in which a plain alarm's metric is spread over several members.
func metricOf(a alarm.Alarm) metricAlarm {
	m := a.Metric
	out := metricAlarm{
		AlarmName: a.Name, AlarmArn: a.ARN, AlarmDescription: a.Description, ActionsEnabled: !m.Actions.Disabled,
		OKActions: texts(m.Actions.OK), AlarmActions: texts(m.Actions.Alarm), InsufficientDataActions: texts(m.Actions.InsufficientData),
		StateValue: a.State, StateReason: a.Reason, StateReasonData: a.ReasonData, StateUpdatedTimestamp: wire.Time{Time: a.Updated},
		StateTransitionedTimestamp: wire.Time{Time: a.Since}, AlarmConfigurationUpdatedTimestamp: wire.Time{Time: a.Configured},
		Dimensions: []dimension{}, EvaluationPeriods: m.EvaluationPeriods, DatapointsToAlarm: m.DatapointsToAlarm, ComparisonOperator: m.Comparison,
		ThresholdMetricID: m.Band, TreatMissingData: m.Missing, EvaluateLowSampleCountPercentile: m.LowSamples,
	}
	if m.Band == "" {
		out.Threshold = &m.Threshold
	}
	for _, q := range m.Queries {
		out.Metrics = append(out.Metrics, queryOf(q))
	}
	if m.Metric == nil {
		return out
	}
	out.MetricName, out.Namespace, out.Unit = m.Metric.Name, m.Metric.Namespace, m.Metric.Unit
	out.Dimensions, out.Period = dimensionsOf(m.Metric.Dimensions), seconds(m.Period)
	if _, isPercentile := cloudwatch.Percentile(m.Metric.Stat); isPercentile {
		out.ExtendedStatistic = m.Metric.Stat
	} else {
		out.Statistic = m.Metric.Stat
	}
	return out
}

type historyInput struct {
	AlarmName          string
	AlarmTypes         []string
	HistoryItemType    string
	StartDate, EndDate wire.Time
	MaxRecords         int
	NextToken          string
	ScanBy             string
}

type historyOutput struct {
	AlarmHistoryItems []historyItem
	NextToken         string `json:",omitempty"`
}

type historyItem struct {
	AlarmName       string
	AlarmType       string
	Timestamp       wire.Time
	HistoryItemType string
	HistorySummary  string
	HistoryData     string `json:",omitempty"`
}

func (s service) describeHistory(_ context.Context, in *historyInput) (*historyOutput, error) {
	kinds := map[string]string{}
	for _, a := range s.Alarms.Alarms() {
		kinds[a.Name] = "MetricAlarm"
		if a.Composite != nil {
			kinds[a.Name] = "CompositeAlarm"
		}
	}
	items := []historyItem{}
	for _, item := range s.Alarms.History(in.AlarmName) {
		if in.wants(item, kinds[item.Alarm]) {
			items = append(items, historyItem{item.Alarm, kinds[item.Alarm], wire.Time{Time: item.Time}, item.Kind, item.Summary, item.Data})
		}
	}
	if in.ScanBy == "TimestampAscending" {
		slices.Reverse(items)
	}
	items, next, err := page(items, in.NextToken, cmp.Or(in.MaxRecords, 100))
	return &historyOutput{items, next}, err
}

func (in *historyInput) wants(item alarm.HistoryItem, kind string) bool {
	return (in.HistoryItemType == "" || in.HistoryItemType == item.Kind) && (len(in.AlarmTypes) == 0 || slices.Contains(in.AlarmTypes, kind)) &&
		!item.Time.Before(in.StartDate.Time) && (in.EndDate.IsZero() || item.Time.Before(in.EndDate.Add(time.Millisecond)))
}

type setStateInput struct {
	AlarmName, StateReason, StateReasonData string
	StateValue                              alarm.State
}

type nothing struct{}

func (s service) setState(ctx context.Context, in *setStateInput) (*nothing, error) {
	if !slices.Contains([]alarm.State{alarm.OK, alarm.Alarming, alarm.InsufficientData}, in.StateValue) {
		return nil, invalid("StateValue is %q; it must be OK, ALARM or INSUFFICIENT_DATA", in.StateValue)
	}
	if err := s.Alarms.SetState(ctx, in.AlarmName, in.StateValue, in.StateReason, in.StateReasonData); err != nil {
		return nil, notFound("ResourceNotFound", "%v", err)
	}
	return &nothing{}, nil
}
