package presence

import (
	"context"
	"time"

	"heliograph"
)

// Times that are design, not configuration.
const (
	// MaxAge is the longest that a connection can live: API Gateway cuts it after 2 hours, and 5 minutes
	// are for clocks that differ.
	MaxAge = 2*time.Hour + 5*time.Minute
	// FirstLease is how long a new connection is believed in: a connect that fails late, or that its
	// own disconnect overtook, is found out after that time.
	FirstLease = time.Minute
	// Memory is how long the last activity of a user who is offline is kept.
	Memory = 180 * 24 * time.Hour
)

// MaxUserAgent is the size, in bytes, to which user agents are cut.
const MaxUserAgent = 256

// Connection is one open WebSocket of a user.
type Connection struct {
	User         heliograph.UserID
	ID           heliograph.ConnectionID
	ConnectedAt  time.Time
	TokenExpires time.Time // when the token that it was opened with expires; zero if that is not known
	SourceIP     string
	UserAgent    string    // at most MaxUserAgent bytes
	LeaseEnds    time.Time // when the sweep looks whether it is alive
	LastActiveAt time.Time // when the gateway last saw traffic on it, as of the last sweep; zero if never asked
}

// Limit is when the connection is over, whatever its item says.
func (c Connection) Limit() time.Time { return c.ConnectedAt.Add(MaxAge) }

// LastKnownActivity is the latest time at which the connection is known to have been alive. It is what
// to give to Disconnect for a connection that went away unseen.
func (c Connection) LastKnownActivity() time.Time {
	if c.LastActiveAt.After(c.ConnectedAt) {
		return c.LastActiveAt
	}
	return c.ConnectedAt
}

// Status answers "is this user online?".
type Status struct {
	User   heliograph.UserID
	Online bool
	// LastActivity is now for a user who is online, else when the last connection was last active. Zero
	// if nothing is known of the user.
	LastActivity time.Time
	// OfflineSince is when the user went offline. For a connection that was lost unseen, that is when this was found
	// out, which may be long after its last activity. Zero for a user who is online or not known.
	OfflineSince time.Time
}

// OnlineWithin tells whether the user is online, or was so less than d before now.
func (s Status) OnlineWithin(d time.Duration, now time.Time) bool {
	return s.Online || (!s.OfflineSince.IsZero() && now.Sub(s.OfflineSince) < d)
}

// Clock is what presence knows of time, so that tests need not wait.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error if that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the clock of the machine.
type SystemClock struct{}

var _ Clock = SystemClock{}

// Now is the time.
func (SystemClock) Now() time.Time { return time.Now() }

// Sleep waits, or returns the context's error if that ends first.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// InvalidError tells that a value can't be used, and why. Match it with errors.As; it is the caller's
// fault, so trying again is of no use.
type InvalidError struct {
	Field  string // what the value was given as: user, connection, userIds, limit or cursor
	Reason string // what is wrong, to be read after the field's name; it never repeats the value
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// checkUser returns an InvalidError if a user id can't be one.
func checkUser(u heliograph.UserID) error {
	if err := u.Check(); err != nil {
		return &InvalidError{Field: "user", Reason: err.Error()}
	}
	return nil
}

// checkConnection returns an InvalidError if a connection id can't be one.
func checkConnection(c heliograph.ConnectionID) error {
	if err := c.Check(); err != nil {
		return &InvalidError{Field: "connection", Reason: err.Error()}
	}
	return nil
}
