package presence

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"
)

// UserID names a user: 1 to MaxUserID bytes of UTF-8, as the token's claim gives it.
type UserID string

// ConnectionID names a connection, as API Gateway gives it.
type ConnectionID string

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

// Sizes, in bytes.
const (
	// MaxUserID bounds user ids. A key may have 1,024 bytes in an index; what sends messages has this limit too.
	MaxUserID = 256
	// MaxUserAgent is where user agents are cut.
	MaxUserAgent = 256
)

// Connection is one open WebSocket of a user.
type Connection struct {
	User         UserID
	ID           ConnectionID
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
	User   UserID
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

// check tells what is wrong with a user id.
func (u UserID) check() error {
	switch {
	case u == "":
		return &InvalidError{Field: "user", Reason: "is empty"}
	case len(u) > MaxUserID:
		return &InvalidError{Field: "user", Reason: fmt.Sprintf("has over %d bytes", MaxUserID)}
	case !utf8.ValidString(string(u)):
		return &InvalidError{Field: "user", Reason: "is not valid UTF-8"}
	}
	return nil
}
