package sqs_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/sqs"
)

// redelivering is a server that delivers every message once more, after a time.
func redelivering(c sqs.Clock, after time.Duration) *sqs.Server {
	return sqs.New(sqs.Options{
		Region: "eu-west-1", Account: account, Endpoint: "http://sqs.test", Clock: c,
		Redeliver: func(string) (time.Duration, bool) { return after, true },
	})
}

// TestRedelivery proves that a message scheduled for redelivery comes exactly once more, whether or not it was deleted
// before, at once or when its time has come, and that the second delivery can be deleted.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		after   time.Duration
		deleted bool
	}{
		"at once": {0, false}, "at once, deleted": {0, true},
		"later": {4 * time.Second, false}, "later, deleted": {4 * time.Second, true},
		"after the time-out, deleted": {15 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			q := mustCreate(t, redelivering(c, test.after), "q", "VisibilityTimeout", "10")
			mustSend(t, q, "a")
			first := mustReceive(t, q)
			if test.deleted {
				mustDelete(t, q, first)
			}
			if test.after > 0 {
				c.advance(test.after - time.Nanosecond)
				if early := bodies(mustReceive(t, q)); early != nil {
					t.Errorf("too early: %v", early)
				}
				c.advance(time.Nanosecond)
			}
			second := mustReceive(t, q)
			if diff := cmp.Diff([]string{"a"}, bodies(second)); diff != "" {
				t.Fatal(diff)
			}
			if second[0].MessageID != first[0].MessageID || second[0].Attributes["ApproximateReceiveCount"] != "2" {
				t.Errorf("the second delivery is %+v", second[0])
			}
			mustDelete(t, q, second)
			c.advance(time.Hour)
			if more := bodies(mustReceive(t, q)); more != nil {
				t.Errorf("a third time: %v", more)
			}
		})
	}
}

func mustDelete(t *testing.T, q *sqs.Queue, messages []sqs.Message) {
	t.Helper()
	for _, m := range messages {
		if err := q.Delete(m.ReceiptHandle); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRedeliveryWakes proves that a waiting receiver gets the second delivery as soon as it is due.
func TestRedeliveryWakes(t *testing.T) {
	t.Parallel()
	for name, deleted := range map[string]bool{"deleted": true, "not deleted": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := mustCreate(t, redelivering(nil, 4*time.Second), "q")
				mustSend(t, q, "a")
				got := mustReceive(t, q)
				waits := waiting(t.Context(), q, 20*time.Second)
				if deleted {
					mustDelete(t, q, got)
				}
				if diff := cmp.Diff(receipt{[]string{"a"}, "", 4 * time.Second}, <-waits); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
