package delivery

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"heliograph/observability"
	"heliograph/presence"
)

// Bounds of what one call of Deliver does side by side. 64 posts at a time bring a user with 100 devices
// their message in two rounds, and a batch of ten messages to three devices each in one.
const (
	maxRecords = 10
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
	Connections(context.Context, presence.UserID) ([]presence.Connection, presence.Status, error)
	// Disconnect forgets a connection that was last active at a time. One that is unknown is no error.
	Disconnect(context.Context, presence.UserID, presence.ConnectionID, time.Time) error
}

// Claims sees to it that a message with an Id is delivered to each of its targets once. All three only say something about
// the claim of this message at this target; an error of Claim means that nothing is known.
type Claims interface {
	// Claim claims a message for a target before it is posted. It passes if there is no claim that still counts, if a claim
	// that was never done is past its lease, or if an earlier step of the very same chain holds it, done or not: what one
	// step left over, the next one may deliver. The same step does not pass again within its lease: then it is a second copy
	// of one record, and would deliver beside the first.
	Claim(ctx context.Context, t Target, id string, by Owner) (ClaimResult, error)
	// Done says that the message arrived at so many connections of the target. It counts for the idempotency window.
	// ErrClaimLost tells that the claim was over, and is another's by now.
	Done(ctx context.Context, t Target, id string, by Owner, delivered, gone int) error
	// Release gives up a claim, so that whoever sends the message again may deliver it. One that is done, or no longer
	// the owner's, is left as it is, and that is no error.
	Release(ctx context.Context, t Target, id string, by Owner) error
}

// Owner is who holds a claim: one step of a message's chain of attempts. Steps rise by one with each follow-up.
type Owner struct {
	Chain string // random, the same for a message and all its follow-ups
	Step  int
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
}

// Deliverer delivers messages. Make it with New; it may be used by many goroutines.
type Deliverer struct {
	Config
	posts *semaphore.Weighted
}

// New makes a Deliverer.
func New(c Config) *Deliverer {
	return &Deliverer{Config: c, posts: semaphore.NewWeighted(maxPosts)}
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
	return observability.Trace(ctx, "message", func(ctx context.Context) error {
		return d.settle(ctx, r)
	})
}

// settle is the way of one message from the queue to the sockets.
func (d *Deliverer) settle(ctx context.Context, r *Record) error {
	observability.Add(ctx, observability.MessagesReceived, 1)
	j, rejection := open(r, time.Now())
	if rejection != nil {
		return d.deadLetter(ctx, j, *rejection)
	}
	if j.message.expired(time.Now()) {
		return d.finish(ctx, j, Expired)
	}
	posting, cancel := earlier(ctx, postBefore-settleBefore)
	defer cancel()
	connections, status, err := d.Presence.Connections(posting, j.message.Users[0])
	if err != nil {
		return d.unknownTargets(ctx, j, err)
	}
	t := d.postAll(posting, j, j.state.targets(connections))
	j.state.Delivered += t.delivered
	j.state.Gone += t.gone
	switch {
	case t.rejection != nil:
		return d.deadLetter(ctx, j, *t.rejection)
	case len(t.failed) > 0:
		return d.again(ctx, j, t.failed, t.cause)
	case j.state.Delivered == 0:
		// The status is from before the posts: if all were gone, the user was online until now.
		return d.nobody(ctx, j, status.OnlineWithin(reconnect, time.Now()))
	}
	return d.finish(ctx, j, Delivered)
}

// tally is what became of the posts of one attempt.
type tally struct {
	delivered, gone int
	failed          []presence.ConnectionID
	cause           string     // why the first of the failed ones failed
	rejection       *Rejection // no connection will ever take this body
}

// postAll posts the body to all targets side by side. A target that gets no turn in time has failed.
func (d *Deliverer) postAll(ctx context.Context, j *job, targets []presence.Connection) tally {
	posts := make([]post, len(targets))
	var group errgroup.Group
	for i := range targets {
		if err := d.posts.Acquire(ctx, 1); err != nil {
			posts[i] = post{Failed, causeOf(err, 0)}
			continue
		}
		group.Go(func() error {
			defer d.posts.Release(1)
			posts[i] = d.post(ctx, j, &targets[i])
			return nil
		})
	}
	_ = group.Wait() // nobody returns an error
	return count(targets, posts)
}

// post is what became of the post to one connection, and why if it was not delivered.
type post struct {
	outcome Outcome
	cause   string
}

// count goes in the connections' order, so that the same posts always give the same tally.
func count(targets []presence.Connection, posts []post) tally {
	var t tally
	for i, p := range posts {
		switch p.outcome {
		case Delivered:
			t.delivered++
		case Gone:
			t.gone++
		case Rejected:
			t.rejection = reject(reasonFor(p.cause), "API Gateway answered "+p.cause)
		default:
			if t.failed = append(t.failed, targets[i].ID); t.cause == "" {
				t.cause = p.cause
			}
		}
	}
	return t
}

// post posts the body to one connection and notes what became of it.
func (d *Deliverer) post(ctx context.Context, j *job, c *presence.Connection) (result post) {
	defer func() {
		if p := recover(); p != nil {
			result = post{Failed, panicked(ctx, p).Error()}
		}
	}()
	_, err := d.Poster.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: aws.String(string(c.ID)),
		Data:         j.message.Body,
	})
	now := time.Now()
	outcome, cause := outcomeOf(err, now.Sub(c.ConnectedAt))
	switch outcome {
	case Delivered:
		observability.Add(ctx, observability.PostsDelivered, 1)
		if sent := j.state.FirstSentAt; sent > 0 {
			// Clocks differ: a message is never delivered before it was sent.
			observability.Add(ctx, observability.DeliveryLatency, float64(max(0, now.UnixMilli()-sent)))
		}
	case Gone:
		observability.Add(ctx, observability.PostsGone, 1)
		d.prune(ctx, j, c)
	case Failed:
		observability.Add(ctx, observability.PostsFailed, 1)
	}
	return post{outcome, cause}
}

// prune forgets a connection that is gone. If that fails the message is none the worse, and the next one,
// or the sweep, will try again.
func (d *Deliverer) prune(ctx context.Context, j *job, c *presence.Connection) {
	err := d.Presence.Disconnect(ctx, j.message.Users[0], c.ID, c.LastKnownActivity())
	if err != nil {
		j.log(ctx).WarnContext(ctx, "a gone connection could not be pruned", "connectionId", c.ID, "cause", causeOf(err, statusOf(err)))
	}
}

// panicked is the error for a panic. It is logged here, where its stack is still known.
func panicked(ctx context.Context, p any) error {
	observability.Add(ctx, observability.HandlerErrors, 1)
	observability.Log(ctx).ErrorContext(ctx, "panic while delivering", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return errors.New("panic")
}
