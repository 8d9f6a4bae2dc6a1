package presence

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// run is one sweep.
type run struct {
	*Sweeper
	at   time.Time     // when it began
	stop time.Time     // when to stop looking; zero: no limit
	slot time.Time     // the earliest time of the next gateway call
	gap  time.Duration // between two gateway calls

	due      int  // connections whose lease had ended when the run began; -1: not counted
	started  int  // how many connections have been looked at
	listed   bool // the list of due connections came to its end
	complete bool // all of them have been looked at

	workers sync.WaitGroup
	places  chan struct{} // one slot for each connection that is being looked at

	mu         sync.Mutex
	settled    int // connections that are no longer due
	unverified int
	example    error // why one of the unverified could not be verified
	failed     error // the first failure of the table; the connection concerned is still due
}

func (s *Sweeper) newRun(ctx context.Context) *run {
	r := &run{Sweeper: s, at: s.store.clock.Now(), due: -1}
	if deadline, ok := ctx.Deadline(); ok {
		r.stop = deadline.Add(-sweepReserve)
	}
	return r
}

// count emits the gauges at once, so that no later failure of the run loses them.
func (r *run) count(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	counts, err := r.store.Count(ctx, r.at)
	if err != nil {
		return err
	}
	r.due = counts.Due
	observability.Add(ctx, catalogue.ActiveConnections, float64(counts.Connections))
	observability.Add(ctx, catalogue.OnlineUsers, float64(counts.Online))
	observability.Flush(ctx)
	return nil
}

// sweep looks at connections batch by batch, several at once, within the rate. A failure of some is noted and does not
// hold up the others.
func (r *run) sweep(ctx context.Context) error {
	rate := r.rate()
	r.gap, r.slot = time.Second/time.Duration(rate), r.store.clock.Now()
	r.places = make(chan struct{}, max(minWorkers, rate/lookedAtOnce))
	ctx, cancel := r.bound(ctx)
	defer cancel()
	r.lookAll(ctx)
	r.workers.Wait()
	r.reportBacklog(ctx)
	return r.failed
}

// rate is the calls per second of the run: enough for everything due in the time available, with some headroom for
// pauses. If either is unknown it is the configured rate, which is never exceeded.
func (r *run) rate() int {
	if r.due < 0 || r.stop.IsZero() {
		return r.options.Rate
	}
	seconds := max(r.stop.Sub(r.store.clock.Now()).Seconds(), 1)
	needed := int(math.Ceil(float64(r.due) / seconds * headroom))
	return min(max(needed, idleRate), r.options.Rate)
}

// bound cancels outstanding work a while after the time to stop, so that a hanging table leaves time to report.
func (r *run) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.stop.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, r.stop.Sub(r.store.clock.Now())+callTimeout)
}

// lookAll looks at everything due. The table is read one batch ahead, so that the calls need not wait for it.
func (r *run) lookAll(ctx context.Context) {
	if r.due == 0 { // so the index need not be read again
		r.complete = true
		return
	}
	batches, enough := make(chan []Connection), make(chan struct{})
	defer close(enough)
	r.workers.Go(func() { r.read(ctx, batches, enough) })
	for batch := range batches {
		for _, c := range batch {
			if !r.start(ctx, c) {
				return
			}
		}
	}
	r.complete = r.listed
}

// read hands out the due connections, batch by batch, until there are no more or the consumer has enough.
func (r *run) read(ctx context.Context, batches chan<- []Connection, enough <-chan struct{}) {
	defer close(batches)
	due := &dueList{store: r.store, at: r.at}
	defer func() { r.note(ctx, tally{}, due.err()) }()
	for !r.over(r.store.clock.Now()) {
		leases := due.next(ctx, sweepBatch)
		if len(leases) == 0 {
			r.listed = true
			return
		}
		batch, err := r.store.Leased(ctx, leases)
		r.note(ctx, tally{}, err)
		select {
		case batches <- batch:
		case <-enough:
			return
		}
	}
}

// over reports whether a time is too late to go on.
func (r *run) over(at time.Time) bool { return !r.stop.IsZero() && !at.Before(r.stop) }

// start looks at a connection in the background, and reports whether there was time for it. It waits for a free slot
// before it waits for the rate; otherwise calls would pile up behind the slots and then come in a burst.
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
		r.settle(err)
	})
	return true
}

// pace waits until the gateway may be called again, and reports whether there is time for that. At most slack of any
// lost time is recovered by calling faster, so that no second sees noticeably more calls than the rate.
func (r *run) pace(ctx context.Context) bool {
	now := r.store.clock.Now()
	r.slot = later(r.slot, now.Add(-slack))
	if r.over(later(r.slot, now)) {
		return false
	}
	if wait := r.slot.Sub(now); wait > 0 && r.store.clock.Sleep(ctx, wait) != nil {
		return false
	}
	r.slot = r.slot.Add(r.gap)
	return true
}

// note counts the result of one look. A failure of one connection does not affect the others.
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

// settle counts a connection that was looked at, unless the table failed: then it is still due.
func (r *run) settle(err error) {
	if _, unverified := errors.AsType[*unverifiedError](err); err == nil || unverified {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.settled++
	}
}

// reportBacklog emits how many connections the run did not reach.
func (r *run) reportBacklog(ctx context.Context) {
	switch {
	case r.complete && r.failed == nil:
		observability.Add(ctx, catalogue.SweepBacklog, 0)
	case r.due >= 0:
		observability.Add(ctx, catalogue.SweepBacklog, float64(max(0, r.due-r.settled)))
	}
}

// report logs what the run did, and sums up in one line the connections that could not be verified.
func (r *run) report(ctx context.Context) {
	log := observability.Log(ctx)
	if r.unverified > 0 {
		log.Warn("connections were kept unverified", "connections", r.unverified, "example", r.example)
	}
	log.Info("swept", "connections", r.started, "due", r.due, "complete", r.complete)
}
