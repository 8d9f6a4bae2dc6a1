package delivery

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"heliograph"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// reconnect is how recently a user must have gone offline to be expected back.
const reconnect = 10 * time.Second

// attempt is the result of one attempt, for one user or for all of its recipients.
type attempt struct {
	tally message.Tally
	// owed is what is still owed, for one of these reasons: a failure, a claim in flight, or a user who may come back.
	owed map[heliograph.UserID]message.Owed
	// cause is the first failure's cause; empty if nothing failed.
	cause string
	// waiting is set if a user may come back.
	waiting bool
	// until is when the last of the claims in flight ends.
	until time.Time
	// repeated counts users who already had the message.
	repeated int
	// framed is set if a copy was framed for a client of heliograph.v1, so that later ones must have the same id.
	framed bool
	// rejection is the reason why no connection will ever accept this body.
	rejection *message.Rejection
	// unread is set if a page of a broadcast could not be read; otherwise cursor is where the next page begins, empty
	// at the end of the list.
	unread bool
	cursor string
}

// reachUsers reaches the recipients of the record.
func (d *Deliverer) reachUsers(ctx context.Context, j *job, _ step) attempt {
	ctx, cancel := earlier(ctx, postBefore-returnBefore)
	defer cancel()
	if len(j.message.Users) == 1 && len(j.state.Owed) == 0 { // the usual case, which needs no list
		return d.reachOne(ctx, j, recipient{user: j.message.Users[0]})
	}
	return d.reachAll(ctx, j, j.recipients())
}

// reachPage reaches the users on the next page of a broadcast.
func (d *Deliverer) reachPage(ctx context.Context, j *job, s step) attempt {
	ctx, cancel := earlier(ctx, postBefore-returnBefore)
	defer cancel()
	// Users still owed will all be retried in one record, so they count towards the rate.
	page, err := d.Presence.OnlineIn(ctx, s.state.Shard, max(1, d.rate(s.state)-len(s.state.Owed)), s.state.Cursor)
	if err != nil {
		const doing = "reading who is online"
		return attempt{unread: true, cause: because(doing, err), rejection: final(doing, err)}
	}
	recipients := make([]recipient, len(page.Users))
	for i, online := range page.Users {
		recipients[i].user = online.User
	}
	a := d.reachAll(ctx, j, recipients)
	a.cursor = page.Next
	observability.Add(ctx, catalogue.BroadcastUsers, float64(len(recipients)))
	j.log(ctx, &s.state).InfoContext(ctx, "broadcast page done",
		"shard", s.state.Shard, "users", len(recipients), "owed", len(s.state.Owed)+len(a.owed), "last", page.Next == "")
	return a
}

// reachAll reaches all recipients in parallel. One that gets no turn in time counts as failed.
func (d *Deliverer) reachAll(ctx context.Context, j *job, recipients []recipient) attempt {
	if len(recipients) == 1 {
		return d.reachOne(ctx, j, recipients[0])
	}
	return d.reachMany(ctx, j, recipients)
}

// reachOne reaches the only recipient, the usual case, which needs no goroutine.
func (d *Deliverer) reachOne(ctx context.Context, j *job, r recipient) attempt {
	if err := d.users.Acquire(ctx, 1); err != nil {
		return r.unclaimed(j, "no turn", err)
	}
	defer d.users.Release(1)
	return d.reachSafely(ctx, j, r)
}

// reachSafely turns a panic into a failure of one recipient.
func (d *Deliverer) reachSafely(ctx context.Context, j *job, r recipient) (a attempt) {
	if err := guard(ctx, func() error { a = d.reach(ctx, j, r); return nil }); err != nil {
		return r.failed(err.Error())
	}
	return a
}

func (d *Deliverer) reachMany(ctx context.Context, j *job, recipients []recipient) attempt {
	results := make([]attempt, len(recipients))
	var group errgroup.Group
	for i, r := range recipients {
		if err := d.users.Acquire(ctx, 1); err != nil {
			results[i] = r.unclaimed(j, "no turn", err)
			continue
		}
		group.Go(func() error {
			defer d.users.Release(1)
			results[i] = d.reachSafely(ctx, j, r)
			return nil
		})
	}
	_ = group.Wait() // always nil
	return sum(results)
}

// reach brings the body to one user: it claims the message and finds the user's connections in parallel, posts to all
// connections that are owed the body, and marks the claim once nothing more is owed.
func (d *Deliverer) reach(ctx context.Context, j *job, r recipient) attempt {
	claim, found := d.claimAndFind(ctx, j, r)
	switch {
	case claim.State == Duplicate:
		observability.Add(ctx, catalogue.DuplicatesDropped, 1)
		return attempt{tally: message.Tally{Delivered: claim.Delivered, Gone: claim.Gone}, repeated: 1}
	case claim.State == InFlight:
		return r.inFlight(claim.Until)
	case claim.err != nil:
		return r.unclaimed(j, "claiming the message", claim.err)
	}
	r.owed.Holder = "" // claimed under this attempt's token
	kept := r.keptNow(found)
	r.owed.Kept = cmp.Or(r.owed.Kept, found.kept)
	if found.err != nil {
		return r.unfound(found)
	}
	posts := d.postAll(ctx, j, r, owedOf(found.connections, r.owed))
	r.owed.Reached(posts.delivered, posts.gone)
	var result attempt
	switch {
	case len(posts.owed) > 0:
		r.owed.Connections = posts.owed
		result = r.failed(posts.cause)
		result.rejection = posts.rejection
	// The status predates the posts: if all connections were gone, the user counted as online until now.
	case j.waitsFor(r, found.status.OnlineWithin(reconnect, time.Now())):
		r.owed.Connections, r.owed.Waited = nil, true
		result = r.awaited()
	default:
		result = d.mark(ctx, j, r)
	}
	result.tally.Delivered, result.tally.Gone, result.tally.Kept = posts.delivered, posts.gone, kept.Kept
	result.framed = posts.framed || r.owed.Kept != ""
	return result
}

// claimed is the result of claiming a message.
type claimed struct {
	ClaimResult
	err error
}

// found is where a message can be delivered.
type found struct {
	connections []presence.Connection
	status      presence.Status
	kept        string // the cursor of a message that was kept
	doing       string // what failed
	err         error
}

// claimAndFind claims or keeps the message for a recipient, if that is asked for, and finds the recipient's connections
// in parallel.
func (d *Deliverer) claimAndFind(ctx context.Context, j *job, r recipient) (c claimed, f found) {
	switch {
	case j.message.Keep > 0:
		return d.keepAndFind(ctx, j, r)
	case j.message.ID == "":
		return c, d.find(ctx, j, r.user)
	}
	return d.claimWhileFinding(ctx, j, r)
}

// claimWhileFinding takes no longer than the slower of the two.
func (d *Deliverer) claimWhileFinding(ctx context.Context, j *job, r recipient) (c claimed, f found) {
	var finding sync.WaitGroup
	finding.Go(func() {
		if err := guard(ctx, func() error { f = d.find(ctx, j, r.user); return nil }); err != nil {
			f.doing, f.err = "reading the connections", err
		}
	})
	c = d.claim(ctx, j, r)
	finding.Wait()
	return c, f
}

// claim claims the message for a recipient, if it has an Id.
func (d *Deliverer) claim(ctx context.Context, j *job, r recipient) (c claimed) {
	if j.message.ID != "" {
		c.ClaimResult, c.err = d.Claims.Claim(ctx, j.target(r.user), j.message.ID, j.owner(r))
	}
	return c
}

// find returns the connections of a user, or the one that the message names.
func (d *Deliverer) find(ctx context.Context, j *job, user heliograph.UserID) (f found) {
	if j.message.Connection != "" {
		// The connection existed when the message was sent, so it is at least that old.
		f.connections = []presence.Connection{{ID: j.message.Connection, ConnectedAt: j.firstSent(), V1: j.message.V1}}
		return f
	}
	f.doing = "reading the connections"
	f.connections, f.status, f.err = d.Presence.Connections(ctx, user)
	return f
}

// owedOf returns the open connections that this attempt posts to. Anything owed to a closed connection lapses, unless
// the body has not arrived anywhere yet: the message was sent to the user, who may be back on a new connection.
func owedOf(open []presence.Connection, o message.Owed) []presence.Connection {
	if o.Connections == nil {
		return open
	}
	owed := make(map[heliograph.ConnectionID]bool, len(o.Connections))
	for _, id := range o.Connections {
		owed[id] = true
	}
	var left []presence.Connection
	for _, c := range open {
		if owed[c.ID] {
			left = append(left, c)
		}
	}
	if len(left) == 0 && o.Delivered == 0 {
		return open
	}
	return left
}

// waitsFor reports whether to wait for a user whom the message has not reached: one who was online a moment ago may
// only be changing networks. A broadcast does not wait: it is for users who are online.
func (j *job) waitsFor(r recipient, recently bool) bool {
	return recently && r.user != "" && r.owed.Delivered == 0 && !r.owed.Waited && !j.message.Broadcast
}

// mark ends the claim of a recipient who is owed nothing more. A claim that can't be marked stays owed; otherwise a
// resend would be delivered twice.
func (d *Deliverer) mark(ctx context.Context, j *job, r recipient) attempt {
	if err := d.endClaim(ctx, j, r); err != nil {
		r.owed.Connections = []heliograph.ConnectionID{}
		return r.failed(because("marking the claim", err))
	}
	if r.owed.Delivered == 0 && r.user != "" {
		return attempt{tally: message.Tally{Offline: 1}}
	}
	return attempt{}
}

// endClaim ends a recipient's claim: it is marked as done if the body arrived anywhere or is kept, otherwise released, so that a
// resend is delivered. A claim that can't be released expires with its lease, so that is no error.
func (d *Deliverer) endClaim(ctx context.Context, j *job, r recipient) error {
	switch {
	case j.message.ID == "":
		return nil
	case r.owed.Delivered > 0 || r.owed.Kept != "":
		err := d.Claims.Done(ctx, j.target(r.user), j.message.ID, j.owner(r), r.owed.Delivered, r.owed.Gone)
		if errors.Is(err, ErrClaimLost) {
			j.log(ctx, &j.state).WarnContext(ctx, "a claim was over before the message had settled: it may have arrived twice")
			return nil
		}
		return err
	}
	if err := d.Claims.Release(ctx, j.target(r.user), j.message.ID, j.owner(r)); err != nil {
		j.log(ctx, &j.state).WarnContext(ctx, "a claim could not be released", "cause", causeOf(err))
	}
	return nil
}

// failed keeps everything owed for another attempt.
func (r recipient) failed(cause string) attempt {
	return attempt{owed: r.all(), cause: cause}
}

// unclaimed handles a recipient for whom the message could not be claimed: the previous attempt still holds the
// claim, unless a second copy of this record has taken it over.
func (r recipient) unclaimed(j *job, doing string, err error) attempt {
	r.owed.Holder = cmp.Or(r.owed.Holder, j.state.Holder)
	result := r.failed(because(doing, err))
	result.rejection = final(doing, err)
	return result
}

// unfound handles a user whose connections could not be read, or for whom the message could not be kept.
func (r recipient) unfound(f found) attempt {
	result := r.failed(because(f.doing, f.err))
	result.rejection = final(f.doing, f.err)
	return result
}

// final returns the rejection of a message by an error that every retry would meet again: a user or a cursor that
// presence will never accept, or a refusal by the table. It returns nil for any other error.
func final(doing string, err error) *message.Rejection {
	invalid, ok := errors.AsType[*presence.InvalidError](err)
	switch {
	case ok && invalid.Field == "cursor":
		return message.Reject(message.ReasonBadFollowUp, "the cursor is not one of the list of online users")
	case ok:
		return message.Reject(message.ReasonNoTarget, invalid.Error())
	case message.Refused(err):
		return message.Reject(message.ReasonRefused, because(doing, err))
	}
	return nil
}

// inFlight leaves the recipient to another delivery until that one's time is up. No claim exists under this attempt's
// token, so the next attempt claims as a stranger.
func (r recipient) inFlight(until time.Time) attempt {
	return attempt{owed: r.all(), until: until}
}

// awaited gives the user time to come back.
func (r recipient) awaited() attempt {
	return attempt{owed: r.all(), waiting: true}
}

// all returns what the recipient is owed in the form that sum merges.
func (r recipient) all() map[heliograph.UserID]message.Owed {
	return map[heliograph.UserID]message.Owed{r.user: r.owed}
}

// sum adds up the results of all recipients, in their order.
func sum(results []attempt) attempt {
	if len(results) == 1 {
		return results[0]
	}
	all := attempt{owed: map[heliograph.UserID]message.Owed{}}
	for _, one := range results {
		all.tally.Add(one.tally)
		for user, owed := range one.owed {
			all.owed[user] = owed
		}
		all.cause = cmp.Or(all.cause, one.cause)
		all.rejection = cmp.Or(all.rejection, one.rejection)
		if one.until.After(all.until) {
			all.until = one.until
		}
		all.waiting, all.framed = all.waiting || one.waiting, all.framed || one.framed
		all.repeated += one.repeated
	}
	return all
}
