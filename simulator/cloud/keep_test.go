package cloud

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/sns"
	"heliograph/simulator/sqs"
	"heliograph/simulator/ssm"
)

// newKeeping returns a cloud that keeps its state, after a program that declares a table, two queues, a topic with a
// subscription, and a parameter.
func newKeeping(t *testing.T, file, parameter string) *Cloud {
	t.Helper()
	c, err := New(Options{FunctionsDir: t.TempDir(), Keep: file, Problem: func(text string) { t.Log(text) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, err = c.Tables.CreateTable(dynamodb.Definition{
		Name: "things", HashKey: "pk", BillingMode: "PAY_PER_REQUEST", Attributes: []dynamodb.Attribute{{Name: "pk", Type: "S"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	dead := makeQueue(t, c, "dead", nil)
	makeQueue(t, c, "work", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":1}`})
	topic, err := c.Topics.CreateTopic("news", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Topics.Subscribe(topic, "sqs", dead.ARN(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Parameters.Put(ssm.Parameter{Name: "/p", Type: ssm.SecureString, Value: parameter}, false); err != nil {
		t.Fatal(err)
	}
	return c
}

func makeQueue(t *testing.T, c *Cloud, name string, attributes map[string]string) *sqs.Queue {
	t.Helper()
	q, err := c.Queues.Create(name, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// restarted is the cloud that follows on another one, which is closed.
func restarted(t *testing.T, before *Cloud, parameter string) *Cloud {
	t.Helper()
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	after := newKeeping(t, before.options.Keep, parameter)
	if err := after.Restore(); err != nil {
		t.Fatal(err)
	}
	return after
}

func started(t *testing.T) *Cloud {
	t.Helper()
	c := newKeeping(t, filepath.Join(t.TempDir(), "state.json"), "declared")
	if err := c.Restore(); err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t *testing.T, q *sqs.Queue, o sqs.Outgoing) {
	t.Helper()
	if _, err := q.Send(o); err != nil {
		t.Fatal(err)
	}
}

// TestKeepMessages proves that messages survive a restart with all that belongs to them: attributes, group, times, order
// and receive counts; that one in flight is visible, since its receiver is gone, and one delayed still waits.
func TestKeepMessages(t *testing.T) {
	t.Parallel()
	c := started(t)
	work, group, delay := queueOf(t, c, "work"), "tenant", 900*time.Second
	attributes := map[string]sqs.MessageAttribute{"a": {DataType: "String", StringValue: "x"}, "b": {DataType: "Binary", BinaryValue: []byte{0, 255}}}
	send(t, work, sqs.Outgoing{Body: "first", Attributes: attributes, Group: &group, TraceHeader: "Root=1", SenderID: "me"})
	send(t, work, sqs.Outgoing{Body: "second"})
	send(t, work, sqs.Outgoing{Body: "later", Delay: &delay})
	received, err := work.Receive(t.Context(), 1, 0)
	if err != nil || len(received) != 1 {
		t.Fatalf("received %v: %v", received, err)
	}
	before := work.Peek(10)
	c = restarted(t, c, "declared")
	after := queueOf(t, c, "work").Peek(10)
	want := []string{"visible", "visible", "delayed"}
	for i := range before {
		before[i].State = want[i]
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("differs (-before +after):\n%s", diff)
	}
	// The count is kept: the first message has been received as often as it may be, and is a dead letter now.
	if received, err = queueOf(t, c, "work").Receive(t.Context(), 10, 0); err != nil || len(received) != 1 || received[0].Body != "second" {
		t.Errorf("received %v: %v", received, err)
	}
	c = restarted(t, c, "declared")
	letters := queueOf(t, c, "dead").Peek(10)
	if len(letters) != 1 || letters[0].Body != "first" || letters[0].Attributes["DeadLetterQueueSourceArn"] != work.ARN() ||
		letters[0].Attributes["ApproximateReceiveCount"] != "1" || letters[0].Attributes["MessageGroupId"] != group {
		t.Errorf("the dead letters are %+v", letters)
	}
}

func queueOf(t *testing.T, c *Cloud, name string) *sqs.Queue {
	t.Helper()
	q, err := c.Queues.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestKeepWhatUsersMade proves that queues, topics and subscriptions that users have made are there again, and that what
// the program declared, and no longer does, is not.
func TestKeepWhatUsersMade(t *testing.T) {
	t.Parallel()
	c := started(t)
	// aaa needs zzz, which comes later in any order of names.
	mine := makeQueue(t, c, "zzz", map[string]string{"VisibilityTimeout": "7"})
	makeQueue(t, c, "aaa", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + mine.ARN() + `","maxReceiveCount":3}`})
	topics := c.Topics.Topics()
	subscription, err := c.Topics.Subscribe(topics[0], "sqs", mine.ARN(), map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"x":["1"]}`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Topics.CreateTopic("own", map[string]string{"DisplayName": "Own"}); err != nil {
		t.Fatal(err)
	}
	queues, kept := attributesOf(c), c.Topics.Keep()
	c = restarted(t, c, "declared")
	created := cmpopts.IgnoreMapEntries(func(name, _ string) bool { return strings.HasSuffix(name, "Timestamp") })
	if diff := cmp.Diff(queues, attributesOf(c), created); diff != "" {
		t.Errorf("queues differ (-before +after):\n%s", diff)
	}
	arns := cmpopts.IgnoreFields(sns.KeptSubscription{}, "ARN") // declared ones are made anew
	if diff := cmp.Diff(kept, c.Topics.Keep(), arns); diff != "" {
		t.Errorf("topics differ (-before +after):\n%s", diff)
	}
	if err := c.Topics.SetSubscriptionAttribute(subscription, "RawMessageDelivery", "false"); err != nil {
		t.Errorf("the subscription has another ARN: %v", err)
	}
	// A program that declares nothing.
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	empty, err := New(Options{FunctionsDir: t.TempDir(), Keep: c.options.Keep})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = empty.Close() })
	if err := empty.Restore(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"aaa", "zzz"}, namesOf(empty)); diff != "" {
		t.Errorf("queues differ:\n%s", diff)
	}
	if own := empty.Topics.Topics(); len(own) != 1 || !strings.HasSuffix(string(own[0]), ":own") || len(empty.Parameters.Parameters()) != 0 {
		t.Errorf("there are the topics %v and %d parameters", own, len(empty.Parameters.Parameters()))
	}
}

func namesOf(c *Cloud) (names []string) {
	for _, q := range c.Queues.Queues() {
		names = append(names, q.Name())
	}
	return names
}

func attributesOf(c *Cloud) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, q := range c.Queues.Queues() {
		all[q.Name()] = q.Attributes()
	}
	return all
}

// TestKeepParameters proves that a parameter keeps what a user has set, until the program declares another value.
func TestKeepParameters(t *testing.T) {
	t.Parallel()
	c := started(t)
	put := func(name, value string) {
		t.Helper()
		if _, err := c.Parameters.Put(ssm.Parameter{Name: name, Type: ssm.SecureString, Value: value}, true); err != nil {
			t.Fatal(err)
		}
	}
	value := func(name string) string {
		t.Helper()
		p, err := c.Parameters.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		return p.Value
	}
	put("/p", "rotated")
	put("/own", "mine")
	c = restarted(t, c, "declared")
	if value("/p") != "rotated" || value("/p:1") != "declared" || value("/own") != "mine" {
		t.Errorf("got %q, before it %q, and %q", value("/p"), value("/p:1"), value("/own"))
	}
	c = restarted(t, c, "declared anew")
	if value("/p") != "declared anew" || value("/own") != "mine" {
		t.Errorf("got %q and %q", value("/p"), value("/own"))
	}
}

// TestKeepRefuses proves that a file which can't be used is an error that names it and says what to do, and stays as it
// is; and that other users can't read one.
func TestKeepRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"half":      {`{"Version":1,"DynamoDB":{"things"`, "unexpected EOF"},
		"empty":     {"", "EOF"},
		"version":   {`{"Version":2}`, "it has version 2, and this program reads version 1"},
		"member":    {`{"Version":1,"Oops":1}`, `unknown field "Oops"`},
		"item":      {`{"Version":1,"DynamoDB":{"things":{"Items":[{"pk":{"N":"1"}}]}}}`, "the table things"},
		"message":   {`{"Version":1,"SQS":{"work":{"Messages":[{"MessageID":"m","Body":""}]}}}`, "the message m of the queue work"},
		"queue":     {`{"Version":1,"SQS":{"work.fifo":{}}}`, "the queue work.fifo"},
		"parameter": {`{"Version":1,"SSM":{"/q":[{"Name":"/q","Type":"String","Value":""}]}}`, "the parameter /q"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "state.json")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			c := newKeeping(t, file, "declared")
			err := c.Restore()
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "move that file away") {
				t.Errorf("got %v", err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != tt.text {
				t.Errorf("the file has become %s (%v)", text, err)
			}
		})
	}
	c := started(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(c.options.Keep); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has %v: %v", info.Mode(), err)
	}
}
