package presence

import (
	"context"
	"time"

	"heliograph"
)

// Times that are part of the design, not configuration.
const (
	// MaxAge bounds a connection's life: API Gateway cuts it after 2 hours, and 5 minutes allow for clock skew.
	MaxAge = 2*time.Hour + 5*time.Minute
	// FirstLease is how long a new connection is trusted. After that, the sweep finds a connect that failed late, or
	// that its own disconnect overtook.
	FirstLease = time.Minute
	// Memory is how long the last activity of an offline user is kept.
	Memory = 180 * 24 * time.Hour
)

// MaxUserAgent is the length, in bytes, to which user agents are truncated.
const MaxUserAgent = 256

// Connection is one open WebSocket of a user.
type Connection struct {
	User         heliograph.UserID
	ID           heliograph.ConnectionID
	ConnectedAt  time.Time
	TokenExpires time.Time // when the token that opened it expires; zero if unknown
	SourceIP     string
	UserAgent    string    // at most MaxUserAgent bytes
	V1           bool      // whether it speaks heliograph.v1
	LeaseEnds    time.Time // when the sweep checks whether it is alive
	LastActiveAt time.Time // when the gateway last saw traffic on it, as of the last sweep; zero if never checked
}

// Limit is when the connection ends, whatever its item says.
func (c Connection) Limit() time.Time { return c.ConnectedAt.Add(MaxAge) }

// LastKnownActivity is the latest time at which the connection is known to have been alive. Pass it to Disconnect for a
// connection that vanished.
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
	// LastActivity is now for an online user, and otherwise when the last connection was last active. It is zero for an
	// unknown user.
	LastActivity time.Time
	// OfflineSince is when the user went offline. For a connection that vanished, that is when the loss was detected,
	// which may be long after its last activity. It is zero for a user who is online or unknown.
	OfflineSince time.Time
}

// OnlineWithin reports whether the user is online, or was less than d before now.
func (s Status) OnlineWithin(d time.Duration, now time.Time) bool {
	return s.Online || (!s.OfflineSince.IsZero() && now.Sub(s.OfflineSince) < d)
}

// Clock is the time source of presence, replaceable so that tests need not wait.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error if the context ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the system clock.
type SystemClock struct{}

var _ Clock = SystemClock{}

// Now returns the current time.
func (SystemClock) Now() time.Time { return time.Now() }

// Sleep waits, or returns the context's error if the context ends first.
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

// InvalidError reports a value that can't be used, and why. Match it with errors.As. The fault is the caller's, so a
// retry cannot help.
type InvalidError struct {
	Field  string // the parameter: user, connection, userIds, limit or cursor
	Reason string // what is wrong, to be read after the field's name; it never repeats the value
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// checkUser returns an InvalidError unless the user id is valid.
func checkUser(u heliograph.UserID) error {
	if err := u.Check(); err != nil {
		return &InvalidError{Field: "user", Reason: err.Error()}
	}
	return nil
}

// checkConnection returns an InvalidError unless the connection id is valid.
func checkConnection(c heliograph.ConnectionID) error {
	if err := c.Check(); err != nil {
		return &InvalidError{Field: "connection", Reason: err.Error()}
	}
	return nil
}
