package stack

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph"
)

// runbookName is how a description names a runbook.
var runbookName = regexp.MustCompile(`Runbook: docs/runbooks/([a-z-]+)\.md$`)

// TestRunbooks proves that whoever an alarm wakes finds what to do: each alarm has a runbook with an answer to the
// three questions, and no runbook is of an alarm that is no more.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "..", "docs", "runbooks")
	wanted := map[string]bool{}
	for _, a := range record(t, testConfig()).ofKind("aws:cloudwatch/metricAlarm:MetricAlarm") {
		match := runbookName.FindStringSubmatch(a.text("alarmDescription"))
		if match == nil {
			t.Errorf("the description of %s names no runbook: %s", a.name, a.text("alarmDescription"))
			continue
		}
		if !strings.HasPrefix(a.name, "alarms-"+match[1]) {
			t.Errorf("%s has the runbook of %s", a.name, match[1])
		}
		wanted[match[1]+".md"] = true
	}
	for name := range wanted {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Errorf("an alarm has no runbook: %v", err)
			continue
		}
		for _, heading := range []string{"# " + strings.TrimSuffix(name, ".md"), "## What it means", "## What to look at", "## What to do"} {
			if !strings.Contains("\n"+string(text), "\n"+heading+"\n") {
				t.Errorf("runbook %s has no heading %q", name, heading)
			}
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !wanted[file.Name()] && file.Name() != "README.md" {
			t.Errorf("runbook %s has no alarm", file.Name())
		}
	}
}

// TestAlarms proves when each alarm fires.
func TestAlarms(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(func(c *Config) {
		c.Thresholds = Thresholds{SendFailures: 11, DeadLetters: 12, ActiveConnections: 13, FunctionErrors: 14, MessageAge: 15}
	}))
	const atLeast, below = "GreaterThanOrEqualToThreshold", "LessThanThreshold"
	want := map[string][]any{
		// namespace, metric, statistic, period, periods, comparison, threshold, without values
		"send-failures":      {"Heliograph", "PostsFailed", "Sum", 300.0, 1.0, atLeast, 11.0, "notBreaching"},
		"message-age":        {"AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 60.0, 5.0, atLeast, 15.0, "notBreaching"},
		"events-late":        {"AWS/Lambda", "IteratorAge", "Maximum", 60.0, 5.0, atLeast, 15_000.0, "notBreaching"},
		"keys-not-refreshed": {"Heliograph", "KeyRefreshFailures", "Sum", 300.0, 3.0, atLeast, 1.0, "notBreaching"},
		"active-connections": {"Heliograph", "ActiveConnections", "Maximum", 60.0, 3.0, atLeast, 13.0, "ignore"},
		"sweep-stopped":      {"Heliograph", "ActiveConnections", "SampleCount", 60.0, 5.0, below, 1.0, "breaching"},
	}
	for _, of := range []string{"send", "grace", "stream"} {
		want["dead-letters-"+of] = []any{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 60.0, 1.0, atLeast, 12.0, "notBreaching"}
	}
	for _, of := range heliograph.Functions() {
		want["function-errors-"+of] = []any{"AWS/Lambda", "Errors", "Sum", 300.0, 1.0, atLeast, 14.0, "notBreaching"}
		want["handler-errors-"+of] = []any{"Heliograph", "HandlerErrors", "Sum", 300.0, 1.0, atLeast, 14.0, "notBreaching"}
	}
	got := map[string][]any{}
	for _, a := range run.ofKind("aws:cloudwatch/metricAlarm:MetricAlarm") {
		var row []any
		for _, key := range []string{"namespace", "metricName", "statistic", "period", "evaluationPeriods", "comparisonOperator", "threshold", "treatMissingData"} {
			row = append(row, a.at(key))
		}
		got[strings.TrimPrefix(a.text("name"), "heliograph-test-")] = row
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
	for name, queue := range map[string]string{
		"alarms-dead-letters-send": "send-dead-letters", "alarms-dead-letters-grace": "grace-dead-letters",
		"alarms-dead-letters-stream": "stream-failures", "alarms-message-age": "send",
	} {
		if got := run.get(t, name).text("dimensions.QueueName"); got != "heliograph-test-"+queue {
			t.Errorf("%s watches %s, want %s", name, got, queue)
		}
	}
}

// TestAlarmTargets proves where alarms go.
func TestAlarmTargets(t *testing.T) {
	t.Parallel()
	const pages, own = "arn:aws:sns:eu-west-1:123456789012:pages", "arn:aws:sns:eu-west-1:123456789012:heliograph-test-alarms"
	tests := map[string]struct {
		email, topic string
		want         []any
	}{
		"nobody":      {"", "", []any{}},
		"a mail":      {"ops@example.com", "", []any{own}},
		"their topic": {"", pages, []any{pages}},
		"both":        {"ops@example.com", pages, []any{pages, own}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := record(t, testConfig(func(c *Config) { c.AlarmEmail, c.AlarmTopicARN = test.email, test.topic }))
			for _, a := range run.ofKind("aws:cloudwatch/metricAlarm:MetricAlarm") {
				if !cmp.Equal(a.at("alarmActions"), any(test.want)) || !cmp.Equal(a.at("okActions"), any(test.want)) {
					t.Errorf("%s goes to %v and back to %v, want %v", a.name, a.at("alarmActions"), a.at("okActions"), test.want)
				}
			}
			if got := len(run.ofKind("aws:kms/key:Key")); (got == 1) != (test.email != "") {
				t.Errorf("%d keys for mail to %q", got, test.email)
			}
		})
	}
	email := record(t, testConfig(everything)).get(t, "alarms-email")
	if email.text("protocol") != "email" || email.text("endpoint") != "ops@example.com" || email.text("topic") != own {
		t.Errorf("the subscription is %v", properties(email))
	}
}

// TestCloudWatchCanPublish proves that pages don't vanish: the topic of alarms and its key both let CloudWatch in, for
// our alarms alone.
func TestCloudWatchCanPublish(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(everything))
	type conditional struct {
		Statement []struct {
			Action    texts
			Principal map[string]texts
			Condition map[string]map[string]string
		}
	}
	want := map[string]map[string]string{
		"StringEquals": {"aws:SourceAccount": testAccount},
		"ArnLike":      {"aws:SourceArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:heliograph-test-*"},
	}
	for name, actions := range map[string]texts{"alarms-topic": {"sns:Publish"}, "alarms-key": {"kms:Decrypt", "kms:GenerateDataKey"}} {
		var p conditional
		run.get(t, name).document(t, "policy", &p)
		last := p.Statement[len(p.Statement)-1]
		if !cmp.Equal(last.Action, actions) || !cmp.Equal(last.Principal, map[string]texts{"Service": {"cloudwatch.amazonaws.com"}}) {
			t.Errorf("%s lets %v do %v", name, last.Principal, last.Action)
		}
		if diff := cmp.Diff(want, last.Condition); diff != "" {
			t.Errorf("%s, condition (-want +got):\n%s", name, diff)
		}
	}
	if got, want := run.get(t, "alarms-topic").text("kmsMasterKeyId"), "arn:aws:kms:eu-west-1:123456789012:key/alarms-key"; got != want {
		t.Errorf("the topic is encrypted by %s, want %s", got, want)
	}
}
