package provider

import (
	"errors"
	"fmt"
	"slices"
)

type logGroupInputs struct {
	Name            string `json:"name"`
	RetentionInDays int    `json:"retentionInDays"`
}

// logRetentions are the days that CloudWatch Logs takes; 0 keeps forever.
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

// createDashboard keeps the body, from which the console draws.
func createDashboard(p *provider, _ declaration, in dashboardInputs) (created, error) {
	if err := validJSON("dashboardBody", in.DashboardBody); err != nil {
		return created{}, err
	}
	p.Dashboards.Put(in.DashboardName, in.DashboardBody)
	arn := "arn:aws:cloudwatch::" + p.Account + ":dashboard/" + in.DashboardName
	return created{in.DashboardName, map[string]any{"dashboardArn": arn}}, nil
}

type metricAlarmInputs struct {
	Name                              string            `json:"name"`
	AlarmDescription                  string            `json:"alarmDescription"`
	ComparisonOperator                string            `json:"comparisonOperator"`
	EvaluationPeriods                 int               `json:"evaluationPeriods"`
	DatapointsToAlarm                 int               `json:"datapointsToAlarm"`
	Threshold                         float64           `json:"threshold"`
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
	ThresholdMetricID                 string            `json:"thresholdMetricId"`
}

type metricQuery struct {
	ID         string `json:"id"`
	Expression string `json:"expression"`
	Label      string `json:"label"`
	ReturnData bool   `json:"returnData"`
	Period     int    `json:"period"`
	Metric     *struct {
		Namespace  string            `json:"namespace"`
		MetricName string            `json:"metricName"`
		Dimensions map[string]string `json:"dimensions"`
		Period     int               `json:"period"`
		Stat       string            `json:"stat"`
		Unit       string            `json:"unit"`
	} `json:"metric"`
}

// createMetricAlarm keeps the alarm; nothing evaluates it yet.
func createMetricAlarm(p *provider, _ declaration, in metricAlarmInputs) (created, error) {
	if err := errors.Join(
		oneOf("comparisonOperator", in.ComparisonOperator, "GreaterThanOrEqualToThreshold", "GreaterThanThreshold",
			"LessThanThreshold", "LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold",
			"LessThanLowerThreshold", "GreaterThanUpperThreshold"),
		oneOf("treatMissingData", in.TreatMissingData, "", "missing", "ignore", "breaching", "notBreaching"),
		oneOf("statistic", in.Statistic, "", "SampleCount", "Average", "Sum", "Minimum", "Maximum"),
	); err != nil {
		return created{}, err
	}
	if in.EvaluationPeriods < 1 {
		return created{}, fmt.Errorf("evaluationPeriods is %d; it must be 1 or more", in.EvaluationPeriods)
	}
	return p.createAlarm(in.Name)
}

type compositeAlarmInputs struct {
	AlarmName        string   `json:"alarmName"`
	AlarmDescription string   `json:"alarmDescription"`
	AlarmRule        string   `json:"alarmRule"`
	ActionsEnabled   *bool    `json:"actionsEnabled"`
	AlarmActions     []string `json:"alarmActions"`
	OKActions        []string `json:"okActions"`

	ActionsSuppressor *struct {
		Alarm           string `json:"alarm"`
		ExtensionPeriod int    `json:"extensionPeriod"`
		WaitPeriod      int    `json:"waitPeriod"`
	} `json:"actionsSuppressor"`
}

func createCompositeAlarm(p *provider, _ declaration, in compositeAlarmInputs) (created, error) {
	return p.createAlarm(in.AlarmName)
}

func (p *provider) createAlarm(name string) (created, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.alarms, name) {
		return created{}, fmt.Errorf("an alarm %q exists; CloudWatch would replace it silently", name)
	}
	p.alarms = append(p.alarms, name)
	return created{name, map[string]any{"arn": p.ARN("cloudwatch", "alarm:"+name)}}, nil
}
