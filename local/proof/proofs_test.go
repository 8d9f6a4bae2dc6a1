package proof

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/simulator/cloudwatch/alarm"
)

// proofs lists, for each alarm, a cause that must make it fire.
func proofs(d *deployment) map[string]cause {
	all := map[string]cause{
		"connect-burn-fast-long": failedConnects(0.5, heliograph.Connect), "connect-burn-fast-short": failedConnects(0.05, heliograph.Authorizer), "connect-burn-fast": failedConnects(0.5, heliograph.Authorizer),
		"connect-burn-slow-long": failedConnects(0.1, heliograph.Connect), "connect-burn-slow-short": failedConnects(0.05, heliograph.Connect), "connect-burn-slow": failedConnects(0.1, heliograph.Connect),
		"connect-burn-slower-long": failedConnects(0.1, heliograph.Authorizer), "connect-burn-slower-short": failedConnects(0.05, heliograph.Authorizer), "connect-burn-slower": failedConnects(0.1, heliograph.Authorizer),

		"delivery-burn-fast-long": lateDeliveries(0.5), "delivery-burn-fast-short": lateDeliveries(0.1), "delivery-burn-fast": failedPosts(0.5),
		"delivery-burn-slow-long": lateDeliveries(0.2), "delivery-burn-slow-short": lateDeliveries(0.05), "delivery-burn-slow": failedPosts(0.2),
		"delivery-burn-slower-long": lateDeliveries(0.2), "delivery-burn-slower-short": lateDeliveries(0.05), "delivery-burn-slower": failedPosts(0.2),

		"presence-burn-fast-long": failedQueries(0.5), "presence-burn-fast-short": slowQueries(0.3), "presence-burn-fast": failedQueries(0.5),
		"presence-burn-slow-long": slowQueries(0.3), "presence-burn-slow-short": failedQueries(0.1), "presence-burn-slow": slowQueries(0.3),
		"presence-burn-slower-long": failedQueries(0.2), "presence-burn-slower-short": slowQueries(0.1), "presence-burn-slower": failedQueries(0.2),

		"connections-drop":    during(func(m minute) { m.set("ActiveConnections", 0.6*m.sum("ActiveConnections")) }),
		"connections-unusual": during(func(m minute) { m.set("ActiveConnections", 3*m.sum("ActiveConnections")) }),
		"active-connections":  is("ActiveConnections", 41_000),
		"connect-rate":        is("ConnectCount", 450*60),

		"nobody-gets-in": rejectedTokens(1), "connects-refused": rejectedTokens(0.6),
		"keys-not-refreshed": is("KeyRefreshFailures", 1), "keys-ending": is("KeyTimeLeft", 60),

		// A lost permission: no attempt gets as far as the counts of handled requests.
		"gateway-errors": during(func(m minute) { m.set("ConnectCount"); m.move(1, "MessageCount", "ExecutionError") }),
		"client-errors":  during(func(m minute) { m.move(0.3, "MessageCount", "ClientError") }),

		"send-failures-ratio": failedPosts(0.03), "send-failures": failedPosts(0.05),
		"gateway-throttled": during(func(m minute) { m.set("PostsThrottled", 0.2*m.sum("PostsDelivered")) }),

		"message-age":   is("ApproximateAgeOfOldestMessage send", 90),
		"messages-lost": lost(0.05), "rejected-by-producer": refused(0.1),
		"in-flight": is("ApproximateNumberOfMessagesNotVisible send", 100_000),

		"crash-dead-letters": deadLetter("send-dead-letters"),
		"dead-letters-old":   is("ApproximateAgeOfOldestMessage grace-dead-letters", (12 * 24 * time.Hour).Seconds()),
		"dead-letters-send":  deadLetter("send-dead-letters"), "dead-letters-grace": deadLetter("grace-dead-letters"),
		"stream-failures": deadLetter("stream-failures"),

		"sweep-stopped-silent": silence("ActiveConnections", "SweepBacklog"), "sweep-stopped": silence("ActiveConnections", "SweepBacklog"),
		"ghosts": is("SweepBacklog", 25_000),

		"events-late": is("IteratorAge announce", 90_000), "grace-age": is("ApproximateAgeOfOldestMessage grace", 120),
		"events-refused": is("NumberOfNotificationsFailed events", 2),

		"throttled": is("Throttles online", 2), "timeouts": is("DeadlinesMissed", 3), "concurrency": is("ClaimedAccountConcurrency", 900),

		"table-throttled": during(throttledTable), "table-errors": is("SystemErrors Query", 10),
		"table-latency": during(func(m minute) { m["SuccessfulRequestLatency Query"][0] = 300 }),

		"telemetry-dead": silence("MessagesReceived"), "spans-dropped": is("SpansDropped", 5),
		"metrics-broken-parsing": is("EMFParsingErrors send", 1), "metrics-broken-validation": is("EMFValidationErrors sweep", 1),
		"pager-broken-1": is("NumberOfNotificationsFailed pages", 1),
	}
	for i, name := range heliograph.Functions() {
		all["errors-"+name] = []func(string) cause{answeredErrors, crashes}[i%2](name)
		all["near-timeout-"+name] = d.slow(name)
	}
	return all
}

// unproven lists alarms that no cause fires, with the reason.
var unproven = map[string]string{
	"sweep-stopped-seen": "it is never in alarm: its INSUFFICIENT_DATA keeps sweep-stopped quiet on a new stack, see TestNewStackIsQuiet",
}

// TestEachAlarmIsProven proves that every alarm that the program declares fires on its cause within the time that its m
// of n periods promise, ends when the cause does, and notifies each topic once.
func TestEachAlarmIsProven(t *testing.T) {
	t.Parallel()
	d, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	causes := proofs(d)
	for name := range d.alarms {
		if _, proven := causes[name]; !proven && unproven[name] == "" {
			t.Errorf("the alarm %s has no proof: add a cause on which it must fire to proofs", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(causes)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prove(t, d, name, causes[name])
		})
	}
}

func prove(t *testing.T, d *deployment, name string, c cause) {
	w, traffic := newWorld(t, d, name), newTraffic(d, 1, 100)
	lasting := func() minute { m := traffic.healthy(); c(m, false); return m }
	over := func() minute { m := traffic.healthy(); c(m, true); return m }
	for range 120 {
		w.pass(traffic.healthy())
		if a := w.alarm(name); a.State == alarm.Alarming {
			t.Fatalf("it fires on healthy traffic: %s", a.Reason)
		}
	}
	w.told = nil
	since := w.now
	if limit := d.toFire(name); !w.until(name, alarm.Alarming, limit, lasting) {
		t.Fatalf("it did not fire within %v: %s", limit, w.alarm(name).Reason)
	}
	t.Logf("it fired after %v: %s", w.now.Sub(since), w.alarm(name).Reason)
	w.wait(d.held(name), lasting)
	since = w.now
	if limit := d.toEnd(name); !w.until(name, alarm.OK, limit, over) {
		t.Fatalf("it did not end within %v: %s", limit, w.alarm(name).Reason)
	}
	t.Logf("it ended after %v", w.now.Sub(since))
	w.wait(d.held(name), over)
	want := map[string][]string{
		"page":   {"pages ALARM " + name, "tickets OK " + name},
		"ticket": {"tickets ALARM " + name, "tickets OK " + name},
	}[d.alarms[name].Severity]
	if diff := cmp.Diff(want, w.told); diff != "" {
		t.Errorf("the topics were told (-want +got):\n%s", diff)
	}
}

// wait lets a duration pass, minute by minute.
func (w *world) wait(time time.Duration, next func() minute) {
	for end := w.now.Add(time); w.now.Before(end); {
		w.pass(next())
	}
}

// grain is how late a change may be noticed: alarms are evaluated once a minute.
const grain = time.Minute

// beyond is how many periods more than n an alarm examines if values are missing.
const beyond = 2

// toFire is how long a cause may last before an alarm fires: m periods or, for a heartbeat, all periods in which the
// alarm searches for one.
func (d *deployment) toFire(name string) (limit time.Duration) {
	a := d.alarms[name]
	for _, needed := range needs(a) {
		limit = max(limit, d.toFire(needed))
	}
	if m := a.Metric; m != nil {
		periods := m.DatapointsToAlarm
		if m.Missing == "breaching" {
			periods = m.EvaluationPeriods + beyond
		}
		limit = time.Duration(periods)*period(m) + grain
	}
	return limit
}

// toEnd is how long an alarm may outlast its cause: until no examined period is bad.
func (d *deployment) toEnd(name string) (limit time.Duration) {
	a := d.alarms[name]
	for _, needed := range needs(a) {
		limit = max(limit, d.toEnd(needed))
	}
	if m := a.Metric; m != nil {
		limit = time.Duration(m.EvaluationPeriods+beyond)*period(m) + grain
	}
	return limit
}

// held is how long an alarm's actions wait for its suppressor.
func (d *deployment) held(name string) time.Duration {
	if c := d.alarms[name].Composite; c != nil {
		return c.Wait
	}
	return 0
}

func period(m *alarm.MetricAlarm) time.Duration {
	if m.Period != 0 {
		return m.Period
	}
	for _, q := range m.Queries {
		if q.Metric != nil {
			return q.Period
		}
	}
	return 0
}

// TestEveryMetricIsFed proves that the proofs concern the deployed metrics: each metric that an alarm watches has a
// value in healthy traffic or in a cause, and no value belongs to a metric that no alarm watches.
func TestEveryMetricIsFed(t *testing.T) {
	t.Parallel()
	d, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	fed, traffic := map[string]bool{}, newTraffic(d, 1, 100)
	for _, c := range proofs(d) {
		m := traffic.healthy()
		c(m, false)
		for name := range m {
			fed[name] = true
			if _, known := d.series[name]; !known {
				t.Errorf("no alarm watches %s", name)
			}
		}
	}
	for name := range d.series {
		if !fed[name] && !alike(fed, name) {
			t.Errorf("an alarm watches %s, of which no minute has a value", name)
		}
	}
}

// alike reports whether a metric of the same name, but of another function, operation or index, has a value.
func alike(fed map[string]bool, name string) bool {
	first, rest, _ := strings.Cut(name, " ")
	return rest != "" && slices.ContainsFunc(slices.Collect(maps.Keys(fed)), func(other string) bool {
		of, _, _ := strings.Cut(other, " ")
		return of == first
	})
}

// TestNewStackIsQuiet proves that a stack on which sweep has never run doesn't page for the missing heartbeat, although
// the child of that alarm is already in alarm.
func TestNewStackIsQuiet(t *testing.T) {
	t.Parallel()
	d, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, d, "sweep-stopped")
	w.wait(time.Hour, func() minute { return minute{} })
	if child := w.alarm("sweep-stopped-silent"); child.State != alarm.Alarming {
		t.Errorf("the child is in %s", child.State)
	}
	if got := w.alarm("sweep-stopped"); got.State != alarm.OK {
		t.Errorf("a new stack is in %s: %s", got.State, got.Reason)
	}
}

// TestGapsAreNoLetters proves that a minute without a value of a queue's metric doesn't turn old dead letters into new
// ones.
func TestGapsAreNoLetters(t *testing.T) {
	t.Parallel()
	d, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, d, "stream-failures")
	old := func() minute { return minute{"ApproximateNumberOfMessagesVisible stream-failures": {5}} }
	w.wait(10*time.Minute, old)
	w.told = nil
	w.pass(minute{})
	w.wait(10*time.Minute, old)
	if len(w.told) > 0 {
		t.Errorf("told %v", w.told)
	}
}

// TestThrottledPostsDoNotPage proves that a storm of 429 raises a ticket, and that the failed posts it causes do not
// page.
func TestThrottledPostsDoNotPage(t *testing.T) {
	t.Parallel()
	d, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	w, traffic := newWorld(t, d, "send-failures"), newTraffic(d, 1, 100)
	w.wait(10*time.Minute, traffic.healthy)
	w.told = nil
	w.wait(30*time.Minute, func() minute {
		m := traffic.healthy()
		failedPosts(0.2)(m, false)
		m.set("PostsThrottled", m.sum("PostsFailed")*4)
		return m
	})
	if got := w.alarm("send-failures"); got.State != alarm.Alarming || got.SuppressedBy == "" {
		t.Errorf("send-failures is in %s, suppressed by %q", got.State, got.SuppressedBy)
	}
	if diff := cmp.Diff([]string{"tickets ALARM gateway-throttled"}, w.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
