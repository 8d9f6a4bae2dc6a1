package sqs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/sqs"
)

// TestVisibility proves that a received message is hidden for its time-out, counts its receives, and can be deleted
// only with the newest handle.
func TestVisibility(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := mustCreate(t, newServer(c), "q", "VisibilityTimeout", "10")
	sent := c.Now()
	mustSend(t, q, "hello")
	c.advance(time.Second)
	first := mustReceive(t, q)
	want := []sqs.Message{{
		MessageID: first[0].MessageID, ReceiptHandle: first[0].ReceiptHandle,
		Body: "hello", MD5OfBody: "5d41402abc4b2a76b9719d911017c592",
		Attributes: map[string]string{
			"SenderId": "", "SentTimestamp": "1767323045006",
			"ApproximateReceiveCount": "1", "ApproximateFirstReceiveTimestamp": "1767323046006",
		},
	}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	if sent.UnixMilli() != 1767323045006 {
		t.Fatal("the clock does not stand where the test believes")
	}

	c.advance(10*time.Second - time.Nanosecond)
	if again := mustReceive(t, q); len(again) != 0 {
		t.Errorf("received while in flight: %v", bodies(again))
	}
	c.advance(time.Nanosecond)
	second := mustReceive(t, q)
	if got := second[0].Attributes["ApproximateReceiveCount"]; got != "2" {
		t.Errorf("receive count %s", got)
	}
	if got := second[0].Attributes["ApproximateFirstReceiveTimestamp"]; got != "1767323046006" {
		t.Errorf("first receive moved to %s", got)
	}

	// AWS reports success for the old handle, and keeps the message.
	if err := q.Delete(first[0].ReceiptHandle); err != nil {
		t.Error(err)
	}
	c.advance(10 * time.Second)
	third := mustReceive(t, q)
	if len(third) != 1 {
		t.Fatal("an old handle deleted the message")
	}
	// The newest handle deletes even after its time-out, and does no harm a second time.
	c.advance(11 * time.Second)
	for range 2 {
		if err := q.Delete(third[0].ReceiptHandle); err != nil {
			t.Error(err)
		}
	}
	if left := mustReceive(t, q); len(left) != 0 {
		t.Errorf("still there after it was deleted: %v", bodies(left))
	}
}

// TestVisibilityZero proves that a time-out of 0 returns a message once per call, and at once in the next.
func TestVisibilityZero(t *testing.T) {
	t.Parallel()
	q := mustCreate(t, newServer(newClock()), "q", "VisibilityTimeout", "0")
	mustSend(t, q, "a")
	for range 3 {
		if got := bodies(mustReceive(t, q)); !cmp.Equal(got, []string{"a"}) {
			t.Errorf("received %v", got)
		}
	}
}

func TestChangeVisibility(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := mustCreate(t, newServer(c), "q")
	mustSend(t, q, "a")
	handle := mustReceive(t, q)[0].ReceiptHandle
	change := func(d time.Duration) error { return q.ChangeVisibility(handle, d) }

	if err := change(time.Minute); err != nil {
		t.Fatal(err)
	}
	c.advance(59 * time.Second)
	if got := mustReceive(t, q); len(got) != 0 {
		t.Error("received before the longer time-out was over")
	}
	if err := change(0); err != nil {
		t.Fatal(err)
	}
	again := mustReceive(t, q)
	if len(again) != 1 {
		t.Fatal("not visible after its time-out was set to 0")
	}
	wantCode(t, change(time.Second), "InvalidParameterValueException") // the handle is outdated now
	handle = again[0].ReceiptHandle
	wantCode(t, change(43201*time.Second), "InvalidParameterValueException")
	wantCode(t, change(-time.Second), "InvalidParameterValueException")
	wantCode(t, change(43200*time.Second), "")
	c.advance(time.Second)
	wantCode(t, change(43200*time.Second), "InvalidParameterValueException") // over 12 hours since the receive
	wantCode(t, change(time.Minute), "")
	c.advance(time.Minute)
	wantCode(t, change(time.Minute), "MessageNotInflight") // visible again
	if err := q.Delete(handle); err != nil {
		t.Fatal(err)
	}
	wantCode(t, change(time.Second), "InvalidParameterValueException") // gone
}

func TestHandles(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	q, other := mustCreate(t, s, "q"), mustCreate(t, s, "other")
	mustSend(t, other, "a")
	foreign := mustReceive(t, other)[0].ReceiptHandle
	forged := "A" + foreign[1:]
	if forged == foreign {
		forged = "B" + foreign[1:]
	}
	for _, handle := range []string{"", "x", "AAAA", foreign, forged, strings.Repeat("A", 1000)} {
		wantCode(t, q.Delete(handle), "ReceiptHandleIsInvalid")
		wantCode(t, q.ChangeVisibility(handle, 0), "ReceiptHandleIsInvalid")
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := mustCreate(t, newServer(c), "q", "DelaySeconds", "5")
	mustSend(t, q, "the queue's")
	for name, delay := range map[string]time.Duration{"none": 0, "its own": 900 * time.Second} {
		if _, err := q.Send(sqs.Outgoing{Body: name, Delay: &delay}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		at   time.Duration
		want []string
	}{
		{0, []string{"none"}},
		{5*time.Second - 1, nil},
		{5 * time.Second, []string{"the queue's"}},
		{900*time.Second - 1, nil},
		{900 * time.Second, []string{"its own"}},
	} {
		c.advance(tt.at - c.Now().Sub(newClock().now))
		messages := mustReceive(t, q)
		if diff := cmp.Diff(tt.want, bodies(messages)); diff != "" {
			t.Errorf("after %v: %s", tt.at, diff)
		}
		for _, m := range messages {
			if err := q.Delete(m.ReceiptHandle); err != nil {
				t.Fatal(err)
			}
		}
	}
	tooLong := 901 * time.Second
	_, err := q.Send(sqs.Outgoing{Body: "x", Delay: &tooLong})
	wantCode(t, err, "InvalidParameterValueException")
}

// TestRetention proves that messages are dropped at the end of their retention period, in flight or not.
func TestRetention(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := mustCreate(t, newServer(c), "q", "MessageRetentionPeriod", "60", "VisibilityTimeout", "600")
	mustSend(t, q, "in flight")
	mustReceive(t, q)
	mustSend(t, q, "visible")
	c.advance(30 * time.Second)
	mustSend(t, q, "later")
	c.advance(30 * time.Second)
	if diff := cmp.Diff([]string{"later"}, bodies(mustReceive(t, q))); diff != "" {
		t.Error(diff)
	}
	want := sqs.Stats{NotVisible: 1, OldestAge: 30 * time.Second, Sent: 3, Received: 2}
	if diff := cmp.Diff(want, q.Stats()); diff != "" {
		t.Error(diff)
	}
	c.advance(30 * time.Second)
	if got := q.Stats().NotVisible; got != 0 {
		t.Errorf("%d messages in flight after the last one's period", got)
	}
}

func redrive(target *sqs.Queue, count string) []string {
	return []string{"RedrivePolicy", `{"deadLetterTargetArn":"` + target.ARN() + `","maxReceiveCount":` + count + `}`}
}

// TestRedrive proves that a message moves on the receive after the last allowed one, with its id, attributes, times and
// count, and its retention period counted from when it was sent.
func TestRedrive(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(c)
	dead := mustCreate(t, s, "dead", "MessageRetentionPeriod", "600")
	q := mustCreate(t, s, "q", append(redrive(dead, `"2"`), "VisibilityTimeout", "10")...)
	sent, err := q.Send(sqs.Outgoing{
		Body: "poison", SenderID: "someone", TraceHeader: "Root=1", Group: aws.String("acme"),
		Attributes: map[string]sqs.MessageAttribute{"a": {DataType: "String", StringValue: "b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := mustReceive(t, q); len(got) != 1 {
			t.Fatalf("received %v", bodies(got))
		}
		c.advance(10 * time.Second)
	}
	// It moves at a receive, not at a time-out.
	if got := q.Stats().Visible + 10*dead.Stats().Visible; got != 1 {
		t.Errorf("moved before a receive: %d", got)
	}
	handle := "none yet"
	if got := mustReceive(t, q); len(got) != 0 {
		t.Errorf("received a third time: %v", bodies(got))
	}
	if diff := cmp.Diff(sqs.Stats{Visible: 1}, dead.Stats()); diff != "" {
		t.Errorf("the dead-letter queue: %s", diff) // and it was not sent there
	}
	c.advance(time.Second)
	got := mustReceive(t, dead)
	handle = got[0].ReceiptHandle
	want := []sqs.Message{{
		MessageID: sent.MessageID, ReceiptHandle: handle, Body: "poison", MD5OfBody: sent.MD5OfBody,
		Attributes: map[string]string{
			"SenderId": "someone", "SentTimestamp": "1767323045006", "AWSTraceHeader": "Root=1", "MessageGroupId": "acme",
			"ApproximateReceiveCount": "3", "ApproximateFirstReceiveTimestamp": "1767323045006",
			"DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-1:123456789012:q",
		},
		MD5OfMessageAttributes: sent.MD5OfAttributes,
		MessageAttributes:      map[string]sqs.MessageAttribute{"a": {DataType: "String", StringValue: "b"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again := sqs.Outgoing{Body: "poison", TraceHeader: "Root=1", Group: aws.String("acme"), Attributes: want[0].MessageAttributes}
	if diff := cmp.Diff(again, got[0].Again()); diff != "" {
		t.Errorf("sent again (-want +got):\n%s", diff)
	}
	// The age counts from arrival in this queue, the retention from when the message was sent.
	if got := dead.Stats().OldestAge; got != time.Second {
		t.Errorf("oldest age %v", got)
	}
	c.advance(600*time.Second - 21*time.Second)
	if got := dead.Stats(); got.Visible+got.NotVisible != 0 {
		t.Errorf("outlived its retention period: %+v", got)
	}
}

// TestRedriveWithoutTarget proves that a message stays in its queue when its dead-letter queue is deleted.
func TestRedriveWithoutTarget(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	dead := mustCreate(t, s, "dead")
	q := mustCreate(t, s, "q", append(redrive(dead, "1"), "VisibilityTimeout", "0")...)
	mustSend(t, q, "a")
	if err := s.Delete("dead"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := mustReceive(t, q); len(got) != 1 {
			t.Errorf("received %v", bodies(got))
		}
	}
}

// TestOldestAge proves that a message received more than three times does not hide the age of others.
func TestOldestAge(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := mustCreate(t, newServer(c), "q", "VisibilityTimeout", "0")
	mustSend(t, q, "poison")
	c.advance(time.Minute)
	for range 3 {
		mustReceive(t, q)
	}
	mustSend(t, q, "other")
	c.advance(time.Second)
	if got := q.Stats().OldestAge; got != 61*time.Second {
		t.Errorf("oldest age %v", got)
	}
	mustReceive(t, q)
	if got := q.Stats().OldestAge; got != time.Second {
		t.Errorf("oldest age %v after the fourth receive", got)
	}
}

// TestOldestAgeOfDeadLetter proves that receives from another queue do not exclude a message from the age.
func TestOldestAgeOfDeadLetter(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(c)
	dead := mustCreate(t, s, "dead")
	q := mustCreate(t, s, "q", append(redrive(dead, "5"), "VisibilityTimeout", "0")...)
	mustSend(t, q, "poison")
	for range 6 {
		mustReceive(t, q)
	}
	c.advance(time.Second)
	if got := dead.Stats().OldestAge; got != time.Second {
		t.Errorf("oldest age %v", got)
	}
}

// TestOrder proves that messages are received in the order in which they became visible, and were sent.
func TestOrder(t *testing.T) {
	t.Parallel()
	c := newClock()
	q := mustCreate(t, newServer(c), "q")
	later := time.Second
	if _, err := q.Send(sqs.Outgoing{Body: "delayed", Delay: &later}); err != nil {
		t.Fatal(err)
	}
	want := strings.Split("abcdefgh", "")
	for _, body := range want {
		mustSend(t, q, body)
	}
	c.advance(time.Second)
	if diff := cmp.Diff(append(want, "delayed"), bodies(mustReceive(t, q))); diff != "" {
		t.Error(diff)
	}
}

func TestPurgeAndDelete(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(c)
	q := mustCreate(t, s, "q")
	mustSend(t, q, "a")
	mustSend(t, q, "b")
	delay := time.Minute
	if _, err := q.Send(sqs.Outgoing{Body: "c", Delay: &delay}); err != nil {
		t.Fatal(err)
	}
	handle := mustReceive(t, q)[0].ReceiptHandle
	if err := q.Purge(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sqs.Stats{Sent: 3, Received: 2}, q.Stats()); diff != "" {
		t.Error(diff)
	}
	wantCode(t, q.Delete(handle), "")
	wantCode(t, q.Purge(), "PurgeQueueInProgress")
	c.advance(time.Minute)
	wantCode(t, q.Purge(), "")

	wantCode(t, s.Delete("q"), "")
	wantCode(t, s.Delete("q"), "QueueDoesNotExist")
	_, err := q.Send(sqs.Outgoing{Body: "x"})
	wantCode(t, err, "QueueDoesNotExist")
	_, err = q.Receive(t.Context(), 1, 0)
	wantCode(t, err, "QueueDoesNotExist")
	for _, err := range []error{q.Purge(), q.Delete(handle), q.ChangeVisibility(handle, 0), q.SetAttributes(nil)} {
		wantCode(t, err, "QueueDoesNotExist")
	}
	_, err = s.Create("q", nil)
	wantCode(t, err, "QueueDeletedRecently")
	c.advance(time.Minute)
	if got := mustReceive(t, mustCreate(t, s, "q")); len(got) != 0 {
		t.Errorf("a new queue has the messages of the old one: %v", bodies(got))
	}
}

// TestClose proves that a closed server returns its error.
func TestClose(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	q := mustCreate(t, s, "q")
	s.Close()
	_, err := q.Send(sqs.Outgoing{Body: "x"})
	wantCode(t, err, "ServiceUnavailable")
	_, err = s.Create("r", nil)
	wantCode(t, err, "ServiceUnavailable")
}

// TestInFlightLimit proves that messages in flight are limited, and that deleting one makes room.
func TestInFlightLimit(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	if was := s.SetMaxInFlight(15); was != 120_000 {
		t.Errorf("the limit was %d, not AWS's", was)
	}
	q := mustCreate(t, s, "q")
	for range 16 {
		mustSend(t, q, "x")
	}
	handle := mustReceive(t, q)[0].ReceiptHandle
	if got := mustReceive(t, q); len(got) != 5 {
		t.Errorf("received %d messages with room for five", len(got))
	}
	_, err := q.Receive(t.Context(), 1, 0)
	wantCode(t, err, "OverLimit")
	if err := q.Delete(handle); err != nil {
		t.Fatal(err)
	}
	if got := mustReceive(t, q); len(got) != 1 {
		t.Errorf("received %d messages with room for one", len(got))
	}
}
