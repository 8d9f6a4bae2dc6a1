package delivery

import (
	"context"
	"errors"
	"strings"
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

// testKeys has a single key, unless it fails.
type testKeys struct{ err error }

var testKey = message.Key{ID: 7, Secret: []byte("a secret of thirty-two bytes, 123")}

func (k testKeys) Current(context.Context) (message.Key, error) { return testKey, k.err }

func (k testKeys) Find(_ context.Context, id int) (message.Key, bool, error) {
	return testKey, id == testKey.ID, k.err
}

// sealed seals the state that a test has written into a record.
func sealed(r Record) Record {
	name, label, ok := labelOf(&r)
	if _, has := message.KeyOf(label); !ok || has || r.Attributes[name].StringValue == nil {
		return r
	}
	r.Attributes = cloned(r.Attributes)
	r.Attributes[name] = stringAttribute(testKey.Seal(name, unsealed()+label, r.Body, r.Attributes[message.BodyAttribute].BinaryValue))
	return r
}

// unsealed is what a label has in place of a seal.
func unsealed() string {
	place, _, _ := strings.Cut((&message.State{}).Label(), " ")
	return place + " "
}

func cloned(a attributes) attributes {
	all := attributes{}
	for name, value := range a {
		all[name] = value
	}
	return all
}

// stateOf returns the state in a label, without its seal.
func stateOf(label string) string {
	if _, state, ok := strings.Cut(label, " "); ok {
		return state
	}
	return label
}

// forgeries are the ways in which a producer may write a state, by name; each changes a genuine follow-up.
var forgeries = map[string]func(r *Record){
	"without a seal":         func(r *Record) { relabel(r, stateOf) },
	"an invented seal":       func(r *Record) { relabel(r, func(l string) string { return unsealed() + stateOf(l) }) },
	"another key's seal":     func(r *Record) { reseal(r, message.Key{ID: 7, Secret: []byte("another secret of as many bytes 1")}) },
	"a key that there isn't": func(r *Record) { reseal(r, message.Key{ID: 8, Secret: testKey.Secret}) },
	"other counts": func(r *Record) {
		relabel(r, func(l string) string { return strings.Replace(l, `"delivered":1`, `"delivered":999`, 1) })
	},
	"another time": func(r *Record) {
		relabel(r, func(l string) string { return strings.Replace(l, `"firstSentAt":`, `"firstSentAt":1`, 1) })
	},
	"white space":     func(r *Record) { relabel(r, func(l string) string { return l + " " }) },
	"another message": func(r *Record) { r.Body = strings.Replace(r.Body, "hello", "other", 1) },
	"another body": func(r *Record) {
		r.Attributes[message.BodyAttribute] = types.MessageAttributeValue{DataType: aws.String("Binary"), BinaryValue: []byte("x")}
	},
	"as another attribute": func(r *Record) {
		r.Attributes[message.OwedAttribute] = r.Attributes[message.RetryAttribute]
		delete(r.Attributes, message.RetryAttribute)
	},
	"as binary": func(r *Record) {
		r.Attributes[message.RetryAttribute] = types.MessageAttributeValue{DataType: aws.String("Binary"), BinaryValue: []byte("{}")}
	},
	"settled": func(r *Record) {
		r.Attributes = followUpOf(message.State{Attempt: 1, Settled: time.Now().UnixMilli(), Tally: message.Tally{Delivered: 999}})
	},
}

func relabel(r *Record, change func(string) string) {
	r.Attributes[message.RetryAttribute] = stringAttribute(change(*r.Attributes[message.RetryAttribute].StringValue))
}

func reseal(r *Record, k message.Key) {
	relabel(r, func(l string) string { return k.Seal(message.RetryAttribute, l, r.Body, nil) })
}

// TestForgedStates proves that a state that send did not write for this very message has one outcome, a dead letter
// with its reason: nobody is sent anything, no receipt is published, and no metric of delivery moves.
func TestForgedStates(t *testing.T) {
	t.Parallel()
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour), since("b", time.Hour)}
				r := asking("m", `"UserId":"1234","Id":"order-17","Receipt":true`)
				r.Attributes = followUpOf(message.State{
					Attempt: 2, FirstSentAt: r.SentAt.UnixMilli(), Tally: message.Tally{Delivered: 1},
					Owed: owedBy(message.Owed{Connections: []heliograph.ConnectionID{"b"}, Delivered: 1}),
				})
				r = sealed(r)
				forge(&r)
				if returned := b.deliverRaw(b.Context(), r); returned != nil {
					t.Fatalf("returned %v", returned)
				}
				in := only(b, deadLetterURL)
				want := map[string]string{"RejectReason": "bad-follow-up: HeliographRetry has no seal of this stack, or that of another message", "Attempts": "1"}
				got := texts(in)
				got["RejectReason"] = strings.Replace(got["RejectReason"], "HeliographOwed", "HeliographRetry", 1)
				delete(got, message.BodyAttribute)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("dead letter (-want +got):\n%s", diff)
				}
				if len(b.gateway.received()) > 0 || len(b.receipts.published) > 0 {
					t.Errorf("posts %v, receipts %v", b.gateway.received(), b.receipts.published)
				}
				metrics := map[string][]float64{"MessagesReceived": {1}, "MessagesRejected": {1}, "MessagesDeadLettered": {1}}
				if diff := cmp.Diff(metrics, b.metrics()); diff != "" {
					t.Errorf("metrics (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestGenuineStates proves that what send wrote opens again: the follow-up, the dead letter redriven by whatever tool,
// and the follow-up that SQS itself moved to the dead-letter queue.
func TestGenuineStates(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour), since("b", time.Hour)}
		b.gateway.answers["b"] = []answer{{status: 403}, {status: 403}, {status: 403}, ok}
		b.deliverRaw(b.Context(), plain("m", "hello"))
		second := only(b, queueURL)
		b.deliverRaw(b.Context(), received(second, "second"))
		third := only(b, queueURL)
		b.deliverRaw(b.Context(), received(third, "third"))
		dead := only(b, deadLetterURL)
		if attribute(dead, "HeliographOwed") == "" {
			b.Fatalf("dead letter %v", texts(dead))
		}
		b.deliverRaw(b.Context(), received(dead, "redriven"))
		b.deliverRaw(b.Context(), received(third, "moved by SQS, and redriven"))
		if len(b.queue.sent) > 0 {
			b.Errorf("sent %v", texts(b.queue.sent[0]))
		}
		if got := map[string]int{"a": len(b.gateway.received()["a"]), "b": len(b.gateway.received()["b"])}; !cmp.Equal(got, map[string]int{"a": 1, "b": 5}) {
			b.Errorf("posts %v", got)
		}
	})
}

// TestKeysDown proves that a follow-up whose key can't be read comes again untouched, and that messages that need no
// key are delivered, or rejected, meanwhile.
func TestKeysDown(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
		b.config.Keys = testKeys{errors.New("the table is down")}
		followUp := plain("follow-up", "hello")
		followUp.Attributes = followUpOf(message.State{Attempt: 2})
		returned := b.deliver(b.Context(), followUp, plain("plain", "hello"), Record{ID: "bad", Body: "?"})
		if !cmp.Equal(returned, []string{"follow-up"}) {
			b.Errorf("returned %v", returned)
		}
		if n := len(b.gateway.received()["a"]); n != 1 {
			b.Errorf("%d posts, want that of the plain message", n)
		}
		only(b, deadLetterURL)
		b.gateway.answers["a"] = []answer{{status: 403}}
		if returned := b.deliver(b.Context(), plain("owed", "hello")); !cmp.Equal(returned, []string{"owed"}) {
			b.Errorf("returned %v", returned)
		}
		if !strings.Contains(b.output.String(), "reading the key for HeliographRetry") {
			b.Error("the log does not name the key")
		}
	})
}

// TestEveryStateIsSealed proves that no record leaves with the mere place of a seal.
func TestEveryStateIsSealed(t *testing.T) {
	bubble(t, func(b *harness) {
		for _, name := range labels {
			s := message.State{Attempt: 1}
			in := &sqs.SendMessageInput{MessageBody: aws.String("x"), MessageAttributes: attributes{name: stringAttribute(s.Label())}}
			if err := New(b.config).seal(b.Context(), in); err != nil {
				b.Fatal(err)
			}
			if label := *in.MessageAttributes[name].StringValue; !testKey.Sealed(name, label, "x", nil) {
				b.Errorf("%s is %q", name, label)
			}
		}
	})
}
