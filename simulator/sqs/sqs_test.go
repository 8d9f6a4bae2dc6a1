package sqs_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

const account = "123456789012"

// clock is a clock that a test moves by hand. It rings for nobody: tests that wait run in a bubble of
// testing/synctest, with the computer's clock.
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

// serve puts a server on the network, and gives the SDK's client for it, which retries: its request body
// races with the end of net/http's write loop, so that a large answer is now and then cut off.
func serve(t *testing.T, s *sqs.Server) *awssqs.Client {
	t.Helper()
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(s.Service())
	web := httptest.NewServer(endpoint)
	t.Cleanup(web.Close)
	return awssqs.New(awssqs.Options{
		Region: "eu-west-1", BaseEndpoint: &web.URL, HTTPClient: web.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
}

// mustCreate makes a queue; the attributes come in pairs of name and value.
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

// code is an error's code, as a client of the SDK or a caller of the Go methods sees it.
func code(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	if err != nil {
		return "no error of an API: " + err.Error()
	}
	return ""
}

func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("the error is %q (%v), want %q", got, err, want)
	}
}
