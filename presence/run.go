package presence

import (
	"context"
	"errors"
	"sync"
	"time"

	"heliograph/observability"
)

// run is one sweep.
type run struct {
	*Sweeper
	started time.Time
	stop    time.Time // when to stop looking; zero: when all are done
	slot    time.Time // when the gateway may be called next

	complete bool // all that was due has been looked at

	workers sync.WaitGroup
	places  chan struct{} // holds one for each connection that is being looked at

	mu         sync.Mutex
	unverified int
	example    error // why one of the unverified could not be verified
	failed     error // the first failure of the table
}

func (s *Sweeper) newRun(ctx context.Context) *run {
	r := &run{Sweeper: s, started: s.store.clock.Now(), places: make(chan struct{}, sweepWorkers)}
	if deadline, ok := ctx.Deadline(); ok {
		r.stop = deadline.Add(-sweepReserve)
	}
	return r
}

// sweep looks at connections one batch after the other, several at once, within the rate.
func (r *run) sweep(ctx context.Context) error {
	err := r.lookAll(ctx)
	r.workers.Wait()
	return errors.Join(err, r.failed)
}

func (r *run) lookAll(ctx context.Context) error {
	due := &dueList{store: r.store, at: r.started}
	for {
		leases, err := due.next(ctx, sweepBatch)
		if err != nil || len(leases) == 0 {
			r.complete = err == nil
			return err
		}
		batch, err := r.store.Leased(ctx, leases)
		if err != nil {
			return err
		}
		for _, c := range batch {
			if !r.start(ctx, c) {
				return nil
			}
		}
	}
}

// start looks at a connection in the background, and tells whether there was time for it. The wait for
// a free place comes before the wait for the rate, or calls would pile up in the one and then come at once.
func (r *run) start(ctx context.Context, c Connection) bool {
	r.places <- struct{}{}
	if !r.pace(ctx) {
		<-r.places
		return false
	}
	r.workers.Go(func() {
		defer func() { <-r.places }()
		r.note(r.look(ctx, c))
	})
	return true
}

// pace waits until the gateway may be called again, and tells whether there is time for that. Time lost is
// not made up for by calling faster, so that no second sees more calls than the rate.
func (r *run) pace(ctx context.Context) bool {
	now := r.store.clock.Now()
	if r.slot.Before(now) {
		r.slot = now
	}
	if !r.stop.IsZero() && !r.slot.Before(r.stop) {
		return false
	}
	if wait := r.slot.Sub(now); wait > 0 && r.store.clock.Sleep(ctx, wait) != nil {
		return false
	}
	r.slot = r.slot.Add(time.Second / time.Duration(r.options.Rate))
	return true
}

// note keeps what came of one look. One connection's trouble is not the others'.
func (r *run) note(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := errors.AsType[*unverifiedError](err); ok {
		r.unverified++
		r.example = err
		return
	}
	if r.failed == nil {
		r.failed = err
	}
}

// count emits the gauges. Where all that was due has been looked at, there is no backlog to be counted.
func (r *run) count(ctx context.Context) error {
	due := r.started
	if r.complete {
		due = time.Time{}
	}
	counts, err := r.store.Count(ctx, due)
	if err != nil {
		return err
	}
	observability.Add(ctx, observability.ActiveConnections, float64(counts.Connections))
	observability.Add(ctx, observability.OnlineUsers, float64(counts.Online))
	observability.Add(ctx, observability.SweepBacklog, float64(counts.Due))
	return nil
}

// report logs, in one line, the connections that could not be verified.
func (r *run) report(ctx context.Context) {
	if r.unverified > 0 {
		observability.Log(ctx).Warn("connections were kept unverified", "connections", r.unverified, "example", r.example)
	}
}
