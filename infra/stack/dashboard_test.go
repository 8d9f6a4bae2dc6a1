package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph/observability/catalogue"
)

// drawn is a dashboard's body as CloudWatch reads it.
type drawn struct {
	Widgets []struct {
		Type                string
		X, Y, Width, Height int
		Properties          struct {
			Title, Region, Markdown, Query string
			Stat                           string
			Period                         int
			Alarms                         []string
			Metrics                        [][]any
		}
	}
}

func readDashboard(t *testing.T, run recording) drawn {
	t.Helper()
	var body drawn
	run.get(t, "dashboard-overview").document(t, "dashboardBody", &body)
	return body
}

// drawnOn returns the series that are lines of a dashboard's graphs: those that only an expression uses are hidden.
func drawnOn(t *testing.T, body drawn) []series {
	t.Helper()
	for i := range body.Widgets {
		p := &body.Widgets[i].Properties
		p.Metrics = slices.DeleteFunc(p.Metrics, func(row []any) bool {
			options, _ := row[len(row)-1].(map[string]any)
			return options["visible"] == false
		})
	}
	return shownOn(t, body)
}

// shownOn returns the series that a dashboard names.
func shownOn(t *testing.T, body drawn) []series {
	t.Helper()
	var all []series
	for _, w := range body.Widgets {
		for _, row := range w.Properties.Metrics {
			if options, ok := row[0].(map[string]any); ok && options["expression"] != "" {
				continue
			}
			s, err := parseRow(row)
			if err != nil {
				t.Fatalf("%s: %v", w.Properties.Title, err)
			}
			all = append(all, s)
		}
	}
	return all
}

// parseRow reads [namespace, name, dimension, value, …, {options}].
func parseRow(row []any) (series, error) {
	if _, isOptions := row[len(row)-1].(map[string]any); isOptions {
		row = row[:len(row)-1]
	}
	if len(row) < 2 || len(row)%2 != 0 {
		return series{}, fmt.Errorf("a row of %d texts: %v", len(row), row)
	}
	words := make([]string, len(row))
	for i, word := range row {
		text, isText := word.(string)
		if !isText || text == "" {
			return series{}, fmt.Errorf("%v in %v is no text", word, row)
		}
		words[i] = text
	}
	s := series{namespace: words[0], name: words[1], dimensions: map[string]string{}}
	for pair := range slices.Chunk(words[2:], 2) {
		s.dimensions[pair[0]] = pair[1]
	}
	return s, nil
}

// alarmed returns the series that alarms watch.
func alarmed(run recording) []series {
	var all []series
	add := func(m map[string]any) {
		s := series{namespace: m["namespace"].(string), name: m["metricName"].(string), dimensions: map[string]string{}}
		dimensions, _ := m["dimensions"].(map[string]any)
		for name, value := range dimensions {
			s.dimensions[name] = value.(string)
		}
		all = append(all, s)
	}
	for _, a := range run.ofKind("aws:cloudwatch/metricAlarm:MetricAlarm") {
		queries, _ := a.at("metricQueries").([]any)
		for _, q := range queries {
			if m, ok := q.(map[string]any)["metric"].(map[string]any); ok {
				add(m)
			}
		}
		if len(queries) == 0 {
			add(properties(a))
		}
	}
	return all
}

func (s series) String() string { return fmt.Sprint(s.namespace, " ", s.name, " ", s.dimensions) }

// TestMetricsAreEmitted proves that each of our metrics on the dashboard or in an alarm is in the catalogue with
// exactly those dimensions and, conversely, that every emitted metric is a line in a graph of even the essential dashboard.
func TestMetricsAreEmitted(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	emitted := map[string]bool{}
	d := &deployment{stage: testStage}
	for _, m := range catalogue.All() {
		want := map[string]string{"Stage": testStage}
		if m.PerFunction() {
			for _, f := range m.Functions() {
				want["Function"] = f
				emitted[series{catalogue.Namespace, m.Name(), want}.String()] = true
			}
			continue
		}
		emitted[series{catalogue.Namespace, m.Name(), want}.String()] = true
		if got := d.own(m); len(got) != 1 {
			t.Errorf("%s has %d series, want one", m.Name(), len(got))
		}
	}
	onDashboard := map[string]bool{}
	for _, s := range drawnOn(t, readDashboard(t, record(t, testConfig(func(c *Config) { c.Dashboard = essentialSize })))) {
		onDashboard[s.String()] = true
	}
	for _, s := range shownOn(t, readDashboard(t, run)) {
		if s.namespace == catalogue.Namespace && !emitted[s.String()] {
			t.Errorf("the dashboard shows %s, which nobody emits", s)
		}
	}
	for _, s := range alarmed(run) {
		if s.namespace == catalogue.Namespace && !emitted[s.String()] {
			t.Errorf("an alarm watches %s, which nobody emits", s)
		}
	}
	for name := range emitted {
		if !onDashboard[name] {
			t.Errorf("no graph of the dashboard has %s as a line", name)
		}
	}
}

// nativeMetrics are the AWS metrics that this package may name, by their dimensions. Sources: AWS's pages on the
// metrics of Lambda, SQS, DynamoDB, WebSocket and HTTP APIs.
var nativeMetrics = map[string][]string{
	"AWS/Lambda [FunctionName]":                         {"Duration", "Errors", "Invocations", "IteratorAge", "Throttles"},
	"AWS/Lambda []":                                     {"ClaimedAccountConcurrency"},
	"AWS/Logs [LogGroupName]":                           {"EMFParsingErrors", "EMFValidationErrors", "IncomingBytes"},
	"AWS/SNS [TopicName]":                               {"NumberOfNotificationsFailed"},
	"AWS/SQS [QueueName]":                               {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesVisible"},
	"AWS/DynamoDB [TableName]":                          {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"},
	"AWS/DynamoDB [Operation TableName]":                {"SuccessfulRequestLatency", "SystemErrors"},
	"AWS/DynamoDB [GlobalSecondaryIndexName TableName]": {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"},
	"AWS/ApiGateway [ApiId Stage]":                      {"4xx", "5xx", "ClientError", "ConnectCount", "Count", "ExecutionError", "IntegrationError", "Latency", "MessageCount"},
}

// TestNativeMetrics proves that AWS has the metrics that this package names, and that they belong to resources of this
// stack.
func TestNativeMetrics(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	ours := map[string]bool{"id-websocket-api": true, "id-http-api": true, "$default": true, testStage: true, leaseIndex: true}
	for _, operation := range tableOperations {
		ours[operation] = true
	}
	for _, kind := range []string{
		"aws:lambda/function:Function", "aws:sqs/queue:Queue", "aws:dynamodb/table:Table", "aws:sns/topic:Topic", "aws:cloudwatch/logGroup:LogGroup",
	} {
		for _, res := range run.ofKind(kind) {
			ours[res.text("name")] = true
		}
	}
	used := map[string]map[string]bool{}
	for _, s := range append(shownOn(t, readDashboard(t, run)), alarmed(run)...) {
		if s.namespace == catalogue.Namespace {
			continue
		}
		kind := fmt.Sprint(s.namespace, " ", s.dimensionNames())
		if used[kind] == nil {
			used[kind] = map[string]bool{}
		}
		used[kind][s.name] = true
		for _, value := range s.dimensions {
			if !ours[value] {
				t.Errorf("%s is not of this stack", s)
			}
		}
	}
	got := map[string][]string{}
	for kind, names := range used {
		got[kind] = slices.Sorted(maps.Keys(names))
	}
	if diff := cmp.Diff(nativeMetrics, got); diff != "" {
		t.Errorf("metrics of AWS (-known +named):\n%s", diff)
	}
}

// TestDashboardLimits proves that CloudWatch accepts the dashboard: 500 widgets, 500 metrics each, 2,500 in all, within
// 24 columns and without overlap; and that people can read it.
func TestDashboardLimits(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	body := readDashboard(t, run)
	if n := len(body.Widgets); n == 0 || n > 500 {
		t.Errorf("the dashboard has %d widgets", n)
	}
	if n := len(shownOn(t, body)); n == 0 || n > 2500 {
		t.Errorf("the dashboard has %d metrics", n)
	}
	taken := map[[2]int]string{}
	for _, w := range body.Widgets {
		p := w.Properties
		if w.X < 0 || w.Width < 1 || w.Height < 1 || w.X+w.Width > columns {
			t.Errorf("widget %q sticks out: x %d, width %d", p.Title, w.X, w.Width)
		}
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other, found := taken[[2]int{x, y}]; found {
					t.Fatalf("widgets %q and %q overlap", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		switch w.Type {
		case "metric":
			if len(p.Metrics) == 0 || len(p.Metrics) > 500 || p.Title == "" || p.Region != testRegion || p.Stat == "" || p.Period < 60 {
				t.Errorf("widget %q: %d metrics, Region %q, statistic %q, period %d", p.Title, len(p.Metrics), p.Region, p.Stat, p.Period)
			}
		case "text":
			if p.Markdown == "" {
				t.Error("a text says nothing")
			}
		case "alarm":
			if len(p.Alarms) == 0 || len(p.Alarms) > 100 {
				t.Errorf("widget %q shows %d alarms", p.Title, len(p.Alarms))
			}
		case "log":
			if !strings.HasPrefix(p.Query, "SOURCE '/aws/lambda/heliograph-test-") || p.Region != testRegion {
				t.Errorf("widget %q asks %s in Region %q", p.Title, p.Query, p.Region)
			}
		default:
			t.Errorf("widget of unknown type %q", w.Type)
		}
	}
}

// TestDashboardShowsTheAlarms proves that the dashboard shows the state of every alarm that notifies, and the graph of
// every metric alarm with its threshold.
func TestDashboardShowsTheAlarms(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything))
	states, graphs := map[string]bool{}, map[string]bool{}
	for _, w := range readDashboard(t, run).Widgets {
		graphs[w.Properties.Title] = true
		for _, arn := range w.Properties.Alarms {
			states[strings.TrimPrefix(arn, "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:heliograph-test-")] = true
		}
	}
	for _, a := range everyAlarm() {
		if a.severity != silent && !states[a.name()] {
			t.Errorf("the dashboard does not show the state of %s", a.name())
		}
		delete(states, a.name())
		if a.rule == "" && !graphs[a.name()] {
			t.Errorf("the dashboard has no graph of %s", a.name())
		}
	}
	for name := range states {
		t.Errorf("the dashboard shows %s, which is no alarm of the stack", name)
	}
}

// TestDashboardSizes proves that the small dashboard is smaller, and that a deployment is marked only if its time is
// configured.
func TestDashboardSizes(t *testing.T) {
	t.Parallel()
	full := record(t, testConfig()).get(t, "dashboard-overview").text("dashboardBody")
	small := record(t, testConfig(func(c *Config) { c.Dashboard = essentialSize })).get(t, "dashboard-overview").text("dashboardBody")
	marked := record(t, testConfig(func(c *Config) { c.DeployedAt = "2026-01-02T03:04:05Z" })).get(t, "dashboard-overview").text("dashboardBody")
	if len(small)*2 > len(full) {
		t.Errorf("the essential dashboard has %d bytes, the full one %d", len(small), len(full))
	}
	const mark = `"vertical":[{"label":"deployed","value":"2026-01-02T03:04:05Z"}]`
	if strings.Contains(full, "vertical") || !strings.Contains(marked, mark) {
		t.Error("a deployment is marked without a time, or not marked with one")
	}
	if strings.Contains(full, socketID) || strings.Contains(full, requestID) {
		t.Error("the dashboard holds a stand-in of an API's id")
	}
}

// TestScales proves that the graphs of promises show the part of the scale in which they are kept or broken, and all others
// begin at 0.
func TestScales(t *testing.T) {
	t.Parallel()
	var body struct {
		Widgets []struct {
			Properties struct {
				Title, View string
				YAxis       struct{ Left struct{ Min, Max *int } }
			}
		}
	}
	if err := json.Unmarshal([]byte(record(t, testConfig()).get(t, "dashboard-overview").text("dashboardBody")), &body); err != nil {
		t.Fatal(err)
	}
	promises := 0
	for _, w := range body.Widgets {
		p := w.Properties
		left := p.YAxis.Left
		switch {
		case strings.HasPrefix(p.Title, "Promise: "):
			promises++
			if left.Min != nil || left.Max == nil || *left.Max != 100 {
				t.Errorf("the scale of %q does not end at 100, or does not begin where its line does", p.Title)
			}
		case p.View == "timeSeries" && (left.Min == nil || *left.Min != 0):
			t.Errorf("the scale of %q does not begin at 0", p.Title)
		}
	}
	if promises == 0 {
		t.Error("there is no promise")
	}
}

// TestLineJSON proves the JSON of a line, the one part of the body that is not a plain object.
func TestLineJSON(t *testing.T) {
	t.Parallel()
	s := series{"Heliograph", "ColdStarts", map[string]string{"Stage": "dev", "Function": "send"}}
	for want, l := range map[string]line{
		`["Heliograph","ColdStarts","Function","send","Stage","dev"]`:                              {series: s},
		`["Heliograph","ColdStarts","Function","send","Stage","dev",{"label":"send"}]`:             {series: s, Label: "send"},
		`["Heliograph","ColdStarts","Function","send","Stage","dev",{"label":"p99","stat":"p99"}]`: {series: s, Label: "p99", Stat: "p99"},
		`["Heliograph","ColdStarts","Function","send","Stage","dev",{"id":"m","visible":false}]`:   {series: s, ID: "m", Hidden: true},
		`[{"expression":"m/2","label":"half","id":"half","period":300}]`:                           {Expression: "m/2", Label: "half", ID: "half", Period: 300},
	} {
		got, err := json.Marshal(l)
		if err != nil || string(got) != want {
			t.Errorf("line %s, %v; want %s", got, err, want)
		}
	}
}

// TestConsole proves that the dashboard's address leads to the console of the stack's partition.
func TestConsole(t *testing.T) {
	t.Parallel()
	for partition, want := range map[string]string{
		"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com",
	} {
		if got := (home{partition: partition}).console(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", partition, got, want)
		}
	}
}
