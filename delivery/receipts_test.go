package delivery

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
)

// TestReceipts proves that a message that requests a receipt gets one, at the end of its chain, with the counts of
// its outcome.
func TestReceipts(t *testing.T) {
	t.Parallel()
	const asks = `,"Id":"1","Receipt":true`
	tests := []struct {
		name   string
		fields string
		want   Receipt // without Id and At
	}{
		{"delivered", `"UserId":"two"`, Receipt{Delivered: 2}},
		{"gone", `"UserId":"ghost"`, Receipt{Gone: 1, Offline: 1, Latency: 5 * time.Second}}, // after waiting for the user
		{"offline", `"UserId":"nobody"`, Receipt{Offline: 1}},
		{"failed", `"UserId":"broken"`, Receipt{Failed: 1}},
		{"unreadable", `"UserId":"unreadable"`, Receipt{Failed: 1}},
		{"refused", `"UserId":"fat"`, Receipt{Failed: 1}},
		{"all of it", `"UserIds":["two","nobody","broken","slow","unreadable"]`, Receipt{Delivered: 3, Offline: 1, Failed: 2}},
		{"connection", `"ConnectionId":"two1"`, Receipt{Delivered: 1}},
		{"everybody", `"Broadcast":true`, Receipt{Delivered: 3, Gone: 1, Offline: 1, Failed: 2}},
		{"too late", `"UserIds":["two","nobody"],"ExpiresAt":"2000-01-01T00:00:00Z"`, Receipt{Expired: 2}},
		{"later too late", `"UserIds":["two","broken","unreadable"],"ExpiresAt":"2000-01-01T00:00:05Z"`, Receipt{Delivered: 2, Expired: 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.online("two", 2)
				b.online("ghost", 1)
				b.online("broken", 1)
				b.online("slow", 1)
				b.online("unreadable", 1)
				b.gateway.answers["ghost1"] = []answer{gone}
				b.gateway.answers["broken1"] = []answer{{status: 403}}
				b.gateway.answers["slow1"] = []answer{{status: 403}, ok}
				if test.name == "refused" {
					b.online("fat", 1)
					b.gateway.answers["fat1"] = []answer{{status: 413}}
				}
				b.presence.unreadable["unreadable"] = true
				start := time.Now()
				b.walk(asking("m", test.fields+asks))
				if len(b.receipts.published) != 1 {
					t.Fatalf("receipts %+v, want one", b.receipts.published)
				}
				got := b.receipts.published[0]
				if took := time.Since(start); got.Latency != took || !got.At.Equal(time.Now()) {
					t.Errorf("latency %v at %v, want %v at %v", got.Latency, got.At, took, time.Now())
				}
				test.want.ID, test.want.At, test.want.Latency = "1", got.At, got.Latency
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("receipt (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestNoReceipt proves that no receipt is published without a request, or for a message that can't be read.
func TestNoReceipt(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 1)
		b.walk(asking("m", `"UserId":"a","Id":"1"`))
		b.walk(asking("m", `"UserId":"a","Id":"1","Receipt":true,"Receipt":true`))
		if len(b.receipts.published) > 0 {
			b.Errorf("receipts %+v", b.receipts.published)
		}
	})
}

// TestReceiptLater proves that a receipt that can't be published comes later, with the counts and the time of the
// settling, and that nothing is delivered again for it.
func TestReceiptLater(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]answer{"done": {ok}, "dead letter": {{status: 403}}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.online("a", 1)
				b.online("b", 1)
				b.gateway.answers["b1"] = answers
				b.receipts.publish = failing
				var settled time.Time
				b.queue.send = func(_ context.Context, in *sqs.SendMessageInput) error {
					if *in.QueueUrl == deadLetterURL && settled.IsZero() {
						settled = time.Now()
					}
					return nil
				}
				if name == "done" {
					settled = time.Now()
				}
				start := time.Now()
				dead := b.walk(asking("m", toBoth+`,"Receipt":true`))
				posts := map[string]int{"a1": 1, "b1": 1}
				if name != "done" {
					posts["b1"] = 3
				}
				b.checkPosts("walk", posts)
				last := dead[len(dead)-1]
				const want = "receipt-unpublished: after 3 attempts, the last one: publishing the receipt: no answer"
				if attribute(last, "RejectReason") != want || attribute(last, "Attempts") != "3" {
					t.Fatalf("last dead letter: %v", texts(last))
				}

				b.receipts.publish = nil
				time.Sleep(time.Hour)
				if dead := b.walk(received(last, "redriven")); len(dead) > 0 {
					t.Errorf("dead again: %v", texts(dead[0]))
				}
				b.checkPosts("put back", map[string]int{})
				receipt := Receipt{ID: "1", Delivered: posts["a1"], At: settled, Latency: settled.Sub(start)}
				if name == "done" {
					receipt.Delivered = 2
				} else {
					receipt.Failed = 1
				}
				if diff := cmp.Diff([]Receipt{receipt}, b.receipts.published); diff != "" {
					t.Errorf("receipts (-want +got):\n%s", diff)
				}
				if got := b.metrics()["ReceiptsPublished"]; !cmp.Equal(got, []float64{1}) {
					t.Errorf("ReceiptsPublished %v", got)
				}
			})
		})
	}
}

// TestReceiptNowhere proves that a record whose receipt can be neither published nor queued goes back and is not
// counted.
func TestReceiptNowhere(t *testing.T) {
	bubble(t, func(b *harness) {
		b.receipts.publish = failing
		b.queue.send = func(context.Context, *sqs.SendMessageInput) error { return errors.New("refused") }
		if back := b.deliver(b.Context(), asking("m", toBoth+`,"Receipt":true`)); !cmp.Equal(back, []string{"m"}) {
			b.Errorf("returned %v", back)
		}
		if got := b.metrics(); got["MessagesOffline"] != nil || got["ReceiptsPublished"] != nil {
			b.Errorf("metrics %v", got)
		}
	})
}
