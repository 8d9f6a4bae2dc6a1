package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"heliograph"
)

// Plan is the load. All fields are required but Settle.
type Plan struct {
	Connections int           // open at once
	Devices     int           // connections of a user; the last user may have fewer
	Rate        float64       // messages a second, each to one user
	For         time.Duration // how long to send
	Size        int           // bytes of a body, at least MinSize
	Opening     int           // handshakes at once
	Settle      time.Duration // after the last message: how long without an arrival counts as the end

	// Users names the users, one after the other.
	Users func(n int) heliograph.UserID
	// Dial opens a connection of a user. It is called again, with growing pauses, when a connection was cut.
	Dial func(context.Context, heliograph.UserID) (*websocket.Conn, error)
	// Send queues up to ten messages. An error means that it is unknown which of them were queued.
	Send func(context.Context, []string) error
	// Progress is called each second. Nil: never.
	Progress func(Report)
}

// Check returns what is wrong with a plan.
func (p Plan) Check() error {
	switch {
	case p.Connections < 1 || p.Devices < 1 || p.Opening < 1:
		return errors.New("connections, devices of a user and handshakes at once must be at least 1")
	case p.Rate <= 0 || p.For <= 0:
		return errors.New("the rate and the time must be above 0")
	case p.Size < MinSize || p.Size > 128<<10:
		return fmt.Errorf("a message has %d to %d bytes", MinSize, 128<<10)
	}
	return nil
}

// users is the number of users that the connections belong to.
func (p Plan) users() int { return (p.Connections + p.Devices - 1) / p.Devices }

// userOf is the user of a message.
func (p Plan) userOf(message int) int { return message % p.users() }

// devicesOf is how many connections a user has.
func (p Plan) devicesOf(user int) int { return min(p.Devices, p.Connections-user*p.Devices) }

// Messages is the number of messages that are due within the time.
func (p Plan) Messages() int { return max(1, int(p.Rate*p.For.Seconds())) }

// Amount says in a sentence what a plan amounts to.
func (p Plan) Amount() string {
	arrivals := 0
	for n := range p.Messages() {
		arrivals += p.devicesOf(p.userOf(n))
	}
	return fmt.Sprintf("This opens %d connections for %v and sends %d messages of %d bytes, which arrive %d times.",
		p.Connections, p.For, p.Messages(), p.Size, arrivals)
}

// runner is a plan that is carried out.
type runner struct {
	Plan
	*ledger
	run     string // tells this run's messages from others
	devices []*device
}

// device is one connection, over all its reconnects.
type device struct {
	user int
	seen map[int]bool
	last int // highest number that arrived
}

// Run carries out a plan. It returns when every message has arrived on each connection of its user, or nothing has for
// Plan.Settle. An error means that the load could not be put on: a first connection failed, or ctx ended. The report is
// valid even so.
func Run(ctx context.Context, p Plan) (Report, error) {
	if err := p.Check(); err != nil {
		return Report{}, err
	}
	r := &runner{Plan: p, ledger: newLedger(), run: fmt.Sprintf("%08x", rand.Uint32())}
	for i := range p.Connections {
		r.devices = append(r.devices, &device{user: i / p.Devices, seen: map[int]bool{}, last: -1})
	}
	open, cut := context.WithCancel(ctx)
	defer cut()
	var listeners sync.WaitGroup
	defer listeners.Wait()
	defer cut()
	if err := r.open(open, &listeners); err != nil {
		return r.report(), err
	}
	done := make(chan struct{})
	defer close(done)
	if p.Progress != nil {
		listeners.Go(func() { r.progress(done) })
	}
	if err := r.send(ctx); err != nil {
		return r.report(), err
	}
	err := r.settle(ctx)
	return r.report(), err
}

// open makes all connections, some at once, and starts to listen on each.
func (r *runner) open(ctx context.Context, listeners *sync.WaitGroup) error {
	group, first := errgroup.WithContext(ctx)
	group.SetLimit(r.Opening)
	for _, d := range r.devices {
		group.Go(func() error {
			began := time.Now()
			socket, err := r.Dial(first, r.Users(d.user))
			if err != nil {
				return fmt.Errorf("connection %d of %d: %w", r.opened()+1, r.Connections, err)
			}
			r.connected(time.Since(began))
			listeners.Go(func() { r.listen(ctx, d, socket) })
			return nil
		})
	}
	return group.Wait()
}

// listen takes what arrives on a device until ctx ends, and connects again when the connection is cut.
func (r *runner) listen(ctx context.Context, d *device, socket *websocket.Conn) {
	for ctx.Err() == nil {
		r.read(ctx, d, socket)
		for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 10*time.Second) {
			var err error
			if socket, err = r.Dial(ctx, r.Users(d.user)); err == nil {
				r.reconnected()
				break
			}
			Pause(ctx, wait+rand.N(wait))
		}
	}
}

// read accounts for what arrives until the connection ends. When ctx ends it closes the connection properly, so that
// the user goes offline at once.
func (r *runner) read(ctx context.Context, d *device, socket *websocket.Conn) {
	defer context.AfterFunc(ctx, func() { socket.Close(websocket.StatusNormalClosure, "") })()
	defer socket.CloseNow()
	for {
		_, body, err := socket.Read(context.WithoutCancel(ctx))
		if err != nil {
			return
		}
		if m, ours := parse(string(body), r.run); ours {
			r.arrived(d, m, time.Now())
		}
	}
}

// batchSize is the most messages that SQS takes by one request.
const batchSize = 10

// send queues each message when it is due. Requests that are slow don't hold up the next, up to a bound that a stack in
// order does not reach.
func (r *runner) send(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(64)
	start, all := time.Now(), r.Messages()
	r.begin(start)
	for next := 0; next < all; {
		if !Pause(ctx, time.Until(r.due(start, next))) {
			break
		}
		var batch []string
		var numbers []int
		for ; next < all && len(batch) < batchSize && !time.Now().Before(r.due(start, next)); next++ {
			batch = append(batch, note{next, r.due(start, next)}.text(r.run, r.Users(r.userOf(next)), r.Size))
			numbers = append(numbers, next)
		}
		group.Go(func() error { r.sent(numbers, r.Send(ctx, batch), r.Plan); return nil })
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// due is when a message is to be queued.
func (r *runner) due(start time.Time, n int) time.Time {
	return start.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
}

// settle waits until nothing more is to arrive.
func (r *runner) settle(ctx context.Context) error {
	for quiet, before := time.Duration(0), -1; quiet < r.Settle; quiet += 50 * time.Millisecond {
		missing, arrived := r.missing()
		if missing == 0 {
			return nil
		}
		if arrived != before {
			quiet, before = 0, arrived
		}
		if !Pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

func (r *runner) progress(done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			r.Progress(r.report())
		}
	}
}

// Pause waits for d, and reports whether ctx lasted.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
