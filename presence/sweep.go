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
	"github.com/aws/smithy-go"

	"heliograph/observability"
)

// Gateway is the part of the WebSocket API that the sweep uses. A connection that no longer exists is reported as 410,
// *types.GoneException. The client should not retry by itself; otherwise it exceeds the rate.
type Gateway interface {
	GetConnection(context.Context, *apigatewaymanagementapi.GetConnectionInput, ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.GetConnectionOutput, error)
	DeleteConnection(context.Context, *apigatewaymanagementapi.DeleteConnectionInput, ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.DeleteConnectionOutput, error)
}

var _ Gateway = (*apigatewaymanagementapi.Client)(nil)

// SweepOptions configure a sweep.
type SweepOptions struct {
	Lease       time.Duration // how long a connection that was found alive is trusted; more than 0
	Rate        int           // the most calls a second to the gateway; more than 0
	KeepExpired bool          // whether a connection may outlive its token
}

const (
	// sweepReserve is the time a sweep leaves for outstanding work and for the metrics.
	sweepReserve = 2 * time.Second
	// countTimeout bounds the counting, so that a hanging index can't keep the sweep from verifying.
	countTimeout = 10 * time.Second
	// callTimeout bounds one look at a connection, so that a hanging call can't hold its slot for long.
	callTimeout = time.Second
	// sweepBatch is the number of connections read from the table at once.
	sweepBatch = 100
	// idleRate is the lowest call rate, within the configured one: with little due, a short run is cheaper than few
	// calls.
	idleRate = 200
	// headroom covers the pauses of a run: reading the first batch, calls that time out.
	headroom = 1.1
	// slack is how late a call may be without delaying those after it: timers are late by a millisecond or so.
	slack = 10 * time.Millisecond
	// minWorkers is the minimum number of connections looked at at once. Above it, the number is as many as begin in
	// 1/lookedAtOnce of a second, which is longer than a look takes.
	minWorkers   = 64
	lookedAtOnce = 8
)

// Sweeper verifies connections whose lease has ended: it renews those that are alive and closes the rest. This cleans
// up after $disconnect, which API Gateway may never call.
type Sweeper struct {
	store   *Store
	gateway Gateway
	options SweepOptions
}

// NewSweeper returns a Sweeper for a store and a WebSocket API.
func NewSweeper(store *Store, gateway Gateway, options SweepOptions) *Sweeper {
	return &Sweeper{store: store, gateway: gateway, options: options}
}

// Sweep first counts the index, and emits ActiveConnections and OnlineUsers. Then it looks at the connections whose
// lease has ended, oldest first, until all are done or 2 s are left before the context's deadline, and emits
// SweepBacklog. Every connection it looked at has a later lease or is closed, so the next Sweep continues where this
// one stopped.
//
// A connection whose state the gateway can't report is kept, which is not an error. An error means that part of the
// table could not be read or written; that part is still due, and the rest is done.
func (s *Sweeper) Sweep(ctx context.Context) error {
	r := s.newRun(ctx)
	counted := observability.Step(ctx, "presence.count", r.count)
	swept := observability.Step(ctx, "presence.sweep", r.sweep)
	r.report(ctx)
	return errors.Join(counted, swept)
}

// tally counts the results of looking at connections.
type tally struct{ renewed, closed, expired, unverified int }

// look verifies one connection.
func (s *Sweeper) look(ctx context.Context, c Connection) (tally, error) {
	now := s.store.clock.Now()
	if !now.Before(c.Limit()) { // no call needed
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

// renew gives a live connection its next lease.
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

// leaseOf is when to look again: when the lease is over, but no later than the connection's limit.
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

// expire closes a connection whose token has expired. The gateway may or may not call $disconnect afterwards; the
// disconnect path tolerates both.
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

// keep keeps a connection whose state is unknown, and schedules another look soon. It moves to the back of the line;
// otherwise connections that can never be verified would starve all others in every sweep.
func (s *Sweeper) keep(ctx context.Context, c Connection, cause error) (tally, error) {
	if _, err := s.store.Renew(ctx, c, s.store.clock.Now().Add(FirstLease), time.Time{}); err != nil {
		return tally{unverified: 1}, errors.Join(cause, err)
	}
	return tally{unverified: 1}, &unverifiedError{cause}
}

// unverifiedError: a connection was kept without knowing whether it is alive.
type unverifiedError struct{ cause error }

func (e *unverifiedError) Error() string { return "connection kept unverified: " + e.cause.Error() }
func (e *unverifiedError) Unwrap() error { return e.cause }

// gone reports whether the gateway says that there is no such connection, or that none can have such an id. Not every
// such response carries the exception's name, but each has the status.
func gone(err error) bool {
	if _, ok := errors.AsType[*types.GoneException](err); ok {
		return true
	}
	if refused, ok := errors.AsType[smithy.APIError](err); ok && refused.ErrorCode() == "BadRequestException" {
		return true
	}
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && answer.HTTPStatusCode() == http.StatusGone
}
