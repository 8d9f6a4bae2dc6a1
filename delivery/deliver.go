package delivery

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// Bounds of what one call of Deliver does side by side, over all its records. 64 posts at a time bring a user with 100
// devices their message in two rounds, and a batch of ten messages to three devices each in one.
const (
	maxRecords = 10
	maxUsers   = 64
	maxPosts   = 64
)

// What is kept back of the time before the deadline. A record that would start later than startBefore goes
// back to the queue. Posts end at postBefore, so that a follow-up can still be queued for what they did
// not do. All ends at settleBefore, so that the function returns before it is killed: else every record of
// the batch would come again, and what was delivered with it.
const (
	startBefore  = 2 * time.Second
	postBefore   = time.Second
	settleBefore = 500 * time.Millisecond
)

// reconnect is how long ago a user may have gone offline to be expected back.
const reconnect = 10 * time.Second

// Presence tells who is there. presence.Store is one.
type Presence interface {
	// Connections are a user's open connections, and whether the user is online, read consistently.
	Connections(context.Context, heliograph.UserID) ([]presence.Connection, presence.Status, error)
	// Disconnect forgets a connection that was last active at a time. One that is unknown is no error.
	Disconnect(context.Context, heliograph.UserID, heliograph.ConnectionID, time.Time) error
	// Online is a page of at most so many users who are online, after the cursor of the page before.
	Online(ctx context.Context, limit int, cursor string) (presence.Page, error)
}

// Claims sees to it that a message with an Id is delivered to each of its targets once. All three only say something about
// the claim of this message at this target; an error of Claim means that nothing is known.
type Claims interface {
	// Claim claims a message for a target before it is posted. It passes if there is no claim that still counts, if a claim
	// that was never done is past its lease, or if the attempt before holds it, done or not: what one attempt left
	// over, the next one may deliver.
	Claim(ctx context.Context, t Target, id string, by Owner) (ClaimResult, error)
	// Done says that the message arrived at so many connections of the target. It counts for the idempotency window. The
	// claim may be that of the attempt before: this one's may have failed. ErrClaimLost tells that the claim was over, and
	// is another's by now.
	Done(ctx context.Context, t Target, id string, by Owner, delivered, gone int) error
	// Release gives up a claim, so that whoever sends the message again may deliver it. One that is done, or no longer
	// the owner's, is left as it is, and that is no error.
	Release(ctx context.Context, t Target, id string, by Owner) error
}

// Owner is who holds a claim: one attempt, and not the chain of them. SQS may deliver a follow-up twice at once, and of the
// two copies only the one that comes first finds the claim of the attempt before.
type Owner struct {
	Token string // random, of this attempt
	After string // the token under which the attempt before claimed the message for this target
}

// Config is what a Deliverer works with. All fields are required.
type Config struct {
	Presence Presence
	Poster   Poster
	Queue    Queue
	// QueueURL is where follow-ups go: the queue that the records come from.
	QueueURL string
	// DeadLetterQueueURL is where messages go that can't be delivered.
	DeadLetterQueueURL string
	// Claims keep messages with an Id from being delivered twice.
	Claims Claims
	// Receipts publishes what became of messages that ask for it.
	Receipts Receipts
	// BroadcastRate is how many users a second a broadcast goes to at most, 1 to presence.MaxPage.
	BroadcastRate int
}

// Deliverer delivers messages. Make it with New; it may be used by many goroutines.
type Deliverer struct {
	Config
	users *semaphore.Weighted
	posts *limit
}

// New makes a Deliverer.
func New(c Config) *Deliverer {
	return &Deliverer{Config: c, users: semaphore.NewWeighted(maxUsers), posts: newLimit(maxPosts)}
}

// errNotStarted is why a record goes back that there was no time for.
var errNotStarted = errors.New("too close to the deadline to start")

// Deliver settles each record, and returns the ids, in the records' order, of those that could not be
// settled and must go back to the queue. It keeps within the context's deadline, if that has one. When it
// returns, all that it started has ended.
func (d *Deliverer) Deliver(ctx context.Context, records []Record) []string {
	ctx, cancel := earlier(ctx, settleBefore)
	defer cancel()
	problems := make([]error, len(records))
	var group errgroup.Group
	group.SetLimit(maxRecords)
	for i := range records {
		group.Go(func() error {
			problems[i] = d.deliver(ctx, &records[i])
			return nil
		})
	}
	_ = group.Wait() // nobody returns an error
	return goBack(ctx, records, problems)
}

// earlier is the context with its deadline moved forward, or as it is if it has none.
func earlier(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-by))
}

// deliver settles one record, in a span of its own. An error means that it must go back to the queue.
//
// A panic is an error of this one record: the others of the batch would else come again, too.
func (d *Deliverer) deliver(ctx context.Context, r *Record) (err error) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < startBefore-settleBefore {
		return errNotStarted
	}
	defer func() {
		if p := recover(); p != nil {
			err = panicked(ctx, p)
		}
	}()
	return observability.Step(ctx, "message", func(ctx context.Context) error {
		return d.settle(ctx, r)
	})
}

// settle is the way of one message from the queue to the sockets: who is to be reached, reach each of them, and take
// the chain of attempts one step further.
func (d *Deliverer) settle(ctx context.Context, r *Record) error {
	observability.Add(ctx, catalogue.MessagesReceived, 1)
	j, rejection := open(r, time.Now())
	switch {
	case rejection != nil:
		return d.end(ctx, j, nil, *rejection)
	case j.state.Settled > 0:
		return d.receipt(ctx, j)
	case j.message.expired(time.Now()):
		return d.expire(ctx, j)
	}
	posting, cancel := earlier(ctx, postBefore-settleBefore)
	defer cancel()
	if j.paging() {
		return d.conclude(ctx, j, d.nextPage(posting, j))
	}
	return d.conclude(ctx, j, d.reachAll(posting, j, j.accounts()))
}

// account is a user and what they are still owed.
type account struct {
	user heliograph.UserID // "" for a message to a connection id
	debt debt
}

// attempt is what one attempt came to, for one user or for all whom it was for.
type attempt struct {
	tally tally
	// owed is what is still owed, which is for one of these: somebody failed, a claim is in flight, or a user may come back.
	owed map[heliograph.UserID]debt
	// cause is why the first of those that failed did; empty if none has.
	cause string
	// waiting tells that somebody may come back.
	waiting bool
	// until is when the last of the claims in flight ends.
	until time.Time
	// repeated counts users who had the message already.
	repeated int
	// rejection is why no connection will ever take this body.
	rejection *Rejection
}

// reachAll reaches all accounts side by side. One that gets no turn in time has failed.
func (d *Deliverer) reachAll(ctx context.Context, j *job, accounts []account) attempt {
	results := make([]attempt, len(accounts))
	var group errgroup.Group
	for i, a := range accounts {
		if err := d.users.Acquire(ctx, 1); err != nil {
			results[i] = a.unclaimed(j, "no turn: "+causeOf(err, 0))
			continue
		}
		group.Go(func() error {
			defer d.users.Release(1)
			results[i] = d.reach(ctx, j, a)
			return nil
		})
	}
	_ = group.Wait() // nobody returns an error
	return sum(results)
}

// reach brings the body to one user: it claims the message and finds the user's connections side by side, posts to all
// of them that it is owed to, and marks the claim once nothing is owed any more.
func (d *Deliverer) reach(ctx context.Context, j *job, a account) (result attempt) {
	defer func() {
		if p := recover(); p != nil {
			result = a.failed(panicked(ctx, p).Error())
		}
	}()
	claim, found := d.claimAndFind(ctx, j, a)
	switch {
	case claim.State == Duplicate:
		observability.Add(ctx, catalogue.DuplicatesDropped, 1)
		return attempt{tally: tally{Delivered: claim.Delivered, Gone: claim.Gone}, repeated: 1}
	case claim.State == InFlight:
		return a.inFlight(claim.Until)
	case claim.err != nil:
		return a.unclaimed(j, "claiming the message: "+causeOf(claim.err, statusOf(claim.err)))
	}
	a.debt.Holder = "" // this attempt
	if found.err != nil {
		return a.unfound(found.err)
	}
	posts := d.postAll(ctx, j, a.user, a.debt.targets(found.connections))
	a.debt.Delivered += posts.delivered
	a.debt.Gone += posts.gone
	switch {
	case len(posts.owed) > 0:
		a.debt.Connections = posts.owed
		result = a.failed(posts.cause)
		result.rejection = posts.rejection
	// The status is from before the posts: if all were gone, the user was online until now.
	case j.waitsFor(a, found.status.OnlineWithin(reconnect, time.Now())):
		a.debt.Connections, a.debt.Waited = nil, true
		result = a.awaited()
	default:
		result = d.mark(ctx, j, a)
	}
	result.tally.Delivered, result.tally.Gone = posts.delivered, posts.gone
	return result
}
