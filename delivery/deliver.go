package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
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

// How much of the time before the deadline is kept back. A record that would start later than startBefore goes back to the
// queue. Posts end at postBefore, so that a follow-up can still be queued for what they did not do. Everything ends at
// returnBefore, so that the function returns before it is killed; otherwise SQS would redeliver the whole batch, and with
// it what has arrived.
const (
	startBefore  = 2 * time.Second
	postBefore   = time.Second
	returnBefore = 500 * time.Millisecond
)

// Presence knows who is online. presence.Store implements it.
type Presence interface {
	// Connections are a user's open connections, and whether the user is online, read consistently. A presence.InvalidError
	// means that there can be no such user.
	Connections(context.Context, heliograph.UserID) ([]presence.Connection, presence.Status, error)
	// Disconnect forgets a connection that was last active at a time. An unknown one is no error.
	Disconnect(context.Context, heliograph.UserID, heliograph.ConnectionID, time.Time) error
	// Online is a page of at most limit users who are online, after the cursor of the previous page. A
	// presence.InvalidError means that the cursor is not one of Online's.
	Online(ctx context.Context, limit int, cursor string) (presence.Page, error)
}

// Claims keeps a message with an Id from being delivered to the same target twice.
type Claims interface {
	// Claim claims a message for a target before it is posted. It succeeds if no claim counts any more, if a claim that was
	// never done is past its lease, or if the previous attempt holds it, done or not: what one attempt left over, the next
	// may deliver. After an error nothing is known.
	Claim(ctx context.Context, t Target, id string, by Owner) (ClaimResult, error)
	// Done records at how many of the target's connections the message arrived, for the idempotency window. The claim may
	// be the previous attempt's, since this one's may have failed. ErrClaimLost means that the claim was over and somebody
	// else has made one since.
	Done(ctx context.Context, t Target, id string, by Owner, delivered, gone int) error
	// Release gives up a claim, so that the message may be delivered when it is sent again. A claim that is done, or
	// somebody else's, stays as it is; that is no error.
	Release(ctx context.Context, t Target, id string, by Owner) error
}

// Owner holds a claim: one attempt, not the chain of them. SQS may deliver a follow-up twice at once, and only the first of
// the two copies then finds the claim of the previous attempt.
type Owner struct {
	Token string // random, of this attempt
	After string // the token under which the previous attempt claimed the message for this target
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
	// BroadcastRate is how many users a second a broadcast reaches at most, 1 to presence.MaxPage.
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

// errNotStarted: too little time was left to start the record.
var errNotStarted = errors.New("too close to the deadline to start")

// Deliver handles each record, and returns the ids of those that have to go back to the queue, in the records' order. It
// keeps within the context's deadline, if there is one. When it returns, everything that it started has ended.
func (d *Deliverer) Deliver(ctx context.Context, records []Record) []string {
	ctx, cancel := earlier(ctx, returnBefore)
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
	_ = group.Wait() // always nil
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

// deliver handles one record in a span of its own. An error means that the record must go back to the queue. A panic fails
// only its own record; otherwise the whole batch would be redelivered.
func (d *Deliverer) deliver(ctx context.Context, r *Record) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < startBefore-returnBefore {
		return errNotStarted
	}
	return guard(ctx, func() error {
		return observability.Step(ctx, "message", func(ctx context.Context) error { return d.run(ctx, r) })
	})
}

// run takes one message as far as this invocation can: plan decides, do carries out, until nothing is left to do.
func (d *Deliverer) run(ctx context.Context, r *Record) error {
	observability.Add(ctx, catalogue.MessagesReceived, 1)
	j := open(r, time.Now())
	j.annotate(ctx)
	for known := (event{}); ; {
		next := plan(j, known, given{now: time.Now(), rate: d.rate(), chance: rand.Float64()})
		if next.action == stop {
			return nil
		}
		var err error
		if known, err = d.do(ctx, j, next); err != nil {
			return err
		}
	}
}

// rate is how many users one record of a broadcast reaches at most.
func (d *Deliverer) rate() int { return max(1, min(d.BroadcastRate, presence.MaxPage)) }

// goBack lists, in order, the records that go back to the queue.
func goBack(ctx context.Context, records []Record, problems []error) []string {
	var ids []string
	for i, problem := range problems {
		if problem == nil {
			continue
		}
		ids = append(ids, records[i].ID)
		observability.Log(ctx).ErrorContext(ctx, "message goes back to the queue", "messageId", records[i].ID, "error", problem)
	}
	return ids
}
