package presence

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"heliograph/observability"
)

// Gateway is what the sweep needs of the WebSocket API. A connection that is no more comes back as 410,
// *types.GoneException. The client should not retry by itself, or it exceeds the rate.
type Gateway interface {
	GetConnection(context.Context, *apigatewaymanagementapi.GetConnectionInput, ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.GetConnectionOutput, error)
	DeleteConnection(context.Context, *apigatewaymanagementapi.DeleteConnectionInput, ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.DeleteConnectionOutput, error)
}

var _ Gateway = (*apigatewaymanagementapi.Client)(nil)

// SweepOptions are how a sweep goes about it.
type SweepOptions struct {
	Lease       time.Duration // how long a connection that was found alive is believed in; more than 0
	Rate        int           // the most calls a second to the gateway; more than 0
	KeepExpired bool          // whether a connection may outlive its token
}

const (
	// sweepReserve is the time a sweep leaves for what is under way and for the metrics.
	sweepReserve = 2 * time.Second
	// countTimeout bounds the counting, so that an index which hangs can't keep the sweep from verifying.
	countTimeout = 10 * time.Second
	// callTimeout bounds one look at a connection, so that one that hangs can't hold its place for long.
	callTimeout = time.Second
	// sweepBatch is how many connections are read from the table at once.
	sweepBatch = 100
	// idleRate is the least rate of calls, within the configured one: with little due, a short run is cheaper than few calls.
	idleRate = 200
	// headroom is for the pauses of a run: the reading of the first batch, calls that time out.
	headroom = 1.1
	// slack is how late a call may be without delaying those after it: timers are late by a millisecond or so.
	slack = 10 * time.Millisecond
	// minWorkers is how many connections are looked at at once; above that, as many as begin in 1/lookedAtOnce of a second,
	// which is longer than a look takes.
	minWorkers   = 64
	lookedAtOnce = 8
)

// Sweeper looks after connections whose lease has ended: it renews those that are alive and closes those
// that are not, and so ends what $disconnect, which may never come, left open.
type Sweeper struct {
	store   *Store
	gateway Gateway
	options SweepOptions
}

// NewSweeper returns a Sweeper over a store and a WebSocket API.
func NewSweeper(store *Store, gateway Gateway, options SweepOptions) *Sweeper {
	return &Sweeper{store: store, gateway: gateway, options: options}
}

// Sweep counts what there is, and emits ActiveConnections and OnlineUsers. Then it looks at the connections whose lease
// has ended, oldest first, until all are done or 2 s are left before the context's deadline, and emits SweepBacklog.
// Whatever it looked at has a later lease or is closed, so the next Sweep goes on where this one stopped.
//
// A connection that the gateway can't tell about is kept, and not an error. An error means that some of the table
// could not be read or written; what was not done is still due, and the rest is done.
func (s *Sweeper) Sweep(ctx context.Context) error {
	r := s.newRun(ctx)
	counted := observability.Step(ctx, "presence.count", r.count)
	swept := observability.Step(ctx, "presence.sweep", r.sweep)
	r.report(ctx)
	return errors.Join(counted, swept)
}

// tally is what came of looking at connections.
type tally struct{ renewed, closed, expired, unverified int }

// look verifies one connection.
func (s *Sweeper) look(ctx context.Context, c Connection) (tally, error) {
	now := s.store.clock.Now()
	if !now.Before(c.Limit()) { // nobody needs to be asked
		return s.close(ctx, c, c.LastKnownActivity())
	}
	if !s.options.KeepExpired && !c.TokenExpires.IsZero() && !now.Before(c.TokenExpires) {
		return s.expire(ctx, c)
	}
	called, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	id := string(c.ID)
	out, err := s.gateway.GetConnection(called, &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
	switch {
	case gone(err):
		return s.close(ctx, c, c.LastKnownActivity())
	case err != nil:
		return s.keep(ctx, c, fmt.Errorf("get connection: %w", err))
	}
	return s.renew(ctx, c, out)
}

// close goes the disconnect path.
func (s *Sweeper) close(ctx context.Context, c Connection, lastActivity time.Time) (tally, error) {
	removed, err := s.store.close(ctx, c.User, c.ID, lastActivity)
	if removed {
		return tally{closed: 1}, err
	}
	return tally{}, err
}

// renew gives a connection that is alive its next lease.
func (s *Sweeper) renew(ctx context.Context, c Connection, alive *apigatewaymanagementapi.GetConnectionOutput) (tally, error) {
	var lastActiveAt time.Time
	if alive.LastActiveAt != nil {
		lastActiveAt = *alive.LastActiveAt
	}
	renewed, err := s.store.Renew(ctx, c, s.leaseOf(c), lastActiveAt)
	if renewed {
		return tally{renewed: 1}, err
	}
	return tally{}, err
}

// leaseOf is when to look again: when the lease is over, but no later than the connection has to end.
func (s *Sweeper) leaseOf(c Connection) time.Time {
	until := earlier(s.store.clock.Now().Add(s.options.Lease), c.Limit())
	if s.options.KeepExpired || c.TokenExpires.IsZero() {
		return until
	}
	return earlier(until, c.TokenExpires)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// expire closes a connection whose token has expired. The gateway then calls $disconnect, or not; the
// disconnect path bears both.
func (s *Sweeper) expire(ctx context.Context, c Connection) (tally, error) {
	called, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	id := string(c.ID)
	_, err := s.gateway.DeleteConnection(called, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id})
	switch {
	case gone(err):
		return s.close(ctx, c, c.LastKnownActivity())
	case err != nil:
		return s.keep(ctx, c, fmt.Errorf("delete connection: %w", err))
	}
	came, err := s.close(ctx, c, s.store.clock.Now())
	came.expired = 1
	return came, err
}

// keep keeps a connection of which nothing could be learned, and looks again soon. It goes to the back of
// the line: else those that can never be verified would keep every sweep from all the others.
func (s *Sweeper) keep(ctx context.Context, c Connection, cause error) (tally, error) {
	if _, err := s.store.Renew(ctx, c, s.store.clock.Now().Add(FirstLease), time.Time{}); err != nil {
		return tally{unverified: 1}, errors.Join(cause, err)
	}
	return tally{unverified: 1}, &unverifiedError{cause}
}

// unverifiedError tells that a connection was kept without knowing whether it is alive.
type unverifiedError struct{ cause error }

func (e *unverifiedError) Error() string { return "connection kept unverified: " + e.cause.Error() }
func (e *unverifiedError) Unwrap() error { return e.cause }

// gone tells whether the gateway says that there is no such connection. Not every answer has the
// exception's name, but each has the status.
func gone(err error) bool {
	if _, ok := errors.AsType[*types.GoneException](err); ok {
		return true
	}
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && answer.HTTPStatusCode() == http.StatusGone
}
