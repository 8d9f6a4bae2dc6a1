package delivery

import (
	"context"
	"time"

	"heliograph"
	"heliograph/mailbox"
	"heliograph/message"
)

// Mailbox keeps messages for users who come back. mailbox.Store implements it.
type Mailbox interface {
	// Keep keeps a message for a user and returns the cursor of its position. After an error it may or may not be kept.
	Keep(context.Context, heliograph.UserID, mailbox.Message) (cursor string, err error)
}

var _ Mailbox = (*mailbox.Store)(nil)

// A message with Keep is kept after it was claimed and before the connections are read. A client of heliograph.v1 opens its
// connection before it reads its mailbox; so it finds the message there, or its connection is found here, or both.

// keepAndFind claims the message for a recipient, if it has an Id, keeps it, and then finds the recipient's connections.
func (d *Deliverer) keepAndFind(ctx context.Context, j *job, r recipient) (c claimed, f found) {
	if c = d.claim(ctx, j, r); c.err != nil || c.State != Claimed {
		return c, f
	}
	cursor, err := d.keep(ctx, j, r)
	if err != nil {
		return c, found{doing: "keeping the message", err: err}
	}
	f = d.find(ctx, j, r.user)
	f.kept = cursor
	return c, f
}

// keep keeps the message, unless an earlier attempt has, or it would no longer count.
func (d *Deliverer) keep(ctx context.Context, j *job, r recipient) (cursor string, err error) {
	expires := j.keptUntil()
	if r.owed.Kept != "" || !time.Now().Before(expires) {
		return r.owed.Kept, nil
	}
	frame := j.frame()
	return d.Mailbox.Keep(ctx, r.user, mailbox.Message{
		ID: frame.ID, SentAt: j.sent(), Expires: expires, Body: string(j.message.Body), Value: j.message.Value,
	})
}

// keptUntil is when the message stops to be kept.
func (j *job) keptUntil() time.Time {
	until := j.firstSent().Add(j.message.Keep)
	if at := j.message.ExpiresAt; !at.IsZero() && at.Before(until) {
		return at
	}
	return until
}

// keptNow counts the user for whom this attempt has kept the message.
func (r recipient) keptNow(f found) message.Tally {
	if r.owed.Kept == "" && f.kept != "" {
		return message.Tally{Kept: 1}
	}
	return message.Tally{}
}
