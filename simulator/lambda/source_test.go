package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"heliograph/simulator/wire"
)

const (
	functionARN = "arn:aws:lambda:eu-west-1:000000000000:function:f"
	queueARN    = "arn:aws:sqs:eu-west-1:000000000000:q"
	streamARN   = "arn:aws:dynamodb:eu-west-1:000000000000:table/t/stream/2026-01-02T03:04:05.678"
	ruleARN     = "arn:aws:events:eu-west-1:000000000000:rule/sweep"
)

var (
	throttle = &wire.Error{Code: "TooManyRequestsException", Status: 429}
	broken   = Result{FunctionError: "Unhandled", RequestID: "r"}
)

// invoker is a function whose answers come from the test.
type invoker struct {
	do       func(event []byte) (Result, error)
	capacity int

	mu     sync.Mutex
	events [][]byte
	asyncs [][]byte
}

func (i *invoker) Invoke(ctx context.Context, r Request) (Result, error) {
	i.mu.Lock()
	i.events = append(i.events, r.Payload)
	i.mu.Unlock()
	if r.Function != functionARN {
		return Result{}, errors.New("another function: " + r.Function)
	}
	if i.do == nil {
		return Result{Payload: []byte("null")}, nil
	}
	return i.do(r.Payload)
}

func (i *invoker) InvokeAsync(r Request) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asyncs = append(i.asyncs, r.Payload)
	return nil
}

func (i *invoker) Function(name string) (Function, bool) {
	return Function{ARN: functionARN, Config: Config{Name: "f", Timeout: 30 * time.Second}}, name == "f" || name == functionARN
}

func (i *invoker) Capacity() int {
	if i.capacity == 0 {
		return 100
	}
	return i.capacity
}

// calls are the bodies, or the sequence numbers, in each event so far.
func (i *invoker) calls(t *testing.T) []string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []string
	for _, e := range i.events {
		var event struct {
			Records []struct {
				Body     string
				DynamoDB struct{ SequenceNumber string }
			}
		}
		if err := json.Unmarshal(e, &event); err != nil {
			t.Fatal(err)
		}
		var batch []string
		for _, r := range event.Records {
			batch = append(batch, r.Body+r.DynamoDB.SequenceNumber)
		}
		all = append(all, strings.Join(batch, " "))
	}
	return all
}

// queue is an SQS queue without visibility time-outs: a received message leaves it, and deletions are recorded.
type queue struct {
	mu      sync.Mutex
	waiting []Message
	deleted []string
	asked   []int // the max of each Receive
	fail    error
	grown   chan struct{}
}

func newQueue(bodies ...string) *queue {
	q := &queue{grown: make(chan struct{}, 1)}
	q.send(bodies...)
	return q
}

func (q *queue) send(bodies ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range bodies {
		name := b[:min(len(b), 20)] // a large body should not make a large id
		q.waiting = append(q.waiting, Message{ID: "id-" + name, ReceiptHandle: "handle-" + name, Body: b})
	}
	select {
	case q.grown <- struct{}{}:
	default:
	}
}

func (q *queue) Receive(ctx context.Context, max int, wait time.Duration) ([]Message, error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		q.mu.Lock()
		if q.fail != nil {
			defer q.mu.Unlock()
			err := q.fail
			q.fail = nil
			return nil, err
		}
		if n := min(max, len(q.waiting)); n > 0 {
			defer q.mu.Unlock()
			batch := q.waiting[:n]
			q.waiting = q.waiting[n:]
			q.asked = append(q.asked, max)
			return batch, nil
		}
		q.mu.Unlock()
		select {
		case <-q.grown:
		case <-timeout.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *queue) Delete(_ context.Context, handles []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range handles {
		q.deleted = append(q.deleted, strings.TrimPrefix(h, "handle-"))
	}
	return nil
}

// stream is a table's stream with a single shard.
type stream struct {
	mu      sync.Mutex
	records []StreamRecord
	grown   chan struct{}
	reads   []string
}

func newStream(n int) *stream {
	s := &stream{grown: make(chan struct{}, 1)}
	for i := range n {
		s.append(fmt.Sprint(i+1), time.Now())
	}
	return s
}

func (s *stream) append(sequence string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, StreamRecord{
		SequenceNumber: sequence, Created: at,
		Event: fmt.Appendf(nil, `{"eventName":"INSERT","dynamodb":{"SequenceNumber":%q}}`, sequence),
	})
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

func (s *stream) Shards() []string { return []string{"shard-1"} }

func (s *stream) Latest(string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) == 0 {
		return ""
	}
	return s.records[len(s.records)-1].SequenceNumber
}

func (s *stream) Read(ctx context.Context, _, after string, max int) ([]StreamRecord, error) {
	for {
		s.mu.Lock()
		s.reads = append(s.reads, after)
		from := 1 + slices.IndexFunc(s.records, func(r StreamRecord) bool { return r.SequenceNumber == after })
		if from == 0 && after != "" {
			s.mu.Unlock()
			return nil, errors.New("trimmed")
		}
		batch := s.records[from:min(len(s.records), from+max)]
		s.mu.Unlock()
		if len(batch) > 0 {
			return batch, nil
		}
		select {
		case <-s.grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
