package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
)

// receipt is the event MessageSettled.
type receipt struct {
	EventName string
	Data      struct {
		ID        string `json:"Id"`
		Delivered int
		Gone      int
		Offline   int
		Failed    int
		Expired   int
		LatencyMs int64
		At        time.Time
	}
}

// counts returns Delivered, Gone, Offline, Failed and Expired.
func (r receipt) counts() [5]int {
	return [5]int{r.Data.Delivered, r.Data.Gone, r.Data.Offline, r.Data.Failed, r.Data.Expired}
}

// receipt waits for the next receipt of a message. It drops others that come before.
func (s subscriber) receipt(t *testing.T, id string) (found receipt) {
	t.Helper()
	eventually(t, "the receipt of "+id, func(ctx context.Context) (bool, error) {
		out, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			return false, err
		}
		for _, m := range out.Messages {
			if _, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return false, err
			}
			var r receipt
			if err := json.Unmarshal([]byte(aws.ToString(m.Body)), &r); err != nil {
				return false, err
			}
			if r.EventName == "MessageSettled" && r.Data.ID == id {
				found = r
			}
		}
		return found.EventName != "", nil
	})
	return found
}

// TestReceipt proves how a receipt counts connections and users.
func TestReceipt(t *testing.T) {
	t.Parallel()
	topic, user := subscribe(t), newUser()
	connect(t, user)
	connect(t, user)
	for name, tt := range map[string]struct {
		message message
		want    [5]int
	}{
		"delivered":             {message{UserID: user}, [5]int{2}},
		"offline":               {message{UserID: newUser()}, [5]int{0, 0, 1}},
		"delivered and offline": {message{UserIDs: []string{user, newUser(), newUser()}}, [5]int{2, 0, 2}},
		"expired":               {message{UserIDs: []string{user, newUser()}, ExpiresAt: "2020-01-01T00:00:00Z"}, [5]int{0, 0, 0, 0, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			tt.message.Body, tt.message.ID, tt.message.Receipt = "Hello", newUser(), true
			tt.message.send(t)
			got := topic.receipt(t, tt.message.ID)
			if diff := cmp.Diff(tt.want, got.counts()); diff != "" {
				t.Errorf("delivered, gone, offline, failed, expired: %s", diff)
			}
			took := time.Since(began)
			if late := got.Data.At.Sub(began); late < -time.Minute || late > took+time.Minute { // allows for clock skew
				t.Errorf("settled %v after it was sent, by its own time", late)
			}
			if got.Data.LatencyMs < 0 || got.Data.LatencyMs > took.Milliseconds()+60_000 {
				t.Errorf("a latency of %d ms, and it took %v", got.Data.LatencyMs, took)
			}
		})
	}
}

// TestSameID proves that a message sent again with its Id arrives once, that its second receipt reports the outcome
// of the first, and that messages with another Id or to other users are not duplicates.
func TestSameID(t *testing.T) {
	t.Parallel()
	topic, user, other := subscribe(t), newUser(), newUser()
	phone, tablet := connect(t, user), connect(t, other)
	m := message{UserIDs: []string{user, newUser()}, Body: "once", ID: newUser(), Receipt: true}
	for i := range 3 {
		m.send(t)
		if got := topic.receipt(t, m.ID).counts(); got != [5]int{1, 0, 1} {
			t.Errorf("receipt %d says %v, want 1 delivered and 1 offline", i, got)
		}
	}
	phone.getsOnce(t, user, "once")
	message{UserIDs: []string{user, other}, Body: "once for the other", ID: m.ID}.send(t)
	tablet.getsOnce(t, other, "once for the other")
	phone.getsNothing(t, user)
	message{UserID: user, Body: "another", ID: newUser()}.send(t)
	phone.getsOnce(t, user, "another")
}
