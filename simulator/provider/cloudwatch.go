package provider

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
)

type logGroupInputs struct {
	tagged
	Name            string `json:"name"`
	RetentionInDays int    `json:"retentionInDays"`
}

// logRetentions are the retention periods, in days, that CloudWatch Logs accepts; 0 keeps logs forever.
var logRetentions = []int{0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func createLogGroup(p *provider, _ declaration, in logGroupInputs) (created, error) {
	if !slices.Contains(logRetentions, in.RetentionInDays) {
		return created{}, fmt.Errorf("retentionInDays is %d; it must be one of %v", in.RetentionInDays, logRetentions)
	}
	if err := p.Metrics.CreateGroup(in.Name, in.RetentionInDays); err != nil {
		return created{}, err
	}
	return created{in.Name, map[string]any{"arn": p.ARN("logs", "log-group:"+in.Name)}}, nil
}

type dashboardInputs struct {
	DashboardName string `json:"dashboardName"`
	DashboardBody string `json:"dashboardBody"`
}

// createDashboard keeps the body, which the console draws.
func createDashboard(p *provider, _ declaration, in dashboardInputs) (created, error) {
	if err := validJSON("dashboardBody", in.DashboardBody); err != nil {
		return created{}, err
	}
	p.Dashboards.Put(in.DashboardName, in.DashboardBody)
	arn := "arn:aws:cloudwatch::" + p.Account + ":dashboard/" + in.DashboardName
	return created{in.DashboardName, map[string]any{"dashboardArn": arn}}, nil
}

type metricAlarmInputs struct {
	tagged
	Name                              string            `json:"name"`
	AlarmDescription                  string            `json:"alarmDescription"`
	ComparisonOperator                string            `json:"comparisonOperator"`
	EvaluationPeriods                 int               `json:"evaluationPeriods"`
	DatapointsToAlarm                 int               `json:"datapointsToAlarm"`
	Threshold                         float64           `json:"threshold"`
	ThresholdMetricID                 string            `json:"thresholdMetricId"`
	TreatMissingData                  string            `json:"treatMissingData"`
	Namespace                         string            `json:"namespace"`
	MetricName                        string            `json:"metricName"`
	Dimensions                        map[string]string `json:"dimensions"`
	Statistic                         string            `json:"statistic"`
	ExtendedStatistic                 string            `json:"extendedStatistic"`
	Period                            int               `json:"period"`
	Unit                              string            `json:"unit"`
	ActionsEnabled                    *bool             `json:"actionsEnabled"`
	AlarmActions                      []string          `json:"alarmActions"`
	OKActions                         []string          `json:"okActions"`
	InsufficientDataActions           []string          `json:"insufficientDataActions"`
	EvaluateLowSampleCountPercentiles string            `json:"evaluateLowSampleCountPercentiles"`
	MetricQueries                     []metricQuery     `json:"metricQueries"`
}

type metricQuery struct {
	ID         string       `json:"id"`
	Expression string       `json:"expression"`
	Label      string       `json:"label"`
	ReturnData bool         `json:"returnData"`
	Period     int          `json:"period"`
	Metric     *queryMetric `json:"metric"`
}

type queryMetric struct {
	Namespace  string            `json:"namespace"`
	MetricName string            `json:"metricName"`
	Dimensions map[string]string `json:"dimensions"`
	Period     int               `json:"period"`
	Stat       string            `json:"stat"`
	Unit       string            `json:"unit"`
}

// createMetricAlarm adds an alarm that is evaluated from the start of the stack.
func createMetricAlarm(p *provider, _ declaration, in metricAlarmInputs) (created, error) {
	a := alarm.MetricAlarm{
		Name: in.Name, Description: in.AlarmDescription, Tags: in.Tags,
		Actions:    actions(in.ActionsEnabled, in.OKActions, in.AlarmActions, in.InsufficientDataActions),
		Comparison: in.ComparisonOperator, Threshold: in.Threshold, Band: in.ThresholdMetricID,
		EvaluationPeriods: in.EvaluationPeriods, DatapointsToAlarm: in.DatapointsToAlarm,
		Missing: in.TreatMissingData, LowSamples: in.EvaluateLowSampleCountPercentiles,
	}
	if in.Statistic != "" && in.ExtendedStatistic != "" {
		return created{}, fmt.Errorf("statistic is %s and extendedStatistic %s; it must be one of the two", in.Statistic, in.ExtendedStatistic)
	}
	if in.MetricName != "" {
		a.Period = time.Duration(in.Period) * time.Second
		a.Metric = &cloudwatch.MetricStat{
			Namespace: in.Namespace, Name: in.MetricName, Dimensions: dimensions(in.Dimensions), Unit: in.Unit, Stat: in.Statistic + in.ExtendedStatistic,
		}
	}
	for _, q := range in.MetricQueries {
		a.Queries = append(a.Queries, q.query())
	}
	if err := p.Alarms.PutMetric(a); err != nil {
		return created{}, err
	}
	return p.createdAlarm(in.Name), nil
}

func (q metricQuery) query() cloudwatch.DataQuery {
	out := cloudwatch.DataQuery{
		ID: q.ID, Expression: q.Expression, Label: q.Label, Hidden: !q.ReturnData, Period: time.Duration(q.Period) * time.Second,
	}
	if m := q.Metric; m != nil {
		out.Period = time.Duration(m.Period) * time.Second
		out.Metric = &cloudwatch.MetricStat{
			Namespace: m.Namespace, Name: m.MetricName, Dimensions: dimensions(m.Dimensions), Unit: m.Unit, Stat: m.Stat,
		}
	}
	return out
}

func dimensions(values map[string]string) []cloudwatch.Dimension {
	var all []cloudwatch.Dimension
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, cloudwatch.Dimension{Name: name, Value: values[name]})
	}
	return all
}

func actions(enabled *bool, ok, alarming, insufficient []string) alarm.Actions {
	return alarm.Actions{Disabled: enabled != nil && !*enabled, OK: ok, Alarm: alarming, InsufficientData: insufficient}
}

type compositeAlarmInputs struct {
	tagged
	AlarmName               string      `json:"alarmName"`
	AlarmDescription        string      `json:"alarmDescription"`
	AlarmRule               string      `json:"alarmRule"`
	ActionsEnabled          *bool       `json:"actionsEnabled"`
	AlarmActions            []string    `json:"alarmActions"`
	OKActions               []string    `json:"okActions"`
	InsufficientDataActions []string    `json:"insufficientDataActions"`
	ActionsSuppressor       *suppressor `json:"actionsSuppressor"`
}

type suppressor struct {
	Alarm           string `json:"alarm"`
	WaitPeriod      int    `json:"waitPeriod"`
	ExtensionPeriod int    `json:"extensionPeriod"`
}

// createCompositeAlarm adds an alarm on other alarms, which must already exist: the program ensures that by using one
// of their outputs in the rule, or with DependsOn.
func createCompositeAlarm(p *provider, _ declaration, in compositeAlarmInputs) (created, error) {
	a := alarm.CompositeAlarm{
		Name: in.AlarmName, Description: in.AlarmDescription, Tags: in.Tags, Rule: in.AlarmRule,
		Actions: actions(in.ActionsEnabled, in.OKActions, in.AlarmActions, in.InsufficientDataActions),
	}
	if s := in.ActionsSuppressor; s != nil {
		a.Suppressor = s.Alarm
		a.Wait, a.Extension = time.Duration(s.WaitPeriod)*time.Second, time.Duration(s.ExtensionPeriod)*time.Second
	}
	if err := p.Alarms.PutComposite(a); err != nil {
		return created{}, err
	}
	return p.createdAlarm(in.AlarmName), nil
}

func (p *provider) createdAlarm(name string) created {
	return created{name, map[string]any{"arn": p.ARN("cloudwatch", "alarm:"+name)}}
}
