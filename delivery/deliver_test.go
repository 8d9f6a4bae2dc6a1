package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"heliograph/observability"
	"heliograph/presence"
)

func decode(t *testing.T, text string) state {
	t.Helper()
	var s state
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("HeliographRetry %q: %v", text, err)
	}
	return s
}

// TestEveryDeviceGetsEveryByte proves that each of a user's devices gets the whole body, byte for byte, and
// nobody else gets any.
func TestEveryDeviceGetsEveryByte(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"text": "hello", "empty": "", "blank": " ", "lines and quotes": "a\r\n\"b\"\t\\", "UTF-8": "é 😀 \u2028 \x00",
		"JSON": `{"a": [1.0, "<&>"]}`, "largest": strings.Repeat("0123456789abcdef", MaxBody/16),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(b *bed) {
				b.presence.connections["1234"] = []presence.Connection{since("phone=", time.Hour), since("laptop/+", time.Minute)}
				b.presence.connections["5678"] = []presence.Connection{since("other", time.Hour)}
				m := message("m", body)
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
				metrics := map[string][]float64{"MessagesReceived": {1}, "PostsDelivered": {2}, "DeliveryLatency": {250, 250}}
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

// TestFollowUps walks a message through all its attempts: each names just what is still owed, carries body
// and attributes as they came, waits longer than the one before, and measures from the first sending.
func TestFollowUps(t *testing.T) {
	bubble(t, func(b *bed) {
		b.presence.connections["1234"] = []presence.Connection{
			since("a", time.Hour), since("b", time.Hour), since("c", time.Hour), since("d", time.Hour),
		}
		for _, broken := range []string{"b", "c"} {
			b.gateway.answers[broken] = []answer{{status: 403}}
		}
		b.gateway.answers["d"] = []answer{gone}
		r := message("m-1", "hello")
		r.Body = " " + r.Body + "\n" // as a producer may write it
		r.Attributes = map[string]types.MessageAttributeValue{"tag": foreign("x"), "raw": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1}}}
		r.TraceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793"
		sent := r.SentAt.UnixMilli()

		b.deliver(b.Context(), r)
		in := only(b, queueURL)
		if *in.MessageBody != r.Body || *in.MessageSystemAttributes["AWSTraceHeader"].StringValue != r.TraceHeader {
			b.Errorf("body %q, trace %v", *in.MessageBody, in.MessageSystemAttributes)
		}
		want := state{Attempt: 2, FirstSentAt: sent, Owed: []presence.ConnectionID{"b", "c"}, Delivered: 1, Gone: 1}
		checkFollowUp(b, in, want, 5, 7)

		// The second attempt reaches b, and must not post to a again.
		b.gateway.answers["b"] = []answer{ok}
		time.Sleep(5 * time.Second)
		b.deliver(b.Context(), received(in, "m-2"))
		in = only(b, queueURL)
		want = state{Attempt: 3, FirstSentAt: sent, Owed: []presence.ConnectionID{"c"}, Delivered: 2, Gone: 1}
		checkFollowUp(b, in, want, 32, 48)

		// The third is the last.
		time.Sleep(32 * time.Second)
		b.deliver(b.Context(), received(in, "m-3"))
		in = only(b, deadLetterURL)
		if *in.MessageBody != r.Body {
			b.Errorf("body %q", *in.MessageBody)
		}
		attributes := map[string]string{
			"RejectReason": "undelivered: 1 connection owed after 3 attempts, the last one: 403", "Attempts": "3", "tag": "x", "raw": "\x00\x01",
		}
		if diff := cmp.Diff(attributes, texts(in)); diff != "" {
			b.Errorf("attributes (-want +got):\n%s", diff)
		}
		posts := map[string]int{"a": 1, "b": 2, "c": 3, "d": 1}
		for connection, n := range posts {
			if got := len(b.gateway.received()[connection]); got != n {
				b.Errorf("%s got %d posts, want %d", connection, got, n)
			}
		}
		metrics := map[string][]float64{
			"MessagesReceived": {1, 1, 1}, "PostsDelivered": {1, 1}, "PostsFailed": {2, 1, 1}, "PostsGone": {1},
			"FollowUpsQueued": {1, 1}, "MessagesDeadLettered": {1}, "DeliveryLatency": {0, 5000},
		}
		if diff := cmp.Diff(metrics, b.metrics()); diff != "" {
			b.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// only is the one message that was sent to a queue since the last look.
func only(b *bed, url string) *sqs.SendMessageInput {
	b.Helper()
	sent := b.queue.to(url)
	if len(sent) != 1 || len(b.queue.sent) != 1 {
		b.Fatalf("%d messages were sent to %s, %d in all, want one", len(sent), url, len(b.queue.sent))
	}
	b.queue.sent = nil
	return sent[0]
}

func checkFollowUp(b *bed, in *sqs.SendMessageInput, want state, shortest, longest int32) {
	b.Helper()
	if diff := cmp.Diff(want, decode(b.T, attribute(in, "HeliographRetry"))); diff != "" {
		b.Errorf("HeliographRetry (-want +got):\n%s", diff)
	}
	if in.DelaySeconds < shortest || in.DelaySeconds > longest {
		b.Errorf("delay %d s, want %d to %d", in.DelaySeconds, shortest, longest)
	}
}

func texts(in *sqs.SendMessageInput) map[string]string {
	texts := map[string]string{}
	for name, a := range in.MessageAttributes {
		texts[name] = aws.ToString(a.StringValue) + string(a.BinaryValue)
	}
	return texts
}

// TestOffline proves what becomes of a message that finds nobody, by when the user left.
func TestOffline(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		left   time.Duration // ago; 0 means never seen
		open   []answer      // of one open connection, if any
		waited bool          // the record is the follow-up that has waited
		want   string
	}{
		{name: "never seen", want: "dropped"},
		{name: "long gone", left: time.Hour, want: "dropped"},
		{name: "10 s ago", left: 10 * time.Second, want: "dropped"},
		{name: "just under 10 s ago", left: 10*time.Second - time.Millisecond, want: "waits"},
		{name: "just under 10 s ago, waited already", left: 9 * time.Second, waited: true, want: "dropped"},
		{name: "the last connection turns out gone", open: []answer{gone}, want: "waits"},
		{name: "the last connection turns out gone, waited already", open: []answer{gone}, waited: true, want: "dropped"},
		{name: "back", open: []answer{ok}, waited: true, want: "delivered"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *bed) {
				if test.left > 0 {
					b.presence.lastActivity["1234"] = time.Now().Add(-test.left)
				}
				if test.open != nil {
					b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
					b.gateway.answers["a"] = test.open
				}
				r := message("m", "hello")
				if test.waited {
					r.Attributes = followUpOf(state{Attempt: 1, Waited: true})
				}
				if returned := b.deliver(b.Context(), r); returned != nil {
					t.Fatalf("returned %v", returned)
				}
				switch metrics := b.metrics(); test.want {
				case "dropped":
					if len(b.queue.sent) > 0 || !cmp.Equal(metrics["MessagesOffline"], []float64{1}) || len(b.logged("message done")) != 1 {
						t.Errorf("sent %d, metrics %v", len(b.queue.sent), metrics)
					}
				case "waits":
					want := state{Attempt: 1, FirstSentAt: r.SentAt.UnixMilli(), Waited: true, Gone: len(test.open)}
					checkFollowUp(b, only(b, queueURL), want, 5, 5)
					if metrics["MessagesOffline"] != nil {
						t.Errorf("counted as dropped: %v", metrics)
					}
				case "delivered":
					if len(b.queue.sent) > 0 || !cmp.Equal(metrics["PostsDelivered"], []float64{1}) {
						t.Errorf("sent %d, metrics %v", len(b.queue.sent), metrics)
					}
				}
			})
		})
	}
}

func followUpOf(s state) map[string]types.MessageAttributeValue {
	return map[string]types.MessageAttributeValue{"HeliographRetry": stringAttribute(s.text())}
}

// TestTargetsOfAFollowUp proves whom a follow-up posts to when the user's connections have changed.
func TestTargetsOfAFollowUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		state state
		open  []presence.ConnectionID
		want  []string
	}{
		{"what is owed and open", state{Attempt: 2, Owed: []presence.ConnectionID{"a", "b"}, Delivered: 1}, []presence.ConnectionID{"a", "c"}, []string{"a"}},
		{"nothing owed is open, but it had arrived", state{Attempt: 2, Owed: []presence.ConnectionID{"a"}, Delivered: 1}, []presence.ConnectionID{"c"}, nil},
		{"nothing owed is open, and it had arrived nowhere", state{Attempt: 2, Owed: []presence.ConnectionID{"a"}}, []presence.ConnectionID{"c"}, []string{"c"}},
		{"no connection could be read before", state{Attempt: 2}, []presence.ConnectionID{"a", "c"}, []string{"a", "c"}},
		{"another user's connection", state{Attempt: 2, Owed: []presence.ConnectionID{"stolen", "a"}}, []presence.ConnectionID{"a"}, []string{"a"}},
		{"a connection named twice", state{Attempt: 2, Owed: []presence.ConnectionID{"a", "a"}}, []presence.ConnectionID{"a"}, []string{"a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *bed) {
				b.presence.connections["5678"] = []presence.Connection{since("stolen", time.Hour)}
				for _, id := range test.open {
					b.presence.connections["1234"] = append(b.presence.connections["1234"], since(id, time.Hour))
				}
				r := message("m", "hello")
				r.Attributes = followUpOf(test.state)
				b.deliver(b.Context(), r)
				want := map[string][]string{}
				for _, id := range test.want {
					want[id] = []string{"hello"}
				}
				if diff := cmp.Diff(want, b.gateway.received()); diff != "" {
					t.Errorf("posts (-want +got):\n%s", diff)
				}
				if len(b.queue.sent) > 0 {
					t.Errorf("sent %v", texts(b.queue.sent[0]))
				}
			})
		})
	}
}

// TestPoisonBesideGood proves that bad records end in the dead-letter queue, each once and with its reason,
// and that the good ones beside them arrive.
func TestPoisonBesideGood(t *testing.T) {
	bubble(t, func(b *bed) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
		expired := message("expired", "late")
		expired.Body = strings.Replace(expired.Body, "{", `{"ExpiresAt":"`+time.Now().Format(time.RFC3339)+`",`, 1)
		tampered := map[string]string{
			"no JSON": "?", "no number": `{"attempt":"2"}`, "attempt 0": `{}`, "attempt 4": `{"attempt":4}`,
			"negative tally": `{"attempt":1,"delivered":-1}`, "from the future": `{"attempt":1,"firstSentAt":99999999999999}`,
			"null": `null`, "list": `[]`, "huge": `{"attempt":1e999}`,
		}
		records := []Record{message("first", "one"), {ID: "no JSON", Body: "hello"}, expired}
		for name, text := range tampered {
			r := message("tampered: "+name, "bad")
			r.Attributes = map[string]types.MessageAttributeValue{"HeliographRetry": stringAttribute(text), "which": foreign(name)}
			records = append(records, r)
		}
		binary := message("tampered: binary", "bad")
		binary.Attributes = map[string]types.MessageAttributeValue{"HeliographRetry": {DataType: aws.String("Binary"), BinaryValue: []byte("{}")}}
		records = append(records, binary, message("last", "two"))

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

// TestQueueFailure proves that what can't be settled goes back, in the records' order, and is not counted.
func TestQueueFailure(t *testing.T) {
	bubble(t, func(b *bed) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
		b.gateway.answers["a"] = []answer{{status: 403}}
		b.queue.send = func(context.Context, *sqs.SendMessageInput) error { return errors.New("queue is down") }
		var records []Record
		var want []string
		for i := range 5 {
			records = append(records, message(fmt.Sprint("owed ", i), "hello"), Record{ID: fmt.Sprint("bad ", i), Body: "?"})
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

// TestPresenceFailure proves that a user whose connections can't be read is tried again later, with what was
// owed before, and that three such attempts end in the dead-letter queue.
func TestPresenceFailure(t *testing.T) {
	bubble(t, func(b *bed) {
		b.presence.read = func(context.Context) error { return errors.New("throttled") }
		first, second, third := message("1", "hello"), message("2", "hello"), message("3", "hello")
		b.deliver(b.Context(), first)
		checkFollowUp(b, only(b, queueURL), state{Attempt: 2, FirstSentAt: first.SentAt.UnixMilli()}, 5, 7)

		owed := state{Attempt: 2, FirstSentAt: 7, Owed: []presence.ConnectionID{"a"}, Delivered: 1}
		second.Attributes = followUpOf(owed)
		b.deliver(b.Context(), second)
		owed.Attempt = 3
		checkFollowUp(b, only(b, queueURL), owed, 32, 48)

		third.Attributes = followUpOf(state{Attempt: 3})
		b.deliver(b.Context(), third)
		const want = "undelivered: all connections owed after 3 attempts, the last one: reading the connections: no answer"
		if got := attribute(only(b, deadLetterURL), "RejectReason"); got != want {
			b.Errorf("reason %q, want %q", got, want)
		}
	})
}

// TestPresenceRefusesTheUser proves that an id that presence will never take is no reason to try again.
func TestPresenceRefusesTheUser(t *testing.T) {
	bubble(t, func(b *bed) {
		invalid := &presence.InvalidError{Field: "user", Reason: "is odd"}
		b.presence.read = func(context.Context) error { return fmt.Errorf("reading: %w", invalid) }
		b.deliver(b.Context(), message("1", "hello"))
		if got, want := attribute(only(b, deadLetterURL), "RejectReason"), "no-target: "+invalid.Error(); got != want {
			b.Errorf("reason %q, want %q", got, want)
		}
	})
}

// TestPrune proves that a gone connection is forgotten with the last activity that is known of it, and that
// failing to do so costs a log line and nothing else.
func TestPrune(t *testing.T) {
	bubble(t, func(b *bed) {
		quiet, active := since("quiet", time.Hour), since("active", time.Hour)
		active.LastActiveAt = time.Now().Add(-time.Minute)
		b.presence.connections["1234"] = []presence.Connection{quiet, active, since("open", time.Hour)}
		b.gateway.answers["quiet"], b.gateway.answers["active"] = []answer{gone}, []answer{gone}
		b.presence.prune = func(context.Context) error { return errors.New("throttled") }
		b.deliver(b.Context(), message("1", "hello"))
		if len(b.logged("a gone connection could not be pruned")) != 2 {
			b.Errorf("log: %s", &b.output)
		}
		b.presence.prune = func(context.Context) error { return nil }
		b.deliver(b.Context(), message("2", "hello"))
		want := map[presence.ConnectionID]time.Time{"quiet": quiet.ConnectedAt, "active": active.LastActiveAt}
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

// TestDeadline proves that Deliver keeps within its time: posts end early enough for their follow-ups, what
// finds no time to start goes back in order, and nothing runs on.
func TestDeadline(t *testing.T) {
	bubble(t, func(b *bed) {
		b.presence.connections["1234"] = []presence.Connection{since("stuck", time.Hour)}
		b.presence.connections["5678"] = []presence.Connection{since("works", time.Hour)}
		b.gateway.answers["stuck"] = []answer{hanging}
		var records []Record
		for i := range maxRecords {
			records = append(records, message(fmt.Sprint(i), "hello"))
		}
		records = append(records, message("late 1", "hello"), Record{ID: "late 2", Body: "?"})
		// The tenth ends before the others, and makes room for one more: that is not late.
		records[9].Body = `{"UserId":"5678","Body":"hello"}`

		start := time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), 8*time.Second)
		defer cancel()
		returned := b.deliver(ctx, records...)
		if diff := cmp.Diff([]string{"late 2"}, returned); diff != "" {
			b.Errorf("returned (-want +got):\n%s", diff)
		}
		if took := time.Since(start); took != 7*time.Second {
			b.Errorf("took %v, want the 8 s less the second that is kept back", took)
		}
		if got := len(b.queue.to(queueURL)); got != maxRecords {
			b.Errorf("%d follow-ups, want %d", got, maxRecords)
		}
	})
}

// TestDeadlineOfNeighbors proves that presence and queue, too, can't hold a call beyond its time.
func TestDeadlineOfNeighbors(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	bubble(t, func(b *bed) {
		b.presence.read = hang
		start := time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), 8*time.Second)
		defer cancel()
		if returned := b.deliver(ctx, message("1", "hello")); returned != nil || time.Since(start) != 7*time.Second {
			b.Errorf("presence hangs: returned %v after %v", returned, time.Since(start))
		}
		if reason := b.logged("follow-up queued")[0]["cause"]; reason != "reading the connections: time-out" {
			b.Errorf("cause %q", reason)
		}

		b.queue.send = func(ctx context.Context, _ *sqs.SendMessageInput) error { return hang(ctx) }
		start = time.Now()
		ctx, cancel = context.WithTimeout(b.Context(), 8*time.Second)
		defer cancel()
		if returned := b.deliver(ctx, message("2", "hello")); len(returned) != 1 || time.Since(start) != 7500*time.Millisecond {
			b.Errorf("queue hangs: returned %v after %v", returned, time.Since(start))
		}
	})
}

// stub is a Poster that is a function.
type stub func(context.Context, string) error

func (s stub) PostToConnection(ctx context.Context, in *apigatewaymanagementapi.PostToConnectionInput, _ ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.PostToConnectionOutput, error) {
	return nil, s(ctx, *in.ConnectionId)
}

// TestConcurrency proves that records and connections are worked on side by side, within bounds, and that all
// posts have ended when Deliver returns, even those that do not heed their context.
func TestConcurrency(t *testing.T) {
	bubble(t, func(b *bed) {
		for i := range 100 {
			b.presence.connections["1234"] = append(b.presence.connections["1234"], since(presence.ConnectionID(fmt.Sprint(i)), time.Hour))
		}
		var running, most, posts atomic.Int64
		b.config.Poster = stub(func(context.Context, string) error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(15 * time.Millisecond)
			running.Add(-1)
			posts.Add(1)
			return nil
		})
		start := time.Now()
		b.deliver(b.Context(), message("1", "hello"))
		if took := time.Since(start); took != 30*time.Millisecond || most.Load() != maxPosts || posts.Load() != 100 {
			b.Errorf("100 devices: %d posts, %d at a time, in %v", posts.Load(), most.Load(), took)
		}

		b.presence.connections["1234"] = b.presence.connections["1234"][:3]
		var batch []Record
		for i := range 10 {
			batch = append(batch, message(fmt.Sprint(i), "hello"))
		}
		start = time.Now()
		b.deliver(b.Context(), batch...)
		if took := time.Since(start); took != 15*time.Millisecond || posts.Load() != 130 {
			b.Errorf("10 messages to 3 devices: %d posts in %v", posts.Load()-100, took)
		}

		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
		defer cancel()
		b.config.Poster = stub(func(context.Context, string) error {
			running.Add(1)
			time.Sleep(5 * time.Second)
			running.Add(-1)
			return nil
		})
		if b.deliver(ctx, batch[0]); running.Load() != 0 {
			b.Errorf("%d posts outlived the call", running.Load())
		}
	})
}

// TestPanic proves that a panic in one record's work is that record's alone.
func TestPanic(t *testing.T) {
	bubble(t, func(b *bed) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour), since("b", time.Hour)}
		b.config.Poster = stub(func(_ context.Context, connection string) error {
			if connection == "b" {
				panic("broken")
			}
			return nil
		})
		first := true
		b.presence.read = func(context.Context) error {
			if first {
				first = false
				panic("broken, too")
			}
			return nil
		}
		returned := b.deliver(b.Context(), message("1", "hello"))
		returned = append(returned, b.deliver(b.Context(), message("2", "hello"))...)
		if diff := cmp.Diff([]string{"1"}, returned); diff != "" {
			b.Errorf("returned (-want +got):\n%s", diff)
		}
		if got := decode(b.T, attribute(only(b, queueURL), "HeliographRetry")).Owed; !cmp.Equal(got, []presence.ConnectionID{"b"}) {
			b.Errorf("owed %v", got)
		}
		if got := len(b.logged("panic while delivering")); got != 2 {
			b.Errorf("%d log lines about panics, want 2", got)
		}
		if got := b.metrics()[observability.HandlerErrors.Name]; !cmp.Equal(got, []float64{1, 1}) {
			b.Errorf("HandlerErrors %v", got)
		}
	})
}

// TestNothingIsGivenAway proves that neither log nor metric lines hold a body, a user id, or an attribute.
func TestNothingIsGivenAway(t *testing.T) {
	bubble(t, func(b *bed) {
		b.presence.connections["open sesame"] = []presence.Connection{since("a", time.Hour), since("b", time.Hour), since("c", time.Hour)}
		b.gateway.answers["a"], b.gateway.answers["b"] = []answer{gone}, []answer{throttled}
		for i, text := range []string{
			`{"UserId":"open sesame","Body":"open sesame"}`, `{"UserId":"open sesame","Body":"open sesame"`,
			`{"UserId":"open sesame","Body":"b","ExpiresAt":"open sesame"}`, `{"UserId":"nobody","Body":"open sesame"}`, `open sesame`,
		} {
			for attempt := range maxAttempts {
				r := Record{ID: fmt.Sprint(i, attempt), Body: text, Attributes: followUpOf(state{Attempt: attempt + 1})}
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
