package api_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/cloudwatch/api"
	"heliograph/simulator/wire"
	"heliograph/simulator/wire/wiretest"
)

var start = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// served is an API with an alarm "a" on the metric N M, whose minute 0 has the values 1 and 3, and a composite "c" on
// it.
func served(t *testing.T) (*sdk.Client, string) {
	t.Helper()
	now := start
	store := cloudwatch.New(cloudwatch.Options{Now: func() time.Time { return now }})
	engine := alarm.New(store, alarm.Options{Region: "eu-west-1", Account: "000000000000"})
	for _, err := range []error{
		engine.PutMetric(alarm.MetricAlarm{
			Name: "a", Description: "too many", Comparison: "GreaterThanThreshold", Threshold: 3, EvaluationPeriods: 1, Missing: "notBreaching",
			Queries: []cloudwatch.DataQuery{
				{ID: "m", Period: time.Minute, Hidden: true, Metric: &cloudwatch.MetricStat{Namespace: "N", Name: "M", Stat: "Sum", Dimensions: stage}},
				{ID: "e", Expression: "FILL(m, 0)", Label: "filled"},
			},
		}),
		engine.PutMetric(alarm.MetricAlarm{
			Name: "p", Comparison: "LessThanThreshold", EvaluationPeriods: 2, DatapointsToAlarm: 1, Period: 5 * time.Minute,
			Metric: &cloudwatch.MetricStat{Namespace: "N", Name: "M", Stat: "p99", Dimensions: stage},
		}),
		engine.PutComposite(alarm.CompositeAlarm{Name: "c", Rule: "ALARM(a)", Suppressor: "p", Wait: time.Minute, Extension: time.Hour}),
		store.PutMetric(cloudwatch.Datum{Namespace: "N", Name: "M", Dimensions: stage, Value: 1, Unit: "Count"}),
		store.PutMetric(cloudwatch.Datum{Namespace: "N", Name: "M", Dimensions: stage, Value: 3, Unit: "Count"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute)
	engine.Evaluate(t.Context(), now)
	service := api.Service(api.Options{Store: store, Alarms: engine, Account: "000000000000", Dashboard: func(name string) (string, bool) {
		return `{"widgets":[]}`, name == "d"
	}})
	server := httptest.NewServer(wiretest.Handler(t, service, wire.Options{}))
	t.Cleanup(server.Close)
	return sdk.New(sdk.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1,
	}), server.URL
}

var stage = []cloudwatch.Dimension{{Name: "Stage", Value: "dev"}}

// ask calls an action, and fails the test on an error.
func ask[In, Out any](t *testing.T, do func(In) (Out, error), in In) Out {
	t.Helper()
	out, err := do(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDescribeAlarms(t *testing.T) {
	t.Parallel()
	client, _ := served(t)
	both, err := client.DescribeAlarms(t.Context(), &sdk.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"MetricAlarm", "CompositeAlarm"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(both.MetricAlarms) != 2 || len(both.CompositeAlarms) != 1 {
		t.Fatalf("%+v", both)
	}
	a, p, c := both.MetricAlarms[0], both.MetricAlarms[1], both.CompositeAlarms[0]
	if a.StateValue != "ALARM" || *a.Threshold != 3 || *a.AlarmDescription != "too many" || !a.StateTransitionedTimestamp.Equal(start.Add(time.Minute)) ||
		*a.Metrics[0].ReturnData || *a.Metrics[0].MetricStat.Period != 60 || *a.Metrics[0].MetricStat.Metric.Dimensions[0].Value != "dev" || *a.Metrics[1].Expression != "FILL(m, 0)" {
		t.Errorf("%+v", a)
	}
	if *p.ExtendedStatistic != "p99" || p.Statistic != "" || *p.Period != 300 || *p.DatapointsToAlarm != 1 {
		t.Errorf("%+v", p)
	}
	if *c.AlarmRule != "ALARM(a)" || *c.ActionsSuppressorExtensionPeriod != 3600 || c.ActionsSuppressedBy != "WaitPeriod" {
		t.Errorf("%+v", c)
	}
	for name, tt := range map[string]struct {
		in   sdk.DescribeAlarmsInput
		want string
	}{
		"metric alarms alone":  {sdk.DescribeAlarmsInput{}, "a p"},
		"composites":           {sdk.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"CompositeAlarm"}}, "c"},
		"by name":              {sdk.DescribeAlarmsInput{AlarmNames: []string{"p", "q"}}, "p"},
		"by prefix":            {sdk.DescribeAlarmsInput{AlarmNamePrefix: aws.String("p")}, "p"},
		"by state":             {sdk.DescribeAlarmsInput{StateValue: "ALARM"}, "a"},
		"by an action":         {sdk.DescribeAlarmsInput{ActionPrefix: aws.String("arn")}, ""},
		"the first":            {sdk.DescribeAlarmsInput{MaxRecords: aws.Int32(1)}, "a"},
		"the one that follows": {sdk.DescribeAlarmsInput{MaxRecords: aws.Int32(1), NextToken: aws.String("1")}, "p"},
	} {
		out := ask(t, func(in *sdk.DescribeAlarmsInput) (*sdk.DescribeAlarmsOutput, error) {
			return client.DescribeAlarms(t.Context(), in)
		}, &tt.in)
		var names []string
		for _, a := range out.MetricAlarms {
			names = append(names, *a.AlarmName)
		}
		for _, a := range out.CompositeAlarms {
			names = append(names, *a.AlarmName)
		}
		if got := strings.Join(names, " "); got != tt.want || (out.NextToken != nil) != (name == "the first") {
			t.Errorf("%s: %s, token %v", name, got, out.NextToken)
		}
	}
}

func TestHistoryAndSetState(t *testing.T) {
	t.Parallel()
	client, _ := served(t)
	if _, err := client.SetAlarmState(t.Context(), &sdk.SetAlarmStateInput{AlarmName: aws.String("a"), StateValue: "OK", StateReason: aws.String("a try")}); err != nil {
		t.Fatal(err)
	}
	out := ask(t, func(in *sdk.DescribeAlarmHistoryInput) (*sdk.DescribeAlarmHistoryOutput, error) {
		return client.DescribeAlarmHistory(t.Context(), in)
	}, &sdk.DescribeAlarmHistoryInput{AlarmName: aws.String("a"), HistoryItemType: "StateUpdate", ScanBy: "TimestampAscending"})
	var said []string
	for _, item := range out.AlarmHistoryItems {
		said = append(said, *item.HistorySummary)
	}
	if diff := cmp.Diff([]string{"Alarm updated from ALARM to OK", "Alarm updated from INSUFFICIENT_DATA to ALARM"}, said); diff != "" && len(said) != 2 {
		t.Error(diff)
	}
	var missing *types.ResourceNotFound
	if _, err := client.SetAlarmState(t.Context(), &sdk.SetAlarmStateInput{AlarmName: aws.String("x"), StateValue: "OK", StateReason: aws.String("")}); !errors.As(err, &missing) {
		t.Errorf("an unknown alarm: %v", err)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	client, _ := served(t)
	put := &sdk.PutMetricDataInput{Namespace: aws.String("Mine"), MetricData: []types.MetricDatum{{
		MetricName: aws.String("L"), Values: []float64{1, 2.5}, Counts: []float64{2, 1}, Timestamp: &start, Unit: "Seconds",
	}}}
	ask(t, func(in *sdk.PutMetricDataInput) (*sdk.PutMetricDataOutput, error) {
		return client.PutMetricData(t.Context(), in)
	}, put)
	end := start.Add(2 * time.Minute)
	data := ask(t, func(in *sdk.GetMetricDataInput) (*sdk.GetMetricDataOutput, error) {
		return client.GetMetricData(t.Context(), in)
	}, &sdk.GetMetricDataInput{
		StartTime: &start, EndTime: &end, ScanBy: "TimestampAscending",
		MetricDataQueries: []types.MetricDataQuery{
			{Id: aws.String("l"), ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{
				Stat: aws.String("Sum"), Period: aws.Int32(60), Metric: &types.Metric{Namespace: aws.String("Mine"), MetricName: aws.String("L")},
			}},
			{Id: aws.String("e"), Expression: aws.String("FILL(l, 0) * -2"), Label: aws.String("twice")},
		},
	})
	if r := data.MetricDataResults; len(r) != 1 || *r[0].Label != "twice" || cmp.Diff([]float64{-9, 0}, r[0].Values) != "" || !r[0].Timestamps[1].Equal(start.Add(time.Minute)) {
		t.Errorf("%+v", r)
	}
	stats := ask(t, func(in *sdk.GetMetricStatisticsInput) (*sdk.GetMetricStatisticsOutput, error) {
		return client.GetMetricStatistics(t.Context(), in)
	}, &sdk.GetMetricStatisticsInput{
		Namespace: aws.String("Mine"), MetricName: aws.String("L"), StartTime: &start, EndTime: &end, Period: aws.Int32(60),
		Statistics: []types.Statistic{"Sum", "SampleCount"}, ExtendedStatistics: []string{"p100"},
	})
	if d := stats.Datapoints; len(d) != 1 || *d[0].Sum != 4.5 || *d[0].SampleCount != 3 || d[0].ExtendedStatistics["p100"] != 2.5 || d[0].Average != nil || d[0].Unit != "Seconds" {
		t.Errorf("%+v", d)
	}
	for name, tt := range map[string]struct {
		in   sdk.ListMetricsInput
		want int
	}{
		"all": {sdk.ListMetricsInput{}, 2}, "by namespace": {sdk.ListMetricsInput{Namespace: aws.String("Mine")}, 1},
		"by dimension": {sdk.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("Stage")}}}, 1},
		"by value":     {sdk.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("Stage"), Value: aws.String("prod")}}}, 0},
	} {
		out := ask(t, func(in *sdk.ListMetricsInput) (*sdk.ListMetricsOutput, error) {
			return client.ListMetrics(t.Context(), in)
		}, &tt.in)
		if len(out.Metrics) != tt.want {
			t.Errorf("%s: %+v", name, out.Metrics)
		}
	}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	client, _ := served(t)
	out, err := client.GetDashboard(t.Context(), &sdk.GetDashboardInput{DashboardName: aws.String("d")})
	if err != nil || *out.DashboardBody != `{"widgets":[]}` || *out.DashboardArn != "arn:aws:cloudwatch::000000000000:dashboard/d" {
		t.Errorf("%+v %v", out, err)
	}
	var missing *types.DashboardNotFoundError
	if _, err := client.GetDashboard(t.Context(), &sdk.GetDashboardInput{DashboardName: aws.String("x")}); !errors.As(err, &missing) {
		t.Errorf("an unknown dashboard: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	client, _ := served(t)
	_, unknown := client.DeleteAlarms(t.Context(), &sdk.DeleteAlarmsInput{AlarmNames: []string{"a"}})
	_, member := client.DescribeAlarmHistory(t.Context(), &sdk.DescribeAlarmHistoryInput{AlarmContributorId: aws.String("x")})
	_, aws1 := client.PutMetricData(t.Context(), &sdk.PutMetricDataInput{Namespace: aws.String("AWS/Lambda"), MetricData: []types.MetricDatum{{MetricName: aws.String("M"), Value: aws.Float64(1)}}})
	_, token := client.DescribeAlarms(t.Context(), &sdk.DescribeAlarmsInput{NextToken: aws.String("x")})
	_, none := client.GetMetricStatistics(t.Context(), &sdk.GetMetricStatisticsInput{Namespace: aws.String("N"), MetricName: aws.String("M"), StartTime: &start, EndTime: &start, Period: aws.Int32(60)})
	_, function := client.GetMetricData(t.Context(), &sdk.GetMetricDataInput{StartTime: &start, EndTime: &start, MetricDataQueries: []types.MetricDataQuery{
		{Id: aws.String("e"), Expression: aws.String("SEARCH('x')"), Period: aws.Int32(60)},
	}})
	for want, err := range map[string]error{
		"InvalidAction: the action \"DeleteAlarms\"": unknown, "ValidationError: not supported here: AlarmContributorId": member, "InvalidParameterValue: The value AWS/": aws1,
		"is not one of this list": token, "must be given": none, "the function SEARCH is not simulated": function,
	} {
		var e smithy.APIError
		if !errors.As(err, &e) || !strings.Contains(e.ErrorCode()+": "+e.ErrorMessage(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestQueryProtocol proves that the query protocol works, which Debian's AWS CLI uses.
func TestQueryProtocol(t *testing.T) {
	t.Parallel()
	_, address := served(t)
	body := post(t, address, url.Values{"Action": {"DescribeAlarms"}, "Version": {"2010-08-01"}, "AlarmTypes.member.1": {"MetricAlarm"}, "StateValue": {"ALARM"}})
	for _, want := range []string{
		"<AlarmName>a</AlarmName>", "<StateTransitionedTimestamp>2026-01-02T03:01:00Z</StateTransitionedTimestamp>", "<Threshold>3</Threshold>",
		"<Metrics><member><Id>m</Id><MetricStat><Metric><Namespace>N</Namespace>", "<ReturnData>false</ReturnData>", "<CompositeAlarms></CompositeAlarms>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing in %s", want, body)
		}
	}
	body = post(t, address, url.Values{
		"Action": {"GetMetricStatistics"}, "Version": {"2010-08-01"}, "Namespace": {"N"}, "MetricName": {"M"}, "Period": {"60"}, "Statistics.member.1": {"Average"},
		"StartTime": {"2026-01-02T03:00:00Z"}, "EndTime": {"2026-01-02T03:05:00+00:00"}, "Dimensions.member.1.Name": {"Stage"}, "Dimensions.member.1.Value": {"dev"},
	})
	if want := "<member><Timestamp>2026-01-02T03:00:00Z</Timestamp><Average>2</Average><Unit>Count</Unit></member>"; !strings.Contains(body, want) {
		t.Errorf("%s is missing in %s", want, body)
	}
}

func post(t *testing.T, address string, form url.Values) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewBufferString(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=k/20260102/eu-west-1/monitoring/aws4_request, SignedHeaders=host, Signature=abc")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
