package sqs_test

import (
	"sync"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
	"heliograph/simulator/wire/wiretest"
)

const account = "123456789012"

// clock is a clock that a test moves by hand. It wakes no waiter: tests that wait run in a bubble of testing/synctest,
// with the system clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(time.Duration) (<-chan time.Time, func()) { return nil, func() {} }

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newServer(c sqs.Clock) *sqs.Server {
	return sqs.New(sqs.Options{Region: "eu-west-1", Account: account, Endpoint: "http://sqs.test", Clock: c})
}

// serve returns the SDK's client for a server.
func serve(t *testing.T, s *sqs.Server) *awssqs.Client {
	t.Helper()
	return awssqs.NewFromConfig(wiretest.Serve(t, s.Service(), wire.Options{}))
}

var code, wantCode = wiretest.Code, wiretest.WantCode

// mustCreate makes a queue; the attributes are pairs of name and value.
func mustCreate(t testing.TB, s *sqs.Server, name string, attributes ...string) *sqs.Queue {
	t.Helper()
	set := map[string]string{}
	for i := 0; i < len(attributes); i += 2 {
		set[attributes[i]] = attributes[i+1]
	}
	q, err := s.Create(name, set)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func mustSend(t testing.TB, q *sqs.Queue, body string) sqs.MessageID {
	t.Helper()
	sent, err := q.Send(sqs.Outgoing{Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return sent.MessageID
}

// mustReceive receives up to ten messages without waiting.
func mustReceive(t testing.TB, q *sqs.Queue) []sqs.Message {
	t.Helper()
	messages, err := q.Receive(t.Context(), 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

func bodies(messages []sqs.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Body)
	}
	return all
}
