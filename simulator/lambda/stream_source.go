package lambda

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/internal/sleep"
)

// StreamSource reads a table's stream, shard by shard, and invokes a function with the records. The records of a shard
// are handled in order: a batch that fails holds up everything after it.
type StreamSource struct {
	runner
	in     Invoker
	stream Stream
	config StreamSourceConfig
	filter filter

	positions sync.Mutex
	handled   map[string][]string // by shard, for each lane the last record before which nothing is left to do
}

// streamLife is how long a stream keeps a record.
const streamLife = 24 * time.Hour

// NewStreamSource returns a source for Run to start. A bad value is an InvalidParameterValueException.
func NewStreamSource(in Invoker, stream Stream, c StreamSourceConfig) (*StreamSource, error) {
	f, err := checkFunction(in, c.Function)
	if err != nil {
		return nil, err
	}
	c.Function = f.ARN
	setDefault(&c.BatchSize, 100)
	setDefault(&c.Retry, time.Second)
	setDefault(&c.ParallelizationFactor, 1)
	if c.MaximumRetryAttempts != nil && *c.MaximumRetryAttempts == -1 {
		c.MaximumRetryAttempts = nil
	}
	if err := c.check(f); err != nil {
		return nil, err
	}
	if c.MaximumRecordAge <= 0 {
		c.MaximumRecordAge = streamLife
	}
	s := &StreamSource{in: in, stream: stream, config: c, handled: map[string][]string{}}
	for _, shard := range stream.Shards() {
		s.handled[shard] = make([]string, c.ParallelizationFactor)
	}
	if s.filter, err = newFilter(c.Filters); err != nil {
		return nil, invalidParameter("Invalid filter pattern definition. The event source of %s: %v", f.Name, err)
	}
	return s, nil
}

// check refuses what AWS refuses when the event source is created.
func (c StreamSourceConfig) check(f Function) error {
	switch {
	case !strings.HasPrefix(c.StreamARN, "arn:aws:dynamodb:") || !strings.Contains(c.StreamARN, "/stream/"):
		return invalidParameter("the event source of %s is %q, which is not a stream", f.Name, c.StreamARN)
	case c.StartingPosition != "TRIM_HORIZON" && c.StartingPosition != "LATEST":
		return invalidParameter("the starting position of %s is %q; it must be TRIM_HORIZON or LATEST", f.Name, c.StartingPosition)
	case c.BatchSize < 1 || c.BatchSize > 10000:
		return invalidParameter("the batch size of %s is %d; it must be from 1 to 10000", f.Name, c.BatchSize)
	case c.ParallelizationFactor < 1 || c.ParallelizationFactor > 10:
		return invalidParameter("the parallelization factor of %s is %d; it must be from 1 to 10", f.Name, c.ParallelizationFactor)
	case c.BatchingWindow < 0 || c.BatchingWindow > 300*time.Second:
		return invalidParameter("the batching window of %s is %v; it must be from 0 to 300 s", f.Name, c.BatchingWindow)
	case c.MaximumRetryAttempts != nil && (*c.MaximumRetryAttempts < 0 || *c.MaximumRetryAttempts > 10000):
		return invalidParameter("the maximum retry attempts of %s are %d; they must be from -1 to 10000", f.Name, *c.MaximumRetryAttempts)
	case c.MaximumRecordAge > 0 && (c.MaximumRecordAge < time.Minute || c.MaximumRecordAge > 7*24*time.Hour):
		return invalidParameter("the maximum record age of %s is %v; it must be -1 or from 60 s to 7 days", f.Name, c.MaximumRecordAge)
	case c.OnFailure != "" && c.Deliver == nil:
		return invalidParameter("the event source of %s has a destination, but no Deliver to reach it by", f.Name)
	}
	return nil
}

// Run reads the stream until the context ends or Close is called.
func (s *StreamSource) Run(ctx context.Context) {
	s.run(ctx, func(ctx context.Context) {
		var shards sync.WaitGroup
		for _, shard := range s.stream.Shards() {
			for lane := range s.config.ParallelizationFactor {
				shards.Go(func() { s.follow(ctx, shard, lane) })
			}
		}
		shards.Wait()
	})
}

// follow handles the records of one lane of a shard, from the starting position on. With a parallelization factor above
// 1, a shard has that many lanes, which don't wait for each other; all records of an item are in the same lane.
func (s *StreamSource) follow(ctx context.Context, shard string, lane int) {
	after := ""
	if s.config.StartingPosition == "LATEST" {
		after = s.stream.Latest(shard)
	}
	for ctx.Err() == nil {
		records, err := s.collect(ctx, shard, after)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			problem(s.config.Problem, "reading %s for %s: %v", s.config.StreamARN, s.config.Function, err)
			after = ""
			if !sleep.For(ctx, s.config.Retry) {
				return
			}
			continue
		}
		if len(records) == 0 {
			continue
		}
		last := records[len(records)-1]
		s.handle(ctx, shard, slices.DeleteFunc(records, func(r StreamRecord) bool { return s.lane(r) != lane || !s.passes(r) }))
		if ctx.Err() != nil {
			return // handle may have stopped halfway
		}
		after = last.SequenceNumber
		s.positions.Lock()
		s.handled[shard][lane] = after
		s.positions.Unlock()
	}
}

// StreamARN is the ARN of the stream that the source reads.
func (s *StreamSource) StreamARN() string { return s.config.StreamARN }

// Handled returns, for each shard, the sequence number up to which all records are handled; "" if none is.
func (s *StreamSource) Handled() map[string]string {
	s.positions.Lock()
	defer s.positions.Unlock()
	all := map[string]string{}
	for shard, lanes := range s.handled {
		all[shard] = slices.Min(lanes)
	}
	return all
}

// lane is the lane of a shard that handles a record.
func (s *StreamSource) lane(r StreamRecord) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.Item)) // a hash never fails
	return int(h.Sum32() % uint32(s.config.ParallelizationFactor))
}

// collect reads a batch: the records available now, or those that arrive within the batching window.
func (s *StreamSource) collect(ctx context.Context, shard, after string) ([]StreamRecord, error) {
	batch, err := s.stream.Read(ctx, shard, after, s.config.BatchSize)
	if err != nil || len(batch) == 0 || s.config.BatchingWindow == 0 {
		return slices.Clone(batch), err
	}
	batch = slices.Clone(batch)
	window, cancel := context.WithTimeout(ctx, s.config.BatchingWindow)
	defer cancel()
	for len(batch) < s.config.BatchSize && window.Err() == nil {
		more, err := s.stream.Read(window, shard, batch[len(batch)-1].SequenceNumber, s.config.BatchSize-len(batch))
		if err != nil {
			break // the window is over, or an error that the next round meets again
		}
		batch = append(batch, more...)
	}
	return batch, nil
}

// piece is a batch, or one half of a failed batch.
type piece struct {
	records []StreamRecord
	tries   int // invocations that failed as a whole
	last    Result
}

// handle works on a batch until each of its records has succeeded or been given up.
func (s *StreamSource) handle(ctx context.Context, shard string, batch []StreamRecord) {
	open := []piece{{records: batch}}
	failed := 0 // consecutive failures, for the pause
	for len(open) > 0 && ctx.Err() == nil {
		p := s.young(ctx, shard, open[0])
		open = open[1:]
		if len(p.records) == 0 {
			continue
		}
		if pieces := s.tooLarge(p); pieces != nil {
			open = append(pieces, open...)
			continue
		}
		if s.config.IteratorAge != nil {
			s.config.IteratorAge(max(0, time.Since(p.records[len(p.records)-1].Created)))
		}
		result, err := s.in.Invoke(ctx, Request{Function: s.config.Function, Payload: s.event(p.records)})
		rest, ok := s.outcome(p, result, err)
		if ok {
			failed = 0
			continue
		}
		failed++
		open = append(s.again(ctx, shard, rest), open...)
		if len(open) > 0 && !sleep.For(ctx, s.pause(failed)) {
			return
		}
	}
}

// outcome returns what is left of a piece after an invocation. ok means that nothing is left.
func (s *StreamSource) outcome(p piece, result Result, err error) (rest piece, ok bool) {
	if err != nil {
		// Lambda itself refused, which does not count as an attempt.
		if !errors.Is(err, context.Canceled) && !throttled(err) {
			problem(s.config.Problem, "invoking %s with %d records of %s: %v", s.config.Function, len(p.records), s.config.StreamARN, err)
		}
		return p, false
	}
	p.last = result
	if result.FunctionError != "" {
		p.tries++
		return p, false
	}
	if !s.config.ReportBatchItemFailures {
		return piece{}, true
	}
	first, err := firstFailure(p.records, result.Payload)
	if err != nil {
		problem(s.config.Problem, "%s answered a batch of %s: %v; the whole batch counts as failed", s.config.Function, s.config.StreamARN, err)
		first = 0
	}
	if first < 0 {
		return piece{}, true
	}
	if first == 0 {
		p.tries++
		return p, false
	}
	return piece{records: p.records[first:], last: result}, false // the records before it have succeeded
}

// firstFailure is the index of the first record that the answer names as failed, or -1 if it names none.
func firstFailure(records []StreamRecord, answer []byte) (int, error) {
	failed, err := failures(answer)
	if err != nil || len(failed) == 0 {
		return -1, err
	}
	first := slices.IndexFunc(records, func(r StreamRecord) bool { return failed[r.SequenceNumber] })
	if first < 0 {
		return 0, errors.New("it named a sequence number that is not in the batch")
	}
	return first, nil
}

// again returns the pieces to retry: both halves, the whole piece, or nothing if its retries are used up.
func (s *StreamSource) again(ctx context.Context, shard string, p piece) []piece {
	if s.config.BisectOnError && len(p.records) > 1 && p.tries > 0 {
		return halves(p)
	}
	if s.config.MaximumRetryAttempts != nil && p.tries > *s.config.MaximumRetryAttempts {
		s.giveUp(ctx, shard, p, "RetryAttemptsExhausted")
		return nil
	}
	return []piece{p}
}

// halves splits a piece. The failure that caused the split does not count as an attempt of the halves.
func halves(p piece) []piece {
	middle := len(p.records) / 2
	return []piece{
		{records: p.records[:middle], tries: p.tries - 1, last: p.last},
		{records: p.records[middle:], tries: p.tries - 1, last: p.last},
	}
}

// young gives up the records that have become too old and returns the rest.
func (s *StreamSource) young(ctx context.Context, shard string, p piece) piece {
	tooOld := func(r StreamRecord) bool { return time.Since(r.Created) > s.config.MaximumRecordAge }
	n := 0
	for n < len(p.records) && tooOld(p.records[n]) {
		n++
	}
	if n > 0 {
		old := p
		old.records, p.records = p.records[:n], p.records[n:]
		s.giveUp(ctx, shard, old, "RecordAgeExceeded")
	}
	return p
}

// tooLarge splits a piece whose event exceeds Lambda's limit. It returns nil if no split is needed or possible.
func (s *StreamSource) tooLarge(p piece) []piece {
	size := 0
	for _, r := range p.records {
		size += len(r.Event) + 1
	}
	if size <= maxPayload || len(p.records) == 1 {
		return nil
	}
	pieces := halves(p)
	pieces[0].tries, pieces[1].tries = p.tries, p.tries
	return pieces
}

func (s *StreamSource) pause(failed int) time.Duration {
	return min(s.config.Retry<<min(failed-1, 10), 60*s.config.Retry)
}
