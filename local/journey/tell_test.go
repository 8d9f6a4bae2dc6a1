package journey_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/local/journey"
)

// sent is when the message in these tests was queued.
var sent = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func after(seconds float64) float64 { return float64(sent.Unix()) + seconds }

// attempt returns a segment document of send that holds the span of a message and, optionally, one of another message.
func attempt(t *testing.T, id string, n int, begins float64, outcome string, calls ...string) journey.Segment {
	t.Helper()
	s, err := journey.ReadSegment(fmt.Sprintf(`{"trace_id":"trace-%d","name":"send","start_time":%f,"end_time":%f,"subsegments":[
	 {"name":"message","start_time":%f,"end_time":%f,"annotations":{"messageId":"other","attempt":1,"outcome":"expired"}},
	 {"name":"message","start_time":%f,"end_time":%f,"annotations":{"messageId":%q,"attempt":%d,"outcome":%q,"sentAt":%d},"subsegments":[%s]}]}`,
		n, begins, begins+1, begins, begins+1, begins, begins+0.5, id, n, outcome, sent.UnixMilli(), strings.Join(calls, ",")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func post(begins float64, status int, connection string) string {
	return fmt.Sprintf(`{"name":"ApiGatewayManagementApi","start_time":%f,"end_time":%f,"throttle":%t,"aws":{"operation":"PostToConnection","connection_id":%q,"retries":2},"http":{"response":{"status":%d}}}`,
		begins, begins+0.01, status == 429, connection, status)
}

func logged(t *testing.T, at float64, members string) journey.Line {
	t.Helper()
	l, err := journey.ReadLine(fmt.Sprintf(`{"timestamp":%q,%s}`, sent.Add(time.Duration(at*float64(time.Second))).Format(time.RFC3339Nano), members))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// titles lists the titles of a journey's steps.
func titles(j journey.Journey) []string {
	list := []string{j.Status + " " + j.Outcome}
	for _, s := range j.Steps {
		list = append(list, fmt.Sprintf("%s %d %s", s.Status, s.Attempt, s.Title))
	}
	return list
}

// TestTell proves that a journey names each step in order, leaves other messages out, and reports gaps.
func TestTell(t *testing.T) {
	t.Parallel()
	followUp := logged(t, 1, `"message":"follow-up queued","messageId":"m1","id":"order-7","attempt":1,"outcome":"failed","cause":"429","owed":1,"delaySeconds":5,"queuedAs":["m2"]`)
	dead := logged(t, 12, `"message":"message dead-lettered","messageId":"m2","attempt":2,"outcome":"failed","reason":"undelivered","queuedAs":["m3"]`)
	other := logged(t, 2, `"message":"message done","messageId":"other","attempt":1,"outcome":"expired"`)
	first := attempt(t, "m1", 1, after(0.5), "failed", post(after(0.6), 429, "c1"), post(after(0.7), 410, "c2"))
	second := attempt(t, "m2", 2, after(7), "delivered", post(after(7.1), 200, "c1"))
	failed := []string{"ok 0 Queued", "ok 1 Received by send", "bad 1 Posted to c1", "warn 1 Posted to c2", "warn 1 Follow-up queued"}
	for name, tt := range map[string]struct {
		id       string
		lines    []journey.Line
		segments []journey.Segment
		now      float64
		want     []string
	}{
		"delivered at once": {"m2", nil, []journey.Segment{attempt(t, "m2", 1, after(1), "delivered", post(after(1.1), 200, "c1"))}, 9, []string{
			"ok delivered", "ok 0 Queued", "ok 1 Received by send", "ok 1 Posted to c1", "ok 1 Delivered",
		}},
		"delivered by a follow-up": {"m1", []journey.Line{other, followUp, followUp}, []journey.Segment{second, first, first}, 60, append(append(
			[]string{"ok delivered"}, failed...), "ok 2 Received by send", "ok 2 Posted to c1", "ok 2 Delivered")},
		"by its producer's name": {"order-7", []journey.Line{followUp}, []journey.Segment{first, second}, 60, append(append(
			[]string{"ok delivered"}, failed...), "ok 2 Received by send", "ok 2 Posted to c1", "ok 2 Delivered")},
		"not due yet":        {"m1", []journey.Line{followUp}, []journey.Segment{first}, 3, append(append([]string{"info under way"}, failed...), "gap 2 Waits for its next attempt")},
		"never came":         {"m1", []journey.Line{followUp}, []journey.Segment{first}, 99, append(append([]string{"warn lost from sight"}, failed...), "gap 2 The next attempt left no trace")},
		"dead-lettered":      {"m1", []journey.Line{dead, followUp}, []journey.Segment{first}, 99, append(append([]string{"bad dead-lettered"}, failed...), "bad 2 Dead-lettered")},
		"by the dead letter": {"m3", []journey.Line{followUp, dead}, []journey.Segment{first}, 99, append(append([]string{"bad dead-lettered"}, failed...), "bad 2 Dead-lettered")},
		"without traces": {"m1", []journey.Line{followUp, dead}, nil, 99, []string{
			"bad dead-lettered", "gap 0 When it was queued is not known", "warn 1 Follow-up queued", "bad 2 Dead-lettered",
		}},
		"unknown": {"m9", []journey.Line{followUp}, []journey.Segment{first}, 9, []string{"info unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := journey.Tell(tt.id, tt.lines, tt.segments, sent.Add(time.Duration(tt.now*float64(time.Second))))
			if j.Steps == nil {
				t.Error("the steps are no list, which JSON would give as null")
			}
			if diff := cmp.Diff(tt.want, titles(j)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// TestUnfinishedAttempt proves that an attempt that was cut off is reported as such.
func TestUnfinishedAttempt(t *testing.T) {
	t.Parallel()
	s := attempt(t, "m1", 1, after(1), "", post(after(1.1), 200, "c1"))
	s.Subsegments[1].InProgress = true
	j := journey.Tell("m1", nil, []journey.Segment{s}, sent.Add(time.Minute))
	if got := j.Steps[1]; got.Status != "warn" || !strings.Contains(got.Detail, "never came to an end") {
		t.Errorf("the attempt is told as %+v", got)
	}
	if j.Summary != "3 steps, 1 attempt, 1.1s" {
		t.Errorf("the summary is %q", j.Summary)
	}
}
