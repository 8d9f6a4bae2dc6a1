package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/internal/sleep"
)

// QueueSource polls an SQS queue and invokes a function with the messages.
type QueueSource struct {
	runner
	in     Invoker
	queue  Queue
	config QueueSourceConfig
	filter filter
	batch  sync.WaitGroup

	// Lambda begins with five concurrent batches and adds five per second as long as more messages wait. Only Run's
	// goroutine accesses these.
	busy, limit, max int
	freed            chan struct{}
}

// How an SQS event source polls and scales. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
const (
	longPoll    = 20 * time.Second
	firstLimit  = 5
	growth      = 200 * time.Millisecond
	mostBatches = 1250
)

// NewQueueSource returns a source for Run to start. A bad value is an InvalidParameterValueException.
func NewQueueSource(in Invoker, q Queue, c QueueSourceConfig) (*QueueSource, error) {
	f, err := checkFunction(in, c.Function)
	if err != nil {
		return nil, err
	}
	c.Function = f.ARN
	setDefault(&c.BatchSize, 10)
	if err := c.check(f); err != nil {
		return nil, err
	}
	s := &QueueSource{in: in, queue: q, config: c, max: mostBatches}
	if s.filter, err = newFilter(c.Filters); err != nil {
		return nil, invalidParameter("Invalid filter pattern definition. The event source of %s: %v", f.Name, err)
	}
	if c.MaximumConcurrency > 0 {
		s.max = c.MaximumConcurrency
	}
	// More batches than the machine can run would only wait while their messages are redelivered.
	s.max = min(s.max, in.Capacity())
	s.limit = min(firstLimit, s.max)
	s.freed = make(chan struct{}, s.max)
	return s, nil
}

// check refuses what AWS refuses when the event source is created.
func (c QueueSourceConfig) check(f Function) error {
	switch {
	case !strings.HasPrefix(c.QueueARN, "arn:aws:sqs:"):
		return invalidParameter("the event source of %s is %q, which is not a queue", f.Name, c.QueueARN)
	case c.BatchSize < 1 || c.BatchSize > 10000:
		return invalidParameter("the batch size of %s is %d; it must be from 1 to 10000", f.Name, c.BatchSize)
	case c.BatchSize > 10 && c.BatchingWindow == 0:
		return invalidParameter("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
	case c.BatchingWindow < 0 || c.BatchingWindow > 300*time.Second:
		return invalidParameter("the batching window of %s is %v; it must be from 0 to 300 s", f.Name, c.BatchingWindow)
	case c.MaximumConcurrency != 0 && (c.MaximumConcurrency < 2 || c.MaximumConcurrency > 1000):
		return invalidParameter("the maximum concurrency of %s is %d; it must be from 2 to 1000", f.Name, c.MaximumConcurrency)
	case c.VisibilityTimeout < f.Timeout:
		return invalidParameter("Queue visibility timeout: %.0f seconds is less than Function timeout: %.0f seconds", c.VisibilityTimeout.Seconds(), f.Timeout.Seconds())
	}
	return nil
}

// Run polls the queue until the context ends or Close is called. Batches still under way are left to the queue, which
// makes their messages visible again.
func (s *QueueSource) Run(ctx context.Context) { s.run(ctx, s.poll) }

// poll receives and starts batches until the context ends. An empty queue resets the growth, as on Lambda.
func (s *QueueSource) poll(ctx context.Context) {
	defer s.batch.Wait()
	for pause := time.Duration(0); s.room(ctx); {
		batch, err := s.collect(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = min(max(2*pause, 100*time.Millisecond), 10*time.Second)
			problem(s.config.Problem, "reading %s for %s: %v", s.config.QueueARN, s.config.Function, err)
			if !sleep.For(ctx, pause) {
				return
			}
			continue
		case len(batch) == 0:
			s.limit = min(firstLimit, s.max)
		default:
			s.start(ctx, batch)
		}
		pause = 0
	}
}

func (s *QueueSource) start(ctx context.Context, batch []Message) {
	s.busy++
	s.batch.Go(func() {
		s.handle(ctx, batch)
		s.freed <- struct{}{} // has room for every batch
	})
}

// room waits until another batch may start. Messages are received only when they can be handled immediately; waiting,
// they would exceed their visibility time-out.
func (s *QueueSource) room(ctx context.Context) bool {
	for {
		select {
		case <-s.freed:
			s.busy--
			continue
		default:
		}
		if s.busy < s.limit || ctx.Err() != nil {
			return ctx.Err() == nil
		}
		if !s.wait(ctx) {
			return false
		}
	}
}

// wait waits for a batch to end or, below the maximum, until another one may be added.
func (s *QueueSource) wait(ctx context.Context) bool {
	var grow <-chan time.Time
	if s.limit < s.max {
		timer := time.NewTimer(growth)
		defer timer.Stop()
		grow = timer.C
	}
	select {
	case <-s.freed:
		s.busy--
	case <-grow:
		s.limit++
	case <-ctx.Done():
		return false
	}
	return true
}

// collect receives a batch: the messages available now, or those that arrive within the batching window.
func (s *QueueSource) collect(ctx context.Context) ([]Message, error) {
	batch, err := s.queue.Receive(ctx, min(s.config.BatchSize, 10), longPoll)
	if err != nil || len(batch) == 0 || s.config.BatchingWindow == 0 {
		return batch, err
	}
	until := time.Now().Add(s.config.BatchingWindow)
	for len(batch) < s.config.BatchSize {
		left := time.Until(until)
		if left <= 0 {
			break
		}
		more, err := s.queue.Receive(ctx, min(s.config.BatchSize-len(batch), 10), min(left, longPoll))
		if err != nil {
			return batch, nil // handle what has been received; the next round meets the error again
		}
		batch = append(batch, more...)
	}
	return batch, nil
}

// handle invokes the function with a batch and deletes the messages that succeeded.
func (s *QueueSource) handle(ctx context.Context, batch []Message) {
	batch = s.passed(ctx, batch)
	if len(batch) == 0 {
		return
	}
	event := s.event(batch)
	if len(event) > maxPayload && len(batch) > 1 {
		s.handle(ctx, batch[:len(batch)/2])
		s.handle(ctx, batch[len(batch)/2:])
		return
	}
	result, err := s.invoke(ctx, event)
	if err != nil {
		if ctx.Err() == nil {
			problem(s.config.Problem, "invoking %s with %d messages of %s: %v", s.config.Function, len(batch), s.config.QueueARN, err)
		}
		return
	}
	if result.FunctionError != "" { // delete nothing: the messages reappear after their visibility time-out
		return
	}
	done := batch
	if s.config.ReportBatchItemFailures {
		done = s.succeeded(batch, result.Payload)
	}
	s.remove(ctx, done)
}

// passed deletes the messages that no filter matches and returns the others.
func (s *QueueSource) passed(ctx context.Context, batch []Message) []Message {
	if len(s.filter) == 0 {
		return batch
	}
	var passed, dropped []Message
	for _, m := range batch {
		if s.filter.match(m.forFilter()) {
			passed = append(passed, m)
		} else {
			dropped = append(dropped, m)
		}
	}
	s.remove(ctx, dropped)
	return passed
}

// remove deletes messages. A failure is only reported: SQS will redeliver them.
func (s *QueueSource) remove(ctx context.Context, batch []Message) {
	if len(batch) == 0 {
		return
	}
	handles := make([]string, len(batch))
	for i, m := range batch {
		handles[i] = m.ReceiptHandle
	}
	if err := s.queue.Delete(ctx, handles); err != nil && ctx.Err() == nil {
		problem(s.config.Problem, "deleting %d messages of %s: %v", len(handles), s.config.QueueARN, err)
	}
}

// invoke retries while the function is throttled and the messages are still hidden.
func (s *QueueSource) invoke(ctx context.Context, event []byte) (Result, error) {
	until := time.Now().Add(s.config.VisibilityTimeout)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		result, err := s.in.Invoke(ctx, Request{Function: s.config.Function, Payload: event})
		if !throttled(err) || time.Now().Add(pause).After(until) || !sleep.For(ctx, pause) {
			return result, err
		}
	}
}

// succeeded returns the messages that the answer does not name as failed. If Lambda can't read the answer, all have
// failed.
func (s *QueueSource) succeeded(batch []Message, answer []byte) []Message {
	failed, err := failures(answer)
	if err != nil {
		problem(s.config.Problem, "%s answered a batch of %s: %v; the whole batch counts as failed", s.config.Function, s.config.QueueARN, err)
		return nil
	}
	var done []Message
	for _, m := range batch {
		if failed[m.ID] {
			delete(failed, m.ID)
		} else {
			done = append(done, m)
		}
	}
	for id := range failed {
		problem(s.config.Problem, "%s named the message %q as failed, which is not in its batch of %s; the whole batch counts as failed", s.config.Function, id, s.config.QueueARN)
		return nil
	}
	return done
}

// failures reads a partial batch response. An empty or missing one means success.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func failures(answer []byte) (map[string]bool, error) {
	if len(bytes.TrimSpace(answer)) == 0 {
		return nil, nil
	}
	var response *struct {
		BatchItemFailures []map[string]any `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		return nil, fmt.Errorf("its answer is not a batch response: %w", err)
	}
	if response == nil {
		return nil, nil
	}
	failed := map[string]bool{}
	for _, item := range response.BatchItemFailures {
		id, is := item["itemIdentifier"].(string)
		if !is || id == "" {
			return nil, errors.New("a batch item failure has no itemIdentifier")
		}
		failed[id] = true
	}
	return failed, nil
}
