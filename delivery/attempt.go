package delivery

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"heliograph"
	"heliograph/presence"
)

// claimed is what came of claiming a message.
type claimed struct {
	ClaimResult
	err error
}

// found is where a message can go.
type found struct {
	connections []presence.Connection
	status      presence.Status
	err         error
}

// claimAndFind claims the message for a user, if it has an Id, and meanwhile finds the user's connections: together
// they take no longer than one of them.
func (d *Deliverer) claimAndFind(ctx context.Context, j *job, a account) (c claimed, f found) {
	if j.message.ID == "" {
		return c, d.find(ctx, j, a.user)
	}
	var finding sync.WaitGroup
	var p any
	finding.Go(func() {
		defer func() { p = recover() }()
		f = d.find(ctx, j, a.user)
	})
	c.ClaimResult, c.err = d.Claims.Claim(ctx, j.target(a.user), j.message.ID, j.owner(a))
	if finding.Wait(); p != nil {
		panic(p)
	}
	return c, f
}

// find finds the connections of a user, or those that the message names.
func (d *Deliverer) find(ctx context.Context, j *job, user heliograph.UserID) (f found) {
	if j.message.Connection != "" {
		// The connection was there when the message was sent, so it is at least as old.
		f.connections = []presence.Connection{{ID: j.message.Connection, ConnectedAt: j.firstSent()}}
		return f
	}
	f.connections, f.status, f.err = d.Presence.Connections(ctx, user)
	return f
}

// mark is the end for a user who is owed nothing more. Where the claim can't be marked it stays owed, since the
// message would else be delivered again to who sends it again.
func (d *Deliverer) mark(ctx context.Context, j *job, a account) attempt {
	if err := d.unclaim(ctx, j, a); err != nil {
		a.debt.Connections = []heliograph.ConnectionID{}
		return a.failed("marking the claim: " + causeOf(err, statusOf(err)))
	}
	if a.debt.Delivered == 0 && a.user != "" {
		return attempt{tally: tally{Offline: 1}}
	}
	return attempt{}
}

// unclaim ends the claim of a user for whom the chain is over: done if the body arrived anywhere, else free for whoever
// sends the message again. A claim that can't be freed ends with its lease, so that is no error.
func (d *Deliverer) unclaim(ctx context.Context, j *job, a account) error {
	switch {
	case j.message.ID == "":
		return nil
	case a.debt.Delivered > 0:
		err := d.Claims.Done(ctx, j.target(a.user), j.message.ID, j.owner(a), a.debt.Delivered, a.debt.Gone)
		if errors.Is(err, ErrClaimLost) {
			j.log(ctx).WarnContext(ctx, "a claim was over before the message had settled: it may have arrived twice")
			return nil
		}
		return err
	}
	if err := d.Claims.Release(ctx, j.target(a.user), j.message.ID, j.owner(a)); err != nil {
		j.log(ctx).WarnContext(ctx, "a claim could not be released", "cause", causeOf(err, statusOf(err)))
	}
	return nil
}

// unclaimAll ends the claims of all who are given up. It comes after their dead letter: if that could not be written, the
// record would come again and find its own claims done. A claim that can't be marked as done ends with its lease: then a
// message that is sent again arrives again, at those connections that have it.
func (d *Deliverer) unclaimAll(ctx context.Context, j *job, owed map[heliograph.UserID]debt) {
	if j.message.ID == "" {
		return
	}
	ctx, cancel := earlier(ctx, settleBefore/2) // the receipt needs its time, too
	defer cancel()
	var ending sync.WaitGroup
	for user, debt := range owed {
		if d.users.Acquire(ctx, 1) != nil {
			break
		}
		ending.Go(func() {
			defer d.users.Release(1)
			defer func() {
				if p := recover(); p != nil {
					_ = panicked(ctx, p)
				}
			}()
			if err := d.unclaim(ctx, j, account{user, debt}); err != nil {
				j.log(ctx).WarnContext(ctx, "a claim could not be marked", "cause", causeOf(err, statusOf(err)))
			}
		})
	}
	ending.Wait()
}

// failed is the attempt that leaves what is owed for another one.
func (a account) failed(cause string) attempt {
	return attempt{owed: a.owed(), cause: cause}
}

// unclaimed is the attempt for a user for whom the message could not be claimed: the attempt before still holds the claim,
// unless a second copy of this record has taken it over.
func (a account) unclaimed(j *job, cause string) attempt {
	a.debt.Holder = cmp.Or(a.debt.Holder, j.state.Holder)
	return a.failed(cause)
}

// unfound is the attempt for a user whose connections could not be read. One whom presence will never take can have none.
func (a account) unfound(err error) attempt {
	result := a.failed("reading the connections: " + causeOf(err, statusOf(err)))
	if invalid, ok := errors.AsType[*presence.InvalidError](err); ok {
		result.rejection = reject(ReasonNoTarget, invalid.Error())
	}
	return result
}

// inFlight is the attempt that leaves the user to another delivery, until that has had its time. Under this attempt's token
// nobody holds a claim, so the next one comes as a stranger.
func (a account) inFlight(until time.Time) attempt {
	return attempt{owed: a.owed(), until: until}
}

// awaited is the attempt that gives the user time to come back.
func (a account) awaited() attempt {
	return attempt{owed: a.owed(), waiting: true}
}

func (a account) owed() map[heliograph.UserID]debt {
	return map[heliograph.UserID]debt{a.user: a.debt}
}

// sum puts together what came of each user, in their order.
func sum(results []attempt) attempt {
	if len(results) == 1 {
		return results[0]
	}
	all := attempt{owed: map[heliograph.UserID]debt{}}
	for _, one := range results {
		all.tally.add(one.tally)
		for user, debt := range one.owed {
			all.owed[user] = debt
		}
		if all.cause == "" {
			all.cause = one.cause
		}
		if all.rejection == nil {
			all.rejection = one.rejection
		}
		if one.until.After(all.until) {
			all.until = one.until
		}
		all.waiting = all.waiting || one.waiting
		all.repeated += one.repeated
	}
	return all
}
