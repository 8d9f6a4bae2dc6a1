package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// waitForQueues waits until all follow-ups are done. The longest wait adds up: on an account with 10 concurrent
// executions, Lambda throttles batches, and their messages are hidden for sendHides, perhaps twice; a message that a
// killed function had claimed waits two minutes for the claim to end; follow-ups wait up to 48 s.
func (s *soak) waitForQueues(t *testing.T) {
	t.Helper()
	began := time.Now()
	s.within(t, 6*time.Minute, "the send queue is empty", func(ctx context.Context) error {
		out, err := s.load.queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(s.load.endpoints.SendQueueURL), AttributeNames: []types.QueueAttributeName{"All"},
		})
		if err != nil {
			return err
		}
		for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
			if out.Attributes[name] != "0" {
				return fmt.Errorf("%s is %s", name, out.Attributes[name])
			}
		}
		return nil
	})
	t.Logf("the send queue was empty after %v", time.Since(began).Truncate(time.Second))
}

// within retries until a condition holds.
func (s *soak) within(t *testing.T, limit time.Duration, what string, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		if !sleepFor(ctx, 200*time.Millisecond) {
			t.Errorf("not within %v: %s: %v", limit, what, err)
			return
		}
	}
}

// excuses counts the events that let messages arrive twice.
type excuses struct{ kills, doubles int }

// batch is the most messages that a killed function may have held.
const batch = 10

func (s *soak) count() (e excuses) {
	for _, f := range s.stack.Faults().List() {
		switch f.ID {
		case s.killed:
			e.kills = f.Hits
		case s.doubled:
			e.doubles = f.Hits
		}
	}
	return e
}

// arrivals counts outcomes, of the messages with an Id or of those without.
type arrivals struct {
	messages, arrived, again int // again counts arrivals at a device that already had the message
	twice                    int // messages that arrived twice at some device
}

func (a arrivals) percent() float64 { return 100 * float64(a.again) / float64(max(1, a.arrived)) }

// checkDelivery compares the messages that arrived with those that were sent.
func (s *soak) checkDelivery(t *testing.T) {
	t.Helper()
	s.dead = s.deadLetters(t)
	sent := map[string]bool{}
	var named, unnamed arrivals
	lost := 0
	for _, m := range s.sent {
		sent[m.Body] = true
		which := &unnamed
		if m.ID != "" {
			which = &named
		}
		which.add(s.arrivalsOf(t, m))
		lost += s.lost(t, m)
	}
	for _, d := range s.devices {
		d.mu.Lock()
		for body := range d.got {
			if !sent[body] {
				t.Errorf("%s got %q, which nobody sent", d.user, body)
			}
		}
		d.mu.Unlock()
	}
	t.Logf("%d dead letters; %d functions that send were killed, %d messages delivered twice", len(s.dead), s.excuses.kills, s.excuses.doubles)
	t.Logf("with an Id: %d messages, %d arrivals, %d (%.2f%%) again, of %d messages", named.messages, named.arrived, named.again, named.percent(), named.twice)
	t.Logf("without: %d messages, %d arrivals, %d (%.2f%%) again, of %d messages", unnamed.messages, unnamed.arrived, unnamed.again, unnamed.percent(), unnamed.twice)
	if lost > 0 {
		t.Errorf("%d messages did not reach a device that stayed open", lost)
	}
	if named.arrived == 0 || unnamed.arrived == 0 {
		t.Error("nothing arrived, so nothing is proved")
	}
	killed := batch * s.excuses.kills
	if named.twice > killed || unnamed.twice > killed+s.excuses.doubles {
		t.Errorf("%d messages with an Id and %d without came twice, which kills excuse for %d, and the queue for %d of those without",
			named.twice, unnamed.twice, killed, s.excuses.doubles)
	}
	if named.percent() > 1 {
		t.Errorf("%.2f%% of the arrivals with an Id were not the first, more than 1%%", named.percent())
	}
}

func (a *arrivals) add(more arrivals) {
	a.messages += more.messages
	a.arrived += more.arrived
	a.again += more.again
	a.twice += more.twice
}

// arrivalsOf counts a message's arrivals, and fails for one at a device outside its target.
func (s *soak) arrivalsOf(t *testing.T, m *soakMessage) arrivals {
	t.Helper()
	a := arrivals{messages: 1}
	for _, d := range s.devices {
		n := d.times(m.Body)
		if n > 0 && !m.isFor(d) {
			t.Errorf("%s got %q, which was not for it", d.user, m.Body)
		}
		a.arrived += n
		a.again += max(0, n-1)
	}
	a.twice = min(1, a.again)
	return a
}

// times returns how often a message arrived at the device.
func (d *soakDevice) times(body string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.got[body]
}

// lost counts the devices that were connected when the message was sent, still are, and did not get it, unless it is
// in the dead-letter queue.
func (s *soak) lost(t *testing.T, m *soakMessage) (lost int) {
	t.Helper()
	if s.dead[m.Body] {
		return 0
	}
	for _, d := range s.open() {
		if m.isFor(d) && d.since.Before(m.at) && d.times(m.Body) == 0 {
			lost++
			t.Logf("lost: %+v at %s, sent %v after the device was connected", m.message, d.user, m.at.Sub(d.since))
		}
	}
	return lost
}

// checkReceipts proves that each requested receipt came, at least once.
func (s *soak) checkReceipts(t *testing.T) {
	t.Helper()
	asked, repeated, missing := 0, 0, 0
	for _, m := range s.sent {
		if !m.Receipt {
			continue
		}
		asked++
		if n := s.receipts[m.ID]; n > 1 {
			repeated++
		} else if n == 0 && !s.dead[m.Body] {
			missing++
			t.Logf("no receipt: %+v", m.message)
		}
	}
	t.Logf("%d receipts were asked for, %d came more than once", asked, repeated)
	if asked == 0 || missing > 0 {
		t.Errorf("%d of %d receipts did not come", missing, asked)
	}
}

// deadLetters returns the bodies in the dead-letter queue.
func (s *soak) deadLetters(t *testing.T) map[string]bool {
	t.Helper()
	dead := map[string]bool{}
	for _, message := range s.drain(t, s.load.endpoints.DeadLetterQueueURL) {
		var m struct{ Body string }
		if err := json.Unmarshal([]byte(message), &m); err != nil {
			t.Errorf("dead letter %s: %v", message, err)
		}
		dead[m.Body] = true
	}
	return dead
}

// drain receives and deletes all messages of a queue.
func (s *soak) drain(t *testing.T, queue string) (bodies []string) {
	t.Helper()
	for {
		out, err := s.load.queue.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(queue), MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return bodies
		}
		for _, m := range out.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
			if _, err := s.load.queue.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(queue), ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
