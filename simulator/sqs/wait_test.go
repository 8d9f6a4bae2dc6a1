package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/sqs"
)

// receipt is the result of a waiting receive, and how long it took.
type receipt struct {
	Bodies []string
	Code   string
	After  time.Duration
}

// waiting starts a receive, and returns once it waits. Tests that use it run in a synctest bubble, where time passes
// when every goroutine sleeps, and which fails if one never wakes.
func waiting(ctx context.Context, q *sqs.Queue, wait time.Duration) <-chan receipt {
	done := make(chan receipt, 1)
	start := time.Now()
	go func() {
		messages, err := q.Receive(ctx, 10, wait)
		r := receipt{Bodies: bodies(messages), After: time.Since(start)}
		if r.Code = code(err); errors.Is(err, context.Canceled) {
			r.Code = "canceled"
		}
		done <- r
	}()
	synctest.Wait()
	return done
}

// TestWait proves when a waiting receive ends, and with what result.
func TestWait(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		meanwhile func(t *testing.T, s *sqs.Server, q *sqs.Queue, cancel func())
		want      receipt
	}{
		"nothing comes":   {func(*testing.T, *sqs.Server, *sqs.Queue, func()) {}, receipt{After: 20 * time.Second}},
		"a message comes": {func(t *testing.T, _ *sqs.Server, q *sqs.Queue, _ func()) { mustSend(t, q, "a") }, receipt{[]string{"a"}, "", time.Second}},
		"a delay ends": {func(t *testing.T, _ *sqs.Server, q *sqs.Queue, _ func()) {
			later, soon := 9*time.Second, 4*time.Second
			for _, delay := range []*time.Duration{&later, &soon} {
				if _, err := q.Send(sqs.Outgoing{Body: delay.String(), Delay: delay}); err != nil {
					t.Error(err)
				}
			}
		}, receipt{[]string{"4s"}, "", 5 * time.Second}},
		"it is cancelled":      {func(_ *testing.T, _ *sqs.Server, _ *sqs.Queue, cancel func()) { cancel() }, receipt{nil, "canceled", time.Second}},
		"the queue is deleted": {func(t *testing.T, s *sqs.Server, q *sqs.Queue, _ func()) { _ = s.Delete(q.Name()) }, receipt{nil, "QueueDoesNotExist", time.Second}},
		"the server is closed": {func(t *testing.T, s *sqs.Server, _ *sqs.Queue, _ func()) { s.Close() }, receipt{nil, "ServiceUnavailable", time.Second}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServer(nil)
				q := mustCreate(t, s, "q")
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := waiting(ctx, q, 20*time.Second)
				time.Sleep(time.Second)
				tt.meanwhile(t, s, q, cancel)
				if diff := cmp.Diff(tt.want, <-done); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestWaitVisibility proves that a waiting receive gets a message as soon as its time-out ends, even if that is
// shortened meanwhile.
func TestWaitVisibility(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := mustCreate(t, newServer(nil), "q", "VisibilityTimeout", "15")
		mustSend(t, q, "a")
		mustReceive(t, q)
		first := waiting(t.Context(), q, 20*time.Second)
		if diff := cmp.Diff(receipt{[]string{"a"}, "", 15 * time.Second}, <-first); diff != "" {
			t.Error(diff)
		}
		time.Sleep(15 * time.Second)
		handle := mustReceive(t, q)[0].ReceiptHandle
		second := waiting(t.Context(), q, 20*time.Second)
		time.Sleep(time.Second)
		if err := q.ChangeVisibility(handle, 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(receipt{[]string{"a"}, "", 3 * time.Second}, <-second); diff != "" {
			t.Error(diff)
		}
	})
}

// TestWaitDeadLetter proves that a receiver waiting at the dead-letter queue gets a message when it is moved.
func TestWaitDeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(nil)
		dead := mustCreate(t, s, "dead")
		q := mustCreate(t, s, "q", append(redrive(dead, "1"), "VisibilityTimeout", "5")...)
		mustSend(t, q, "a")
		mustReceive(t, q)
		atDead := waiting(t.Context(), dead, 20*time.Second)
		atSource := waiting(t.Context(), q, 20*time.Second)
		if diff := cmp.Diff(receipt{[]string{"a"}, "", 5 * time.Second}, <-atDead); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(receipt{nil, "", 20 * time.Second}, <-atSource); diff != "" {
			t.Error(diff)
		}
	})
}

// TestConcurrency proves that many senders and many waiting receivers share a queue without a message being lost, or
// received twice while it is in flight.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	const senders, receivers, each = 8, 8, 200
	q := mustCreate(t, newServer(nil), "q")
	ctx, done := context.WithCancel(t.Context())
	defer done()
	var received sync.Map
	var left atomic.Int64
	left.Store(senders * each)
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			for j := range each {
				if _, err := q.Send(sqs.Outgoing{Body: fmt.Sprint(i, " ", j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range receivers {
		group.Go(func() {
			for {
				messages, err := q.Receive(ctx, 3, 20*time.Second)
				if errors.Is(err, context.Canceled) {
					return
				}
				for _, m := range messages {
					if _, twice := received.LoadOrStore(m.Body, true); twice {
						t.Errorf("%q was received twice", m.Body)
					}
					if err := q.Delete(m.ReceiptHandle); err != nil {
						t.Error(err)
					}
					if left.Add(-1) == 0 {
						done()
					}
				}
			}
		})
	}
	group.Wait()
	want := sqs.Stats{Sent: senders * each, Received: senders * each, Deleted: senders * each}
	got := q.Stats()
	got.EmptyReceives = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
