package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/presence"
)

// TestEveryDeviceGetsEveryByte proves that each of a user's devices gets the whole body, byte for byte, and no other
// device gets any of it.
func TestEveryDeviceGetsEveryByte(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"text": "hello", "empty": "", "blank": " ", "lines and quotes": "a\r\n\"b\"\t\\", "UTF-8": "é 😀 \u2028 \x00",
		"JSON": `{"a": [1.0, "<&>"]}`, "largest": strings.Repeat("0123456789abcdef", message.MaxBody/16),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.presence.connections["1234"] = []presence.Connection{since("phone=", time.Hour), since("laptop/+", time.Minute)}
				b.presence.connections["5678"] = []presence.Connection{since("other", time.Hour)}
				m := plain("m", body)
				time.Sleep(250 * time.Millisecond)
				if returned := b.deliver(b.Context(), m); returned != nil {
					t.Fatalf("returned %v", returned)
				}
				want := map[string][]string{"phone=": {body}, "laptop/+": {body}}
				if diff := cmp.Diff(want, b.gateway.received()); diff != "" {
					t.Errorf("posts (-want +got):\n%s", diff)
				}
				if len(b.queue.sent) > 0 {
					t.Errorf("%d messages were sent to a queue", len(b.queue.sent))
				}
				metrics := map[string][]float64{"MessagesReceived": {1}, "PostsDelivered": {2}, "DeliveryLatency": {250, 250}, "DeliveriesDue": {2}, "DeliveriesOnTime": {2}}
				if diff := cmp.Diff(metrics, b.metrics()); diff != "" {
					t.Errorf("metrics (-want +got):\n%s", diff)
				}
				if log := b.logged("message done"); len(log) > 0 {
					t.Errorf("a plain delivery was logged: %v", log)
				}
			})
		})
	}
}

// TestLatencyOfClocksThatDiffer proves that clock skew never makes a latency negative.
func TestLatencyOfClocksThatDiffer(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
		ahead, unknown := plain("1", "hello"), plain("2", "hello")
		ahead.SentAt, unknown.SentAt = ahead.SentAt.Add(time.Second), time.Time{}
		b.deliver(b.Context(), ahead, unknown)
		if latency := b.metrics()["DeliveryLatency"]; !cmp.Equal(latency, []float64{0}) {
			b.Errorf("latencies %v, want 0 and none", latency)
		}
	})
}

// TestPoisonBesideGood proves that bad records end in the dead-letter queue, each once and with its reason, and that
// the good ones in the same batch arrive.
func TestPoisonBesideGood(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
		expired := plain("expired", "late")
		expired.Body = strings.Replace(expired.Body, "{", `{"ExpiresAt":"`+time.Now().Format(time.RFC3339)+`",`, 1)
		tampered := map[string]string{
			"no JSON": "?", "no number": `{"attempt":"2"}`, "attempt 0": `{}`, "attempt 4": `{"attempt":4}`,
			"negative tally": `{"attempt":1,"tally":{"delivered":-1}}`, "negative debt": `{"attempt":1,"owed":{"1234":{"gone":-1}}}`,
			"somebody else's": `{"attempt":1,"owed":{"5678":{}}}`, "long holder": `{"attempt":1,"holder":"` + strings.Repeat("x", 65) + `"}`, "from the future": `{"attempt":1,"firstSentAt":99999999999999}`,
			"null": `null`, "list": `[]`, "huge": `{"attempt":1e999}`,
		}
		records := []Record{plain("first", "one"), {ID: "no JSON", Body: "hello"}, expired}
		for name, text := range tampered {
			r := plain("tampered: "+name, "bad")
			r.Attributes = map[string]types.MessageAttributeValue{"HeliographRetry": stringAttribute(text), "which": foreign(name)}
			records = append(records, r)
		}
		binary := plain("tampered: binary", "bad")
		binary.Attributes = map[string]types.MessageAttributeValue{"HeliographRetry": {DataType: aws.String("Binary"), BinaryValue: []byte("{}")}}
		records = append(records, binary, plain("last", "two"))

		if returned := b.deliver(b.Context(), records...); returned != nil {
			b.Errorf("returned %v", returned)
		}
		if got := len(b.gateway.received()["a"]); got != 2 {
			b.Errorf("%d posts, want the two good ones", got)
		}
		if got, want := len(b.queue.to(deadLetterURL)), len(tampered)+2; got != want {
			b.Errorf("%d dead letters, want %d", got, want)
		}
		for _, in := range b.queue.to(deadLetterURL) {
			reason := attribute(in, "RejectReason")
			if attribute(in, "which") != "" && !strings.HasPrefix(reason, "bad-follow-up: ") {
				b.Errorf("%s: reason %q", attribute(in, "which"), reason)
			}
			if attribute(in, "Attempts") != "1" || attribute(in, "HeliographRetry") != "" {
				b.Errorf("attributes %v", texts(in))
			}
		}
		metrics := b.metrics()
		n := float64(len(records))
		if metrics["MessagesReceived"][0] != n || metrics["MessagesExpired"][0] != 1 || metrics["MessagesRejected"][0] != n-3 || metrics["MessagesDeadLettered"][0] != n-3 {
			b.Errorf("metrics %v", metrics)
		}
	})
}

// TestQueueFailure proves that records that can't be settled go back, in the records' order, and are not counted.
func TestQueueFailure(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
		b.gateway.answers["a"] = []answer{{status: 403}}
		b.queue.send = func(context.Context, *sqs.SendMessageInput) error { return errors.New("queue is down") }
		var records []Record
		var want []string
		for i := range 5 {
			records = append(records, plain(fmt.Sprint("owed ", i), "hello"), Record{ID: fmt.Sprint("bad ", i), Body: "?"})
			want = append(want, fmt.Sprint("owed ", i), fmt.Sprint("bad ", i))
		}
		if diff := cmp.Diff(want, b.deliver(b.Context(), records...)); diff != "" {
			b.Errorf("returned (-want +got):\n%s", diff)
		}
		metrics := b.metrics()
		if metrics["FollowUpsQueued"] != nil || metrics["MessagesDeadLettered"] != nil || metrics["MessagesRejected"] != nil {
			b.Errorf("counted what did not happen: %v", metrics)
		}
		if got := len(b.logged("message goes back to the queue")); got != len(want) {
			b.Errorf("%d log lines, want %d", got, len(want))
		}
	})
}

// TestPresenceFailure proves that a user whose connections can't be read is retried later and stays owed the same
// connections, and that three such attempts end in the dead-letter queue.
func TestPresenceFailure(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.read = func(context.Context) error { return errors.New("throttled") }
		first, second, third := plain("1", "hello"), plain("2", "hello"), plain("3", "hello")
		b.deliver(b.Context(), first)
		checkFollowUp(b, only(b, queueURL), message.State{Attempt: 2, FirstSentAt: first.SentAt.UnixMilli()}, 5, 7)

		owed := message.State{Attempt: 2, Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"a"}, Delivered: 1}), Tally: message.Tally{Delivered: 1}}
		second.Attributes = followUpOf(owed)
		b.deliver(b.Context(), second)
		owed.Attempt, owed.FirstSentAt = 3, second.SentAt.UnixMilli() // the follow-up did not carry it
		checkFollowUp(b, only(b, queueURL), owed, 32, 48)

		third.Attributes = followUpOf(message.State{Attempt: 3})
		b.deliver(b.Context(), third)
		const want = "undelivered: all connections owed after 3 attempts, the last one: reading the connections: no answer"
		if got := attribute(only(b, deadLetterURL), "RejectReason"); got != want {
			b.Errorf("reason %q, want %q", got, want)
		}
	})
}

// TestPresenceRefusesTheUser proves that a user id that presence will never accept is not retried.
func TestPresenceRefusesTheUser(t *testing.T) {
	bubble(t, func(b *harness) {
		invalid := &presence.InvalidError{Field: "user", Reason: "is odd"}
		b.presence.read = func(context.Context) error { return fmt.Errorf("reading: %w", invalid) }
		b.deliver(b.Context(), plain("1", "hello"))
		if got, want := attribute(only(b, deadLetterURL), "RejectReason"), "no-target: "+invalid.Error(); got != want {
			b.Errorf("reason %q, want %q", got, want)
		}
	})
}

// TestPrune proves that a gone connection is forgotten with its last known activity, and that a failure to do so only
// costs a log line.
func TestPrune(t *testing.T) {
	bubble(t, func(b *harness) {
		quiet, active := since("quiet", time.Hour), since("active", time.Hour)
		active.LastActiveAt = time.Now().Add(-time.Minute)
		b.presence.connections["1234"] = []presence.Connection{quiet, active, since("open", time.Hour)}
		b.gateway.answers["quiet"], b.gateway.answers["active"] = []answer{gone}, []answer{gone}
		b.presence.prune = func(context.Context) error { return errors.New("throttled") }
		b.deliver(b.Context(), plain("1", "hello"))
		if len(b.logged("a gone connection could not be pruned")) != 2 {
			b.Errorf("log: %s", &b.output)
		}
		b.presence.prune = func(context.Context) error { return nil }
		b.deliver(b.Context(), plain("2", "hello"))
		want := map[heliograph.ConnectionID]time.Time{"quiet": quiet.ConnectedAt, "active": active.LastActiveAt}
		if diff := cmp.Diff(want, b.presence.pruned); diff != "" {
			b.Errorf("pruned (-want +got):\n%s", diff)
		}
		if len(b.queue.sent) > 0 {
			b.Errorf("sent %d messages", len(b.queue.sent))
		}
		if got := b.metrics()["PostsGone"]; !cmp.Equal(got, []float64{2, 2}) {
			b.Errorf("PostsGone %v", got)
		}
	})
}

// TestNothingIsGivenAway proves that neither log nor metric lines contain a body, a user id, or an attribute.
func TestNothingIsGivenAway(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["open sesame"] = []presence.Connection{since("a", time.Hour), since("b", time.Hour), since("c", time.Hour)}
		b.gateway.answers["a"], b.gateway.answers["b"] = []answer{gone}, []answer{throttled}
		for i, text := range []string{
			`{"UserId":"open sesame","Body":"open sesame"}`, `{"UserId":"open sesame","Body":"open sesame"`,
			`{"UserId":"open sesame","Body":"b","ExpiresAt":"open sesame"}`, `{"UserId":"nobody","Body":"open sesame"}`, `open sesame`,
		} {
			for attempt := range message.MaxAttempts {
				r := Record{ID: fmt.Sprint(i, attempt), Body: text, Attributes: followUpOf(message.State{Attempt: attempt + 1})}
				r.Attributes["tag"] = foreign("open sesame")
				b.deliver(b.Context(), r)
			}
		}
		if strings.Contains(b.output.String(), "sesame") {
			b.Errorf("output:\n%s", &b.output)
		}
		if !strings.Contains(b.output.String(), observability.HashUser("open sesame")) {
			b.Error("no line names the user by its hash")
		}
	})
}
