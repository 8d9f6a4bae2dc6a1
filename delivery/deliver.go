package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"heliograph"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// Bounds on the work that one call of Deliver does in parallel, over all its records. With 64 parallel posts, a
// message to a user with 100 devices takes two rounds, and a batch of ten messages to three devices each takes one.
const (
	maxRecords = 10
	maxUsers   = 64
	maxPosts   = 64
)

// Time held back before the deadline. A record that would start later than startBefore goes back to the queue. Posts
// end at postBefore, so that a follow-up can still be queued for the connections they did not reach. Everything ends
// at returnBefore, so that the function returns before it is killed; otherwise SQS would redeliver the whole batch,
// including the messages that have arrived.
const (
	startBefore  = 2 * time.Second
	postBefore   = time.Second
	returnBefore = 500 * time.Millisecond
)

// Presence knows which users are online. presence.Store implements it.
type Presence interface {
	// Connections returns a user's open connections and online status, read consistently. A presence.InvalidError
	// means that no such user can exist.
	Connections(context.Context, heliograph.UserID) ([]presence.Connection, presence.Status, error)
	// Disconnect forgets a connection that was last active at the given time. An unknown one is no error.
	Disconnect(context.Context, heliograph.UserID, heliograph.ConnectionID, time.Time) error
	// OnlineIn returns a page of at most limit online users of one shard, or of all with shard 0, starting after the
	// previous page's cursor. A presence.InvalidError means that OnlineIn did not issue the cursor.
	OnlineIn(ctx context.Context, shard, limit int, cursor string) (presence.Page, error)
}

// Claims prevents a message with an Id from being delivered to the same target twice.
type Claims interface {
	// Claim claims a message for a target before it is posted. It succeeds if no claim counts any more, if a claim
	// that was never done is past its lease, or if the previous attempt holds it, done or not: an attempt may deliver
	// what the previous one left over. After an error the outcome is unknown.
	Claim(ctx context.Context, t Target, id string, by Owner) (ClaimResult, error)
	// Done records at how many of the target's connections the message arrived, for the idempotency window. The claim
	// may be the previous attempt's, since this attempt's own Claim may have failed. ErrClaimLost means that the
	// claim had expired and another delivery has claimed the message since.
	Done(ctx context.Context, t Target, id string, by Owner, delivered, gone int) error
	// Release gives up a claim, so that a resend may be delivered. A claim that is done, or held by another delivery,
	// stays as it is; that is no error.
	Release(ctx context.Context, t Target, id string, by Owner) error
}

// Owner identifies the holder of a claim: a single attempt, not its whole chain. SQS may deliver a follow-up twice at
// once; then only the first of the two copies finds the previous attempt's claim.
type Owner struct {
	Token string // random, new for each attempt
	After string // the token under which the previous attempt claimed the message for this target
}

// Config configures a Deliverer. All fields are required.
type Config struct {
	Presence Presence
	Poster   Poster
	Queue    Queue
	// QueueURL is the queue for follow-ups: the one that the records come from.
	QueueURL string
	// DeadLetterQueueURL is the queue for messages that can't be delivered.
	DeadLetterQueueURL string
	// Claims prevents messages with an Id from being delivered twice.
	Claims Claims
	// Mailbox keeps messages that ask for it.
	Mailbox Mailbox
	// Keys seals the states in follow-ups and dead letters, so that nobody else can write them.
	Keys Keys
	// Receipts publishes delivery receipts for messages that request one.
	Receipts Receipts
	// BroadcastRate is the most users that a broadcast reaches per second. Above presence.MaxPage, it is spread over a
	// record for each shard of the online list, unless it asks for a receipt.
	BroadcastRate int
}

// Deliverer delivers messages. Create one with New; it is safe for concurrent use.
type Deliverer struct {
	Config
	users *semaphore.Weighted
	posts *limit
}

// New returns a Deliverer.
func New(c Config) *Deliverer {
	return &Deliverer{Config: c, users: semaphore.NewWeighted(maxUsers), posts: newLimit(maxPosts)}
}

// errNotStarted: too little time was left to start the record.
var errNotStarted = errors.New("too close to the deadline to start")

// Deliver handles each record, and returns the ids of those that must go back to the queue, in the records' order. It
// respects the context's deadline, if there is one. All goroutines that it started have ended when it returns.
func (d *Deliverer) Deliver(ctx context.Context, records []Record) []string {
	ctx, cancel := earlier(ctx, returnBefore)
	defer cancel()
	problems := make([]error, len(records))
	places, group := make(chan struct{}, maxRecords), new(sync.WaitGroup)
	for i := range records {
		places <- struct{}{}
		group.Add(1)
		go func() { // plainly: errgroup and WaitGroup.Go would each wrap this function in another
			defer group.Done()
			problems[i] = d.deliver(ctx, &records[i])
			<-places
		}()
	}
	group.Wait()
	return goBack(ctx, records, problems)
}

// earlier returns the context with its deadline moved forward, or unchanged if it has none.
func earlier(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-by))
}

// deliver handles one record in its own span. An error means that the record must go back to the queue. A panic fails
// only its own record; otherwise the whole batch would be redelivered.
func (d *Deliverer) deliver(ctx context.Context, r *Record) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < startBefore-returnBefore {
		return errNotStarted
	}
	return guard(ctx, func() error {
		return observability.Step(ctx, "message", func(ctx context.Context) error { return d.run(ctx, r) })
	})
}

// run takes one message as far as this invocation can: plan decides, do executes, until nothing is left to do.
func (d *Deliverer) run(ctx context.Context, r *Record) error {
	observability.Add(ctx, catalogue.MessagesReceived, 1)
	j, err := d.open(ctx, r)
	if err != nil {
		return err
	}
	j.annotate(ctx)
	for known := (event{}); ; {
		next := plan(j, known, given{now: time.Now(), rate: d.rate(j.state), spread: d.BroadcastRate > presence.MaxPage, chance: rand.Float64()})
		if next.action == stop {
			return nil
		}
		if known, err = d.do(ctx, j, next); err != nil {
			return err
		}
	}
}

// rate returns the most users that one record of a broadcast reaches.
func (d *Deliverer) rate(s message.State) int {
	rate := d.BroadcastRate
	if s.Shard > 0 {
		rate /= presence.Shards
	}
	return max(1, min(rate, presence.MaxPage))
}

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
