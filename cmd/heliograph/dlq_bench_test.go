package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// bench holds the two queues, a command's world and the fault to inject. It lives in a testing/synctest bubble, so
// that waiting costs nothing: the client calls the server in process, without a network.
type bench struct {
	world
	queue      dlq
	send, dead *sqs.Queue
	out, err   *bytes.Buffer

	again bool // deliver each dead letter a second time, 3 s later
	mu    sync.Mutex
	fault func(action string, n int) error // called with the action and the number of its calls so far, including this one
	calls map[string]int
}

// inBubble runs a test in a synctest bubble with a bench.
func inBubble(t *testing.T, test func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newBench(t)) })
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{out: new(bytes.Buffer), err: new(bytes.Buffer), calls: map[string]int{}}
	b.world = world{stdout: b.out, stderr: b.err, now: time.Now}
	server := sqs.New(sqs.Options{Region: "eu-west-1", Account: "123456789012", Endpoint: "http://sqs.test", Redeliver: func(queue string) (time.Duration, bool) {
		return 3 * time.Second, b.again && strings.HasSuffix(queue, ":dead")
	}})
	t.Cleanup(server.Close)
	b.dead = create(t, server, "dead", nil)
	b.send = create(t, server, "send", map[string]string{"RedrivePolicy": `{"maxReceiveCount":1,"deadLetterTargetArn":"` + b.dead.ARN() + `"}`})
	endpoint := wire.NewEndpoint(wire.Options{Before: b.before})
	endpoint.Register(server.Service())
	client := awssqs.New(awssqs.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://sqs.test"), HTTPClient: inProcess{endpoint},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	})
	b.queue = dlq{client: client, url: b.dead.URL(), sendQueue: b.send.URL()}
	return b
}

func create(t *testing.T, server *sqs.Server, name string, attributes map[string]string) *sqs.Queue {
	t.Helper()
	q, err := server.Create(name, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// inProcess is an HTTP client that calls the handler directly, without a network.
type inProcess struct{ http.Handler }

func (p inProcess) Do(r *http.Request) (_ *http.Response, err error) {
	defer func() {
		if problem := recover(); problem == http.ErrAbortHandler {
			err = io.ErrUnexpectedEOF // the error that a client sees when the server drops the connection
		} else if problem != nil {
			panic(problem)
		}
	}()
	w := httptest.NewRecorder()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat)) // as net/http does
	p.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

func (b *bench) before(_ context.Context, call wire.Call) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[call.Action]++
	if b.fault == nil {
		return nil
	}
	return b.fault(call.Action, b.calls[call.Action])
}

// fails returns a fault that fails the given calls of an action with an error that the SDK does not retry.
func fails(action string, nth ...int) func(string, int) error {
	return func(called string, n int) error {
		if called == action && slices.Contains(nth, n) {
			return wire.Errorf("AccessDeniedException", "not today")
		}
		return nil
	}
}

// bury puts a dead letter on the queue the way the send function does, and returns its message id.
func (b *bench) bury(t *testing.T, body, reason string, attributes ...string) string {
	t.Helper()
	all := map[string]sqs.MessageAttribute{}
	if reason != "" {
		all["RejectReason"] = text(reason)
		all["Attempts"] = sqs.MessageAttribute{DataType: "Number", StringValue: "3"}
	}
	for i := 0; i < len(attributes); i += 2 {
		all[attributes[i]] = text(attributes[i+1])
	}
	sent, err := b.dead.Send(sqs.Outgoing{Body: body, Attributes: all, Group: aws.String("acme"), TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793"})
	if err != nil {
		t.Fatal(err)
	}
	return string(sent.MessageID)
}

func text(value string) sqs.MessageAttribute {
	return sqs.MessageAttribute{DataType: "String", StringValue: value}
}

// buryMany buries n undelivered messages whose Ids are their numbers.
func (b *bench) buryMany(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		b.bury(t, fmt.Sprintf(`{"UserId":"u","Body":"b","Id":"%d"}`, i), "undelivered: tried")
	}
}

// visible returns the messages that a queue shows to other readers, in no particular order.
func visible(t *testing.T, q *sqs.Queue) (messages []sqs.Message) {
	t.Helper()
	for {
		some, err := q.Receive(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			return messages
		}
		messages = append(messages, some...)
	}
}

// numbers returns the Ids of messages made by buryMany, sorted.
func numbers(t *testing.T, messages []sqs.Message) (ids []string) {
	t.Helper()
	for _, m := range messages {
		var message struct{ Id string }
		if err := json.Unmarshal([]byte(m.Body), &message); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, message.Id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	return ids
}

// nothingHidden proves that the command released every message that it had read.
func (b *bench) nothingHidden(t *testing.T) {
	t.Helper()
	if stats := b.dead.Stats(); stats.NotVisible != 0 {
		t.Errorf("%d messages of the dead-letter queue are still hidden", stats.NotVisible)
	}
}

// wantError compares an error with part of its text; "" means no error.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q", err, want)
	}
}
