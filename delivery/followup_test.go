package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/message"
	"heliograph/presence"
)

func decode(t *testing.T, text string) message.State {
	t.Helper()
	var s message.State
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("HeliographRetry %q: %v", text, err)
	}
	return s
}

// TestFollowUps proves, over all attempts of a message, that each follow-up names exactly the connections still owed,
// carries body and attributes unchanged, waits longer than the previous one, and measures latency from the first
// sending.
func TestFollowUps(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{
			since("a", time.Hour), since("b", time.Hour), since("c", time.Hour), since("d", time.Hour),
		}
		for _, broken := range []string{"b", "c"} {
			b.gateway.answers[broken] = []answer{{status: 403}}
		}
		b.gateway.answers["d"] = []answer{gone}
		r := plain("m-1", "hello")
		r.Body = " " + r.Body + "\n" // producers may write white space
		r.Attributes = map[string]types.MessageAttributeValue{"tag": foreign("x"), "raw": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1}}}
		r.TraceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793"
		r.Group = "acme"
		sent := r.SentAt.UnixMilli()

		b.deliver(b.Context(), r)
		in := only(b, queueURL)
		if *in.MessageBody != r.Body || *in.MessageSystemAttributes["AWSTraceHeader"].StringValue != r.TraceHeader {
			b.Errorf("body %q, trace %v", *in.MessageBody, in.MessageSystemAttributes)
		}
		b.queue.group = r.Group
		want := message.State{
			Attempt: 2, FirstSentAt: sent, Tally: message.Tally{Delivered: 1, Gone: 1},
			Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"b", "c"}, Delivered: 1, Gone: 1}),
		}
		checkFollowUp(b, in, want, 5, 7)

		// The second attempt reaches b, and must not post to a again.
		b.gateway.answers["b"] = []answer{ok}
		time.Sleep(5 * time.Second)
		b.deliver(b.Context(), received(in, "m-2"))
		in = only(b, queueURL)
		want = message.State{
			Attempt: 3, FirstSentAt: sent, Tally: message.Tally{Delivered: 2, Gone: 1},
			Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"c"}, Delivered: 2, Gone: 1}),
		}
		checkFollowUp(b, in, want, 32, 48)

		// The third attempt is the last.
		time.Sleep(32 * time.Second)
		b.deliver(b.Context(), received(in, "m-3"))
		in = only(b, deadLetterURL)
		if *in.MessageBody != r.Body {
			b.Errorf("body %q", *in.MessageBody)
		}
		attributes := map[string]string{
			"RejectReason": "undelivered: 1 connection owed after 3 attempts, the last one: 403", "Attempts": "3", "tag": "x", "raw": "\x00\x01",
			"HeliographOwed": `{"attempt":1,"owed":{"1234":{"connections":["c"],"delivered":2,"gone":1}},"tally":{"delivered":2,"gone":1}}`,
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
			"DeliveriesDue": {3}, "DeliveriesOnTime": {1},
		}
		if diff := cmp.Diff(metrics, b.metrics()); diff != "" {
			b.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// only returns the single message sent to a queue since the last call.
func only(b *harness, url string) *sqs.SendMessageInput {
	b.Helper()
	sent := b.queue.to(url)
	if len(sent) != 1 || len(b.queue.sent) != 1 {
		b.Fatalf("%d messages were sent to %s, %d in all, want one", len(sent), url, len(b.queue.sent))
	}
	b.queue.sent = nil
	return sent[0]
}

func checkFollowUp(b *harness, in *sqs.SendMessageInput, want message.State, shortest, longest int32) {
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
		texts[name] = attribute(in, name) + string(a.BinaryValue)
	}
	return texts
}

// TestOffline proves the outcome of a message to a user without connections, depending on when the user left.
func TestOffline(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		left   time.Duration // how long ago; 0 means never seen
		open   []answer      // answers of the one open connection, if any
		waited bool          // the record is the follow-up after the wait
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
			bubble(t, func(b *harness) {
				if test.left > 0 {
					b.presence.lastActivity["1234"] = time.Now().Add(-test.left)
				}
				if test.open != nil {
					b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
					b.gateway.answers["a"] = test.open
				}
				r := plain("m", "hello")
				if test.waited {
					r.Attributes = followUpOf(message.State{Attempt: 1, Owed: owedBy(message.Owed{Waited: true})})
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
					want := message.State{
						Attempt: 1, FirstSentAt: r.SentAt.UnixMilli(), Tally: message.Tally{Gone: len(test.open)},
						Owed: owedBy(message.Owed{Waited: true, Gone: len(test.open)}),
					}
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

// TestWaitingStartsAfresh proves that a message waiting for a user goes to any of the user's connections, even if the
// connections owed before could not be pruned.
func TestWaitingStartsAfresh(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("ghost", time.Hour)}
		b.gateway.answers["ghost"] = []answer{gone}
		b.presence.prune = func(context.Context) error { return errors.New("throttled") }
		r := plain("m", "hello")
		sent := r.SentAt.UnixMilli() - 7
		r.Attributes = followUpOf(message.State{Attempt: 2, FirstSentAt: sent, Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"ghost"}})})
		b.deliver(b.Context(), r)
		checkFollowUp(b, only(b, queueURL), message.State{
			Attempt: 2, FirstSentAt: sent, Owed: owedBy(message.Owed{Waited: true, Gone: 1}), Tally: message.Tally{Gone: 1},
		}, 5, 5)
	})
}

// owedBy returns what user 1234 is owed.
func owedBy(d message.Owed) map[heliograph.UserID]message.Owed {
	return map[heliograph.UserID]message.Owed{"1234": d}
}

func followUpOf(s message.State) map[string]types.MessageAttributeValue {
	return map[string]types.MessageAttributeValue{"HeliographRetry": stringAttribute(s.Text())}
}

// TestTargetsOfAFollowUp proves which connections a follow-up posts to when the user's connections have changed.
func TestTargetsOfAFollowUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		state message.State
		open  []heliograph.ConnectionID
		want  []string
	}{
		{"what is owed and open", message.State{Attempt: 2, Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"a", "b"}, Delivered: 1})}, []heliograph.ConnectionID{"a", "c"}, []string{"a"}},
		{"nothing owed is open, but it had arrived", message.State{Attempt: 2, Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"a"}, Delivered: 1})}, []heliograph.ConnectionID{"c"}, nil},
		{"nothing owed is open, and it had arrived nowhere", message.State{Attempt: 2, Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"a"}})}, []heliograph.ConnectionID{"c"}, []string{"c"}},
		{"no connection could be read before", message.State{Attempt: 2}, []heliograph.ConnectionID{"a", "c"}, []string{"a", "c"}},
		{"another user's connection", message.State{Attempt: 2, Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"stolen", "a"}})}, []heliograph.ConnectionID{"a"}, []string{"a"}},
		{"a connection named twice", message.State{Attempt: 2, Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"a", "a"}})}, []heliograph.ConnectionID{"a"}, []string{"a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.presence.connections["5678"] = []presence.Connection{since("stolen", time.Hour)}
				for _, id := range test.open {
					b.presence.connections["1234"] = append(b.presence.connections["1234"], since(id, time.Hour))
				}
				r := plain("m", "hello")
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
