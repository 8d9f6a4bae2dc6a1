package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// A broadcast goes through the list of online users page by page. Each page is a record of its own: the body once more,
// and where the next page begins. A function that dies costs nothing but the time until SQS brings its page again; and
// since the queue holds each page back for a second, no more than BroadcastRate users are reached in one.
//
// Those whom a page could not reach are kept, until they are half of what may be reached in a second, or the first of them
// has waited for long, or the list is at its end. Then they are tried again as any other message's users are, and those
// given up are left behind in the dead-letter queue, before the paging goes on.

const (
	// pageDelay is how long the queue holds back each page, in seconds.
	pageDelay = 1
	// longestOwed is how long somebody is owed before the paging pauses for them. It is well within the lease of their claim.
	longestOwed = 30 * time.Second
	// broadcastRoom is what a broadcast must leave of SQS's bounds for what is owed, in bytes.
	broadcastRoom = 32 << 10
)

// paging tells whether the record is for the next page of a broadcast, and not for those who are owed.
func (j *job) paging() bool { return j.message.Broadcast && !j.state.Listed && !j.state.Paused }

// goesOn tells whether a broadcast's next page comes next.
func (j *job) goesOn(owed map[heliograph.UserID]debt) bool {
	return j.paging() || (j.message.Broadcast && !j.state.Listed && len(owed) == 0)
}

// rate is how many users one record of a broadcast is for at most.
func (d *Deliverer) rate() int { return max(1, min(d.BroadcastRate, presence.MaxPage)) }

// nextPage reaches the users of the next page.
func (d *Deliverer) nextPage(ctx context.Context, j *job) attempt {
	// Those owed will be tried again at one go, so they count.
	page, err := d.Presence.Online(ctx, max(1, d.rate()-len(j.state.Owed)), j.state.Cursor)
	if err != nil {
		return j.noPage(err)
	}
	accounts := make([]account, len(page.Users))
	for i, online := range page.Users {
		accounts[i].user = online.User
	}
	a := d.reachAll(ctx, j, accounts)
	observability.Add(ctx, catalogue.BroadcastUsers, float64(len(accounts)))
	return d.turn(ctx, j, page, a)
}

// noPage is for a page that could not be read: it is tried again, and what is owed stays owed.
func (j *job) noPage(err error) attempt {
	cause := "reading who is online: " + causeOf(err, statusOf(err))
	a := attempt{owed: j.carried(), cause: cause}
	switch {
	case errors.As(err, new(*presence.InvalidError)):
		a.rejection = reject(ReasonBadFollowUp, "the cursor is not one of the list of online users")
	case j.state.Attempt >= maxAttempts:
		a.rejection = reject(ReasonUndelivered, fmt.Sprintf("the rest of the online users owed after %d attempts, the last one: %s", j.state.Attempt, cause))
	}
	return a
}

// carried are those owed whom this step does not try to reach: their claims are held as they were.
func (j *job) carried() map[heliograph.UserID]debt {
	owed := map[heliograph.UserID]debt{}
	for user, debt := range j.state.Owed {
		debt.Holder = cmp.Or(debt.Holder, j.state.Holder)
		owed[user] = debt
	}
	return owed
}

// turn turns the page: it adds up what is owed, and decides whether the paging pauses for that.
func (d *Deliverer) turn(ctx context.Context, j *job, page presence.Page, a attempt) attempt {
	s := &j.state
	owed := j.carried()
	maps.Copy(owed, a.owed)
	a.owed = owed
	s.Attempt, s.Cursor, s.Listed = 1, page.Next, page.Next == ""
	if len(owed) > 0 && s.OwedSince == 0 {
		s.OwedSince = time.Now().UnixMilli()
	}
	late := len(owed) > 0 && time.Since(time.UnixMilli(s.OwedSince)) >= longestOwed
	s.Paused = !s.Listed && (2*len(owed) >= d.rate() || late)
	switch {
	case j.paging() || len(owed) == 0:
		a.cause, a.until = "", time.Time{} // nobody is tried again as yet
	case a.cause == "":
		a.cause = "an earlier page or another delivery left it owed"
	}
	j.log(ctx).InfoContext(ctx, "broadcast page done", "users", len(page.Users), "owed", len(owed), "last", s.Listed)
	return a
}

// goOn queues the next page.
func (d *Deliverer) goOn(ctx context.Context, j *job, next state) error {
	next.Attempt, next.Paused = 1, false
	if len(next.Owed) == 0 {
		next.OwedSince = 0
	}
	in := j.record.followUp(&next, pageDelay)
	if size(in) > maxQueued {
		return d.noRoom(ctx, j, next, "no room for those owed beside the next page")
	}
	return d.send(ctx, d.QueueURL, in, "the next page")
}

// leaveBehind puts those whom a broadcast gives up in the dead-letter queue, and goes on without them.
func (d *Deliverer) leaveBehind(ctx context.Context, j *job, owed map[heliograph.UserID]debt, why Rejection) error {
	left := j.next(owed).dead()
	left.Listed, left.Cursor, left.Tally = true, "", tally{} // the chain goes on with the rest
	if err := d.deadLetter(ctx, j, left, why); err != nil {
		return err
	}
	d.unclaimAll(ctx, j, owed)
	j.state.Tally.Failed += sizeOf(owed)
	j.state.Owed = nil
	return d.conclude(ctx, j, attempt{})
}
