package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// runQueue runs a source in a bubble of fake time until the test ends.
func runQueue(t *testing.T, in *invoker, q *queue, c QueueSourceConfig) *QueueSource {
	t.Helper()
	c.Function, c.QueueARN = "f", queueARN
	setDefault(&c.VisibilityTimeout, time.Minute)
	s, err := NewQueueSource(in, q, c)
	if err != nil {
		t.Fatal(err)
	}
	go s.Run(t.Context())
	synctest.Wait()
	return s
}

// TestQueueSourceDeletesWhatSucceeded proves that the function's answer decides which messages are deleted.
func TestQueueSourceDeletesWhatSucceeded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		partial bool // ReportBatchItemFailures
		answer  string
		result  Result
		deleted []string
	}{
		"success":                 {answer: `null`, deleted: []string{"a", "b", "c"}},
		"failure":                 {result: broken},
		"one failed":              {partial: true, answer: `{"batchItemFailures":[{"itemIdentifier":"id-b"}]}`, deleted: []string{"a", "c"}},
		"all failed":              {partial: true, answer: `{"batchItemFailures":[{"itemIdentifier":"id-a"},{"itemIdentifier":"id-b"},{"itemIdentifier":"id-c"}]}`},
		"none failed":             {partial: true, answer: `{"batchItemFailures":[]}`, deleted: []string{"a", "b", "c"}},
		"null list":               {partial: true, answer: `{"batchItemFailures":null}`, deleted: []string{"a", "b", "c"}},
		"null":                    {partial: true, answer: `null`, deleted: []string{"a", "b", "c"}},
		"nothing":                 {partial: true, answer: ``, deleted: []string{"a", "b", "c"}},
		"empty object":            {partial: true, answer: `{}`, deleted: []string{"a", "b", "c"}},
		"unknown message":         {partial: true, answer: `{"batchItemFailures":[{"itemIdentifier":"id-x"}]}`},
		"empty name":              {partial: true, answer: `{"batchItemFailures":[{"itemIdentifier":""}]}`},
		"null name":               {partial: true, answer: `{"batchItemFailures":[{"itemIdentifier":null}]}`},
		"other name":              {partial: true, answer: `{"batchItemFailures":[{"id":"id-b"}]}`},
		"no JSON":                 {partial: true, answer: `oops`},
		"failure, partial":        {partial: true, result: broken},
		"partial, but not agreed": {answer: `{"batchItemFailures":[{"itemIdentifier":"id-b"}]}`, deleted: []string{"a", "b", "c"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.result.Payload = []byte(tt.answer)
				in := &invoker{do: func([]byte) (Result, error) { return tt.result, nil }}
				q := newQueue("a", "b", "c")
				s := runQueue(t, in, q, QueueSourceConfig{ReportBatchItemFailures: tt.partial})
				s.Close()
				if diff := cmp.Diff(tt.deleted, q.deleted); diff != "" {
					t.Errorf("deleted: %s", diff)
				}
				if diff := cmp.Diff([]string{"a b c"}, in.calls(t)); diff != "" {
					t.Errorf("batches: %s", diff)
				}
			})
		})
	}
}

func TestQueueSourceEvent(t *testing.T) {
	t.Parallel()
	m := Message{
		ID: "059f36b4-87a3-44ab-83d2-661975830a7d", ReceiptHandle: "AQEB", Body: `{"UserId":"1","Body":"<ä>"}`,
		MD5OfBody: "e4e68fb7bd0e697a0ae8f1bb342846b3", MD5OfMessageAttributes: "582c92c5c5b6ac403040a4f3ab3115c9",
		Attributes: map[string]string{
			"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183", "SenderId": "AIDA", "ApproximateFirstReceiveTimestamp": "1545082649185",
		},
		MessageAttributes: map[string]MessageAttribute{
			"text": {DataType: "String", StringValue: "x"}, "bytes": {DataType: "Binary.png", BinaryValue: []byte{0, 255}},
		},
	}
	s := &QueueSource{config: QueueSourceConfig{QueueARN: queueARN}}
	got := s.event([]Message{m, {ID: "2", Body: "plain"}})
	var indented any
	if err := json.Unmarshal(got, &indented); err != nil {
		t.Fatal(err)
	}
	text, _ := json.MarshalIndent(indented, "", "  ")
	want, err := os.ReadFile(filepath.Join("testdata", "sqs-event.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
		t.Error(diff)
	}
	var event events.SQSEvent
	if err := json.Unmarshal(got, &event); err != nil {
		t.Fatal(err)
	}
	r := event.Records[0]
	if r.Body != m.Body || *r.MessageAttributes["text"].StringValue != "x" || !slices.Equal(r.MessageAttributes["bytes"].BinaryValue, []byte{0, 255}) || r.EventSource != "aws:sqs" {
		t.Errorf("the record is %+v", r)
	}
}

func TestQueueSourceWaitsForABatchWithinItsWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, q := &invoker{}, newQueue("a")
		s := runQueue(t, in, q, QueueSourceConfig{BatchSize: 12, BatchingWindow: 5 * time.Second})
		time.Sleep(3 * time.Second)
		q.send("b", "c")
		synctest.Wait()
		if len(in.calls(t)) != 0 {
			t.Error("the batch was sent before its window had passed")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		var many []string
		for i := range 12 {
			many = append(many, fmt.Sprint(i))
		}
		q.send(many...)
		synctest.Wait() // a full batch does not wait for the window
		s.Close()
		if diff := cmp.Diff([]string{"a b c", strings.Join(many, " ")}, in.calls(t)); diff != "" {
			t.Error(diff)
		}
		if slices.Max(q.asked) > 10 {
			t.Errorf("more than ten messages were asked for at once: %v", q.asked)
		}
	})
}

func TestQueueSourceTriesAgainWhileItIsThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var tried []time.Duration
		in := &invoker{do: func([]byte) (Result, error) {
			if tried = append(tried, time.Since(began)); len(tried) < 4 {
				return Result{}, throttle
			}
			return Result{}, nil
		}}
		q := newQueue("a")
		s := runQueue(t, in, q, QueueSourceConfig{})
		time.Sleep(time.Minute)
		s.Close()
		want := []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond}
		if diff := cmp.Diff(want, tried); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"a"}, q.deleted); diff != "" {
			t.Error(diff)
		}
	})
}

func TestQueueSourceGivesAThrottledBatchBackBeforeItIsVisibleAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var last time.Duration
		var said []string
		in := &invoker{do: func([]byte) (Result, error) { last = time.Since(began); return Result{}, throttle }}
		q := newQueue("a")
		s := runQueue(t, in, q, QueueSourceConfig{VisibilityTimeout: 30 * time.Second, Problem: func(text string) { said = append(said, text) }})
		time.Sleep(5 * time.Minute)
		s.Close()
		if last > 30*time.Second || len(q.deleted) != 0 || len(said) != 1 {
			t.Errorf("the last try was after %v, deleted is %v, said was %q", last, q.deleted, said)
		}
	})
}

func TestQueueSourceGrowsAsLambdaDoes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		maximum, capacity int
		want              []int // batches under way after 0, 1 and 10 s
	}{
		"five, then five a second":      {0, 100, []int{5, 10, 55}},
		"up to its maximum":             {7, 100, []int{5, 7, 7}},
		"few from the beginning":        {2, 100, []int{2, 2, 2}},
		"no more than this machine can": {0, 3, []int{3, 3, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				working := 0
				finish := make(chan struct{})
				in := &invoker{capacity: tt.capacity, do: func([]byte) (Result, error) {
					mu.Lock()
					working++
					mu.Unlock()
					<-finish
					return Result{}, nil
				}}
				q := newQueue()
				for i := range 2000 {
					q.send(fmt.Sprint(i))
				}
				s := runQueue(t, in, q, QueueSourceConfig{MaximumConcurrency: tt.maximum})
				var got []int
				for _, pause := range []time.Duration{0, time.Second, 9 * time.Second} {
					time.Sleep(pause)
					synctest.Wait()
					mu.Lock()
					got = append(got, working)
					mu.Unlock()
				}
				close(finish)
				s.Close()
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestQueueSourceSplitsWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := &invoker{}
		q := newQueue()
		for _, c := range "abcd" {
			q.send(strings.Repeat(string(c), 2<<20))
		}
		s := runQueue(t, in, q, QueueSourceConfig{})
		s.Close()
		if len(in.events) != 2 || len(q.deleted) != 4 {
			t.Errorf("8 MB came in %d events, %d messages were deleted", len(in.events), len(q.deleted))
		}
	})
}

func TestQueueSourceFilters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, q := &invoker{}, newQueue(`{"kind":"a"}`, `{"kind":"b"}`, `no JSON`)
		s := runQueue(t, in, q, QueueSourceConfig{Filters: []string{`{"body":{"kind":["a"]}}`}})
		s.Close()
		if diff := cmp.Diff([]string{`{"kind":"a"}`}, in.calls(t)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{`{"kind":"b"}`, `no JSON`, `{"kind":"a"}`}, q.deleted); diff != "" {
			t.Errorf("what passes no filter is deleted too: %s", diff)
		}
	})
}

func TestQueueSourceSurvivesAQueueThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, q := &invoker{}, newQueue("a")
		q.fail = errors.New("SQS is down")
		var said []string
		s := runQueue(t, in, q, QueueSourceConfig{Problem: func(text string) { said = append(said, text) }})
		time.Sleep(time.Second)
		s.Close()
		if len(q.deleted) != 1 || len(said) != 1 || !strings.Contains(said[0], "SQS is down") {
			t.Errorf("deleted is %v, said was %q", q.deleted, said)
		}
	})
}

func TestClosedSourceDoesNotRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, q := &invoker{}, newQueue("a")
		s, err := NewQueueSource(in, q, QueueSourceConfig{Function: "f", QueueARN: queueARN, VisibilityTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		s.Run(t.Context())
		if len(in.events) != 0 {
			t.Error("a closed source invoked the function")
		}
	})
}

func TestQueueSourceRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*QueueSourceConfig){
		"unknown function":       func(c *QueueSourceConfig) { c.Function = "g" },
		"no queue":               func(c *QueueSourceConfig) { c.QueueARN = streamARN },
		"large batch":            func(c *QueueSourceConfig) { c.BatchSize, c.BatchingWindow = 10001, time.Second },
		"batch without a window": func(c *QueueSourceConfig) { c.BatchSize = 11 },
		"long window":            func(c *QueueSourceConfig) { c.BatchingWindow = 301 * time.Second },
		"concurrency of one":     func(c *QueueSourceConfig) { c.MaximumConcurrency = 1 },
		"short visibility":       func(c *QueueSourceConfig) { c.VisibilityTimeout = 29 * time.Second },
		"odd filter":             func(c *QueueSourceConfig) { c.Filters = []string{`{"a":[{"wildcard":"x"}]}`} },
	} {
		c := QueueSourceConfig{Function: "f", QueueARN: queueARN, VisibilityTimeout: 30 * time.Second}
		change(&c)
		if _, err := NewQueueSource(&invoker{}, newQueue(), c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
