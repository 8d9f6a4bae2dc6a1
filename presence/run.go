package presence

import (
	"context"
	"errors"
	"sync"
	"time"

	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// run is one sweep.
type run struct {
	*Sweeper
	at   time.Time // when it began
	stop time.Time // when to stop looking; zero: when all are done
	slot time.Time // when the gateway may be called next

	started  int  // how many connections have been looked at
	complete bool // the list of those due came to its end

	workers sync.WaitGroup
	places  chan struct{} // holds one for each connection that is being looked at

	mu         sync.Mutex
	unverified int
	example    error // why one of the unverified could not be verified
	failed     error // the first failure of the table; what it is about is still due
}

func (s *Sweeper) newRun(ctx context.Context) *run {
	r := &run{Sweeper: s, at: s.store.clock.Now(), places: make(chan struct{}, sweepWorkers)}
	if deadline, ok := ctx.Deadline(); ok {
		r.stop = deadline.Add(-sweepReserve)
	}
	return r
}

// sweep looks at connections one batch after the other, several at once, within the rate. Trouble with some of
// them is noted, and does not keep it from the others.
func (r *run) sweep(ctx context.Context) error {
	ctx, cancel := r.bound(ctx)
	defer cancel()
	r.lookAll(ctx)
	r.workers.Wait()
	return r.failed
}

// bound ends what is under way a while after the time to stop, so that a table which hangs leaves time to count.
func (r *run) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.stop.IsZero() {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.stop.Sub(r.at)+callTimeout)
}

func (r *run) lookAll(ctx context.Context) {
	due := &dueList{store: r.store, at: r.at}
	defer func() { r.note(ctx, tally{}, due.err()) }()
	for !r.over(r.store.clock.Now()) {
		leases := due.next(ctx, sweepBatch)
		if len(leases) == 0 {
			r.complete = true
			return
		}
		batch, err := r.store.Leased(ctx, leases)
		r.note(ctx, tally{}, err)
		for _, c := range batch {
			if !r.start(ctx, c) {
				return
			}
		}
	}
}

// over tells whether a time is too late to go on.
func (r *run) over(at time.Time) bool { return !r.stop.IsZero() && !at.Before(r.stop) }

// start looks at a connection in the background, and tells whether there was time for it. The wait for
// a free place comes before the wait for the rate, or calls would pile up in the one and then come at once.
func (r *run) start(ctx context.Context, c Connection) bool {
	r.places <- struct{}{}
	if !r.pace(ctx) {
		<-r.places
		return false
	}
	r.started++
	r.workers.Go(func() {
		defer func() { <-r.places }()
		came, err := observability.Safely(func() (tally, error) { return r.look(ctx, c) })
		r.note(ctx, came, err)
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
	if r.over(r.slot) {
		return false
	}
	if wait := r.slot.Sub(now); wait > 0 && r.store.clock.Sleep(ctx, wait) != nil {
		return false
	}
	r.slot = r.slot.Add(time.Second / time.Duration(r.options.Rate))
	return true
}

// note counts what came of one look. One connection's trouble is not the others'.
func (r *run) note(ctx context.Context, came tally, err error) {
	add(ctx, catalogue.LeasesRenewed, came.renewed)
	add(ctx, catalogue.ConnectionsClosed, came.closed)
	add(ctx, catalogue.ConnectionsExpired, came.expired)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unverified += came.unverified
	if _, ok := errors.AsType[*unverifiedError](err); ok {
		r.example = err
	} else if r.failed == nil {
		r.failed = err
	}
}

func add(ctx context.Context, m catalogue.Metric, n int) {
	if n > 0 {
		observability.Add(ctx, m, float64(n))
	}
}

// count emits the gauges. Where all that was due has been dealt with, there is no backlog to be counted.
func (r *run) count(ctx context.Context) error {
	due := r.at
	if r.complete && r.failed == nil {
		due = time.Time{}
	}
	counts, err := r.store.Count(ctx, due)
	if err != nil {
		return err
	}
	observability.Add(ctx, catalogue.ActiveConnections, float64(counts.Connections))
	observability.Add(ctx, catalogue.OnlineUsers, float64(counts.Online))
	observability.Add(ctx, catalogue.SweepBacklog, float64(counts.Due))
	return nil
}

// report logs what was done, and in one line the connections that could not be verified.
func (r *run) report(ctx context.Context) {
	log := observability.Log(ctx)
	if r.unverified > 0 {
		log.Warn("connections were kept unverified", "connections", r.unverified, "example", r.example)
	}
	log.Info("swept", "connections", r.started, "complete", r.complete)
}
