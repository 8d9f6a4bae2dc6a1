package stack

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/alarms.md and docs/configuration.md anew")

// everyAlarm returns the alarms of a stack with everything turned on.
func everyAlarm() []alarm {
	d := &deployment{stage: testStage, config: testConfig(everything)}
	return d.alarms(queues{
		send: queue{name: "send"}, sendDeadLetters: queue{name: "send-dead-letters"},
		grace: queue{name: "grace"}, graceDeadLetters: queue{name: "grace-dead-letters"}, streamFailures: queue{name: "stream-failures"},
	}, alarmTargets{pages: []alarmTarget{{topic: "pager"}, {topic: "pages"}}})
}

// TestRunbooks proves that the operator on call finds instructions: each alarm has a runbook that answers each
// question, and no runbook belongs to a removed alarm.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "..", "docs", "runbooks")
	wanted := map[string]bool{"README.md": true}
	for _, a := range everyAlarm() {
		wanted[a.runbookName()+".md"] = true
		if want := "Runbook: docs/runbooks/" + a.runbookName() + ".md"; !strings.HasSuffix(a.description("docs/runbooks/"), want) {
			t.Errorf("the description of %s does not end with its runbook: %s", a.name(), a.description("docs/runbooks/"))
		}
	}
	for name := range wanted {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Errorf("an alarm has no runbook: %v", err)
			continue
		}
		if name == "README.md" {
			continue
		}
		for _, heading := range []string{
			"# " + strings.TrimSuffix(name, ".md"), "## What users notice", "## First look", "## Likely causes", "## What to do", "## How to see that it is over",
		} {
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
		if !wanted[file.Name()] {
			t.Errorf("runbook %s has no alarm", file.Name())
		}
	}
}

// TestAlarmsDocument holds docs/alarms.md equal to the alarms, so that a review shows every change. Run it with
// -update.
func TestAlarmsDocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "alarms.md")
	want := alarmsDocument(everyAlarm())
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/alarms.md is not what the alarms give (-want +got); run go test ./infra/stack -run TestAlarmsDocument -update:\n%s", diff)
	}
}

func alarmsDocument(all []alarm) string {
	var b strings.Builder
	b.WriteString("<!-- Made from the alarms in infra/stack by go test ./infra/stack -run TestAlarmsDocument -update. -->\n\n# Alarms\n\n" +
		"Severity, threshold and objectives are defaults: see `heliograph:severities`, `heliograph:thresholds` and `heliograph:objectives`,\n" +
		"each by the alarm's first name without its part. *m of n* periods have to be bad. The expressions are\n" +
		"[metric math](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html) over the metrics named behind\n" +
		"them. A child tells nobody; its composite does.\n")
	for _, a := range all {
		fmt.Fprintf(&b, "\n## %s\n\n%s Severity: **%s**. Runbook: [%s](runbooks/%s.md).\n\n", a.name(), a.meaning, severityName(a.severity), a.runbookName(), a.runbookName())
		if a.rule != "" {
			fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(a.rule, "heliograph-"+testStage+"-", ""))
			if a.suppressor != "" {
				fmt.Fprintf(&b, "\nQuiet while %s is in alarm.\n", a.suppressor)
			}
			continue
		}
		fmt.Fprintf(&b, "    %s\n\n", watched(a))
		for _, in := range a.inputs {
			fmt.Fprintf(&b, "- `%s`: %s %s, %s\n", in.id, in.namespace, in.name, cmp.Or(in.stat, a.stat))
		}
		comparison := "At or above"
		if a.below {
			comparison = "Below"
		}
		if a.band {
			fmt.Fprintf(&b, "\nOutside of the band, ")
		} else {
			fmt.Fprintf(&b, "\n%s **%s** %s, ", comparison, strconv.FormatFloat(a.threshold, 'f', -1, 64), a.unit)
		}
		fmt.Fprintf(&b, "%d of %d periods of %s; missing data: %s.\n", a.m, a.n, short(a.period), a.missing)
	}
	return b.String()
}

func severityName(s severity) string {
	if s == silent {
		return "none, a child"
	}
	return string(s)
}

func watched(a alarm) string {
	if a.expression == "" {
		return a.inputs[0].id
	}
	return a.expression
}

var mathID = regexp.MustCompile(`\b[a-z][a-z0-9]*\b`)

// TestAlarmsAreSound proves the absence of alarms that CloudWatch would refuse or never evaluate: an expression with an
// unknown id or without one of its inputs, too many metrics, too long a range, a rule over missing alarms, two alarms
// of one name.
func TestAlarmsAreSound(t *testing.T) {
	t.Parallel()
	all := everyAlarm()
	names := map[string]bool{}
	for _, a := range all {
		if names[a.name()] {
			t.Errorf("two alarms are called %s", a.name())
		}
		names[a.name()] = true
	}
	for _, a := range all {
		if a.rule != "" {
			for _, child := range regexp.MustCompile(`"heliograph-test-([^"]+)"`).FindAllStringSubmatch(a.rule, -1) {
				if !names[child[1]] {
					t.Errorf("the rule of %s names %s, which is no alarm", a.name(), child[1])
				}
			}
			if a.suppressor != "" && !names[a.suppressor] {
				t.Errorf("%s is suppressed by %s, which is no alarm", a.name(), a.suppressor)
			}
			continue
		}
		checkMetricAlarm(t, a)
	}
}

func checkMetricAlarm(t *testing.T, a alarm) {
	t.Helper()
	ids := map[string]bool{}
	for _, in := range a.inputs {
		ids[in.id] = true
	}
	if len(ids) != len(a.inputs) || len(ids) == 0 || len(ids) > 10 {
		t.Errorf("%s has %d inputs under %d ids", a.name(), len(a.inputs), len(ids))
	}
	if a.expression != "" {
		used := map[string]bool{}
		for _, id := range mathID.FindAllString(a.expression, -1) {
			used[id] = true
		}
		if diff := gocmp.Diff(slices.Sorted(maps.Keys(ids)), slices.Sorted(maps.Keys(used))); diff != "" {
			t.Errorf("%s: inputs (-) and ids in %s (+): %s", a.name(), a.expression, diff)
		}
	}
	longest := 24 * time.Hour
	if a.period >= time.Hour {
		longest = 7 * 24 * time.Hour
	}
	if a.period*time.Duration(a.n) > longest || a.m < 1 || a.m > a.n {
		t.Errorf("%s looks at %d of %d periods of %s", a.name(), a.m, a.n, a.period)
	}
	if a.missing == "" || a.meaning == "" || a.unit == "" && !a.band {
		t.Errorf("%s lacks its missing data, its meaning or its unit: %+v", a.name(), a)
	}
	if unit := int(a.period / time.Second); unit != 10 && unit != 30 && unit%60 != 0 {
		t.Errorf("%s has a period of %s", a.name(), a.period)
	}
}

// TestAlarmConfig proves that a threshold, a severity and an objective reach their alarms, and no others.
func TestAlarmConfig(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig(func(c *Config) {
		c.AlarmTopicARN, c.TicketTopicARN = "arn:aws:sns:eu-west-1:123456789012:pages", "arn:aws:sns:eu-west-1:123456789012:tickets"
		c.Thresholds = map[string]float64{"message-age": 17}
		c.Severities = map[string]string{"*": "ticket", "message-age": "page", "ghosts": "none"}
		c.Objectives["connect"] = 99
	}))
	for name, want := range map[string][]any{ // threshold, then the alarm's targets
		"alarms-message-age": {17.0, []any{"arn:aws:sns:eu-west-1:123456789012:pages"}},
		"alarms-throttled":   {1.0, []any{"arn:aws:sns:eu-west-1:123456789012:tickets"}},
		"alarms-ghosts":      {10_000.0, []any{}},
	} {
		a := run.get(t, name)
		if diff := gocmp.Diff(want, []any{a.at("threshold"), a.at("alarmActions")}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	queries := run.get(t, "alarms-connect-burn-fast-long").at("metricQueries").([]any)
	if got := queries[len(queries)-1].(map[string]any)["expression"].(string); !strings.Contains(got, "/0.01,") {
		t.Errorf("the burn rate does not know the objective: %s", got)
	}
}

// TestEssentialAlarms proves that a small stack keeps the alarms that page by default, with the alarms they depend on,
// whatever severities are configured.
func TestEssentialAlarms(t *testing.T) {
	t.Parallel()
	d := &deployment{stage: testStage, config: testConfig(func(c *Config) {
		c.Alarms, c.Severities = essentialSize, map[string]string{"*": "ticket"}
	})}
	names := map[string]bool{}
	for _, a := range d.alarms(queues{}, alarmTargets{}) {
		names[a.name()] = true
	}
	for name, want := range map[string]bool{
		"connect-burn-fast": true, "connect-burn-fast-long": true, "send-failures": true, "gateway-throttled": true,
		"sweep-stopped-seen": true, "dead-letters-send": false, "connect-burn-slow": false, "near-timeout-send": false,
	} {
		if names[name] != want {
			t.Errorf("%s is declared: %v", name, names[name])
		}
	}
}

// TestAlarmTargets proves where alarms go, and that a recovery never pages.
func TestAlarmTargets(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:sns:eu-west-1:123456789012:"
	const pager, desk, ownPages, ownTickets = arn + "pager", arn + "desk", arn + "heliograph-test-pages", arn + "heliograph-test-tickets"
	tests := map[string]struct {
		email, pager, desk string
		pages, tickets     []any
	}{
		"nobody":      {"", "", "", []any{}, []any{}},
		"a mail":      {"ops@example.com", "", "", []any{ownPages}, []any{ownTickets}},
		"their topic": {"", pager, "", []any{pager}, []any{pager}},
		"two topics":  {"", pager, desk, []any{pager}, []any{desk}},
		"all":         {"ops@example.com", pager, desk, []any{pager, ownPages}, []any{desk, ownTickets}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := record(t, testConfig(func(c *Config) { c.AlarmEmail, c.AlarmTopicARN, c.TicketTopicARN = test.email, test.pager, test.desk }))
			for alarm, want := range map[string][2][]any{
				"message-age": {test.pages, test.tickets}, "send-failures": {test.pages, test.tickets},
				"ghosts": {test.tickets, test.tickets}, "send-failures-ratio": {{}, {}},
			} {
				a := run.get(t, "alarms-"+alarm)
				if diff := gocmp.Diff(want, [2][]any{a.at("alarmActions").([]any), a.at("okActions").([]any)}); diff != "" {
					t.Errorf("%s goes to and comes back to: %s", alarm, diff)
				}
			}
			if got := len(run.ofKind("aws:kms/key:Key")); (got == 1) != (test.email != "") {
				t.Errorf("%d keys for mail to %q", got, test.email)
			}
			if got := len(slices.DeleteFunc(run.ofKind("aws:cloudwatch/metricAlarm:MetricAlarm"), func(r recorded) bool {
				return !strings.Contains(r.name, "pager-broken")
			})); got != len(test.pages) {
				t.Errorf("%d alarms watch %d topics of pages", got, len(test.pages))
			}
		})
	}
	email := record(t, testConfig(everything)).get(t, "alarms-pages-email")
	if email.text("protocol") != "email" || email.text("endpoint") != "ops@example.com" || email.text("topic") != ownPages {
		t.Errorf("the subscription is %v", properties(email))
	}
}

// TestCloudWatchCanPublish proves that pages are not lost: the topic of alarms and its key both admit CloudWatch, for
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
	for name, actions := range map[string]texts{"alarms-pages": {"sns:Publish"}, "alarms-tickets": {"sns:Publish"}, "alarms-key": {"kms:Decrypt", "kms:GenerateDataKey"}} {
		var p conditional
		run.get(t, name).document(t, "policy", &p)
		last := p.Statement[len(p.Statement)-1]
		if !gocmp.Equal(last.Action, actions) || !gocmp.Equal(last.Principal, map[string]texts{"Service": {"cloudwatch.amazonaws.com"}}) {
			t.Errorf("%s lets %v do %v", name, last.Principal, last.Action)
		}
		if diff := gocmp.Diff(want, last.Condition); diff != "" {
			t.Errorf("%s, condition (-want +got):\n%s", name, diff)
		}
	}
	if got, want := run.get(t, "alarms-pages").text("kmsMasterKeyId"), "arn:aws:kms:eu-west-1:123456789012:key/alarms-key"; got != want {
		t.Errorf("the topic is encrypted by %s, want %s", got, want)
	}
}
