package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// receipt is the event that tells what became of a message.
type receipt struct {
	EventName string
	Data      struct {
		ID                                                   string `json:"Id"`
		Delivered, Gone, Offline, Failed, Expired, LatencyMs int
		At                                                   time.Time
	}
}

// receiptOf waits for the receipt of a message.
func (s subscriber) receiptOf(t *testing.T, id string) (found receipt) {
	t.Helper()
	eventually(t, "the receipt of "+id, func(ctx context.Context) (bool, error) {
		out, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: aws.String(s.url), MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			return false, err
		}
		for _, message := range out.Messages {
			if _, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: aws.String(s.url), ReceiptHandle: message.ReceiptHandle}); err != nil {
				return false, err
			}
			var r receipt
			if err := json.Unmarshal([]byte(aws.ToString(message.Body)), &r); err != nil {
				return false, fmt.Errorf("event %s: %w", aws.ToString(message.Body), err)
			}
			if r.EventName == "MessageSettled" && r.Data.ID == id {
				found = r
			}
		}
		return found.EventName != "", nil
	})
	return found
}

// TestReceipt proves that a message that asks for a receipt is told of, in users and connections, and that the same message sent
// again arrives nowhere and is told of alike.
func TestReceipt(t *testing.T) {
	t.Parallel()
	topic := subscribe(t)
	user, nobody := newUser(), newUser()
	phone, laptop := connect(t, user), connect(t, user)
	waitForConnections(t, user, 2)
	message := fmt.Sprintf(`{"UserIds":[%q,%q],"Body":"hello","Id":"receipt of %s","Receipt":true}`, user, nobody, user)
	for _, try := range []string{"the first", "the same again"} {
		sendRaw(t, message)
		r := topic.receiptOf(t, "receipt of "+user)
		if d := r.Data; d.Delivered != 2 || d.Offline != 1 || d.Gone+d.Failed+d.Expired != 0 || time.Since(d.At).Abs() > patience {
			t.Errorf("the receipt of %s is %+v", try, r)
		}
	}
	send(t, user, "fence")
	for _, d := range []device{phone, laptop} {
		if first, second := d.next(t), d.next(t); first != "hello" || second != "fence" {
			t.Errorf("arrived %q and %q", first, second)
		}
	}
}
