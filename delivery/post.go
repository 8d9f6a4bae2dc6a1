package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"golang.org/x/sync/errgroup"

	"heliograph"
	"heliograph/mailbox"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// posts is the result of posting to one user's connections.
type posts struct {
	delivered, gone int
	owed            []heliograph.ConnectionID // connections that the body did not reach
	cause           string                    // the first failure's cause
	rejection       *message.Rejection        // set if no connection will ever accept this body
	framed          bool                      // set if one of the connections speaks heliograph.v1
}

// postAll posts the body to all of a recipient's targets in parallel. A target that gets no turn in time counts as failed.
func (d *Deliverer) postAll(ctx context.Context, j *job, r recipient, targets []presence.Connection) posts {
	letter := j.letter(r, targets)
	var p posts
	if len(targets) == 1 { // the usual case, which needs no goroutine
		p = tallied(targets, []post{d.postNow(ctx, j, r.user, &targets[0], letter)})
	} else {
		p = tallied(targets, d.postMany(ctx, j, r.user, targets, letter))
	}
	p.framed = letter.framed != nil
	return p
}

// postNow posts to one target when its turn has come.
func (d *Deliverer) postNow(ctx context.Context, j *job, user heliograph.UserID, c *presence.Connection, l letter) post {
	if err := d.posts.acquire(ctx); err != nil {
		return post{outcome: Failed, cause: causeOf(err)}
	}
	return d.post(ctx, j, user, c, l)
}

func (d *Deliverer) postMany(ctx context.Context, j *job, user heliograph.UserID, targets []presence.Connection, l letter) []post {
	results := make([]post, len(targets))
	var group errgroup.Group
	for i := range targets {
		if err := d.posts.acquire(ctx); err != nil {
			results[i] = post{outcome: Failed, cause: causeOf(err)}
			continue
		}
		group.Go(func() error {
			results[i] = d.post(ctx, j, user, &targets[i], l)
			return nil
		})
	}
	_ = group.Wait() // always nil
	return results
}

// letter is a message as connections receive it.
type letter struct{ raw, framed []byte }

// letter returns the message in the forms that the targets need.
func (j *job) letter(r recipient, targets []presence.Connection) letter {
	l := letter{raw: j.message.Body}
	if slices.ContainsFunc(targets, func(c presence.Connection) bool { return c.V1 }) {
		frame := j.frame()
		frame.Cursor, frame.Position = r.owed.Kept, mailbox.PositionOf(r.owed.Kept)
		l.framed = frame.Bytes()
	}
	return l
}

// to returns the form that a connection understands.
func (l letter) to(c *presence.Connection) []byte {
	if c.V1 {
		return l.framed
	}
	return l.raw
}

// tooLarge returns the reason why a connection can't receive its form of the message; nil if it can.
func (l letter) tooLarge(c *presence.Connection) *message.Rejection {
	if n := len(l.to(c)); n > message.MaxBody {
		return message.Reject(message.ReasonTooLarge, fmt.Sprintf("its frame for %s has %d bytes, more than %d", heliograph.SubprotocolV1, n, message.MaxBody))
	}
	return nil
}

// post is the outcome of the post to one connection, and the cause if it was not delivered.
type post struct {
	outcome   Outcome
	cause     string
	rejection *message.Rejection // if it was rejected
}

// tallied adds posts up in the order of the connections, so that the same posts always give the same result.
func tallied(targets []presence.Connection, results []post) posts {
	var p posts
	for i, one := range results {
		switch one.outcome {
		case Delivered:
			p.delivered++
			continue
		case Gone:
			p.gone++
			continue
		case Rejected:
			p.rejection = one.rejection
		}
		if p.owed = append(p.owed, targets[i].ID); p.cause == "" {
			p.cause = one.cause
		}
	}
	return p
}

// post uses one turn of the limit: it posts the body to one connection and records the outcome.
func (d *Deliverer) post(ctx context.Context, j *job, user heliograph.UserID, c *presence.Connection, l letter) (result post) {
	throttled := 0
	if result.rejection = l.tooLarge(c); result.rejection != nil {
		d.posts.release(c.ID, false)
		result.outcome, result.cause = Rejected, result.rejection.Detail
		return result
	}
	defer func() { d.posts.release(c.ID, throttled > 0) }()
	err := guard(ctx, func() error {
		throttles := withThrottles(ctx)
		_, err := d.Poster.PostToConnection(throttles, &apigatewaymanagementapi.PostToConnectionInput{
			ConnectionId: (*string)(&c.ID),
			Data:         l.to(c),
		})
		if throttled = throttles.count(err); throttled > 0 {
			observability.Add(ctx, catalogue.PostsThrottled, float64(throttled))
		}
		result.outcome, result.cause = outcomeOf(err, time.Since(c.ConnectedAt))
		if result.outcome == Rejected {
			result.rejection = message.Reject(reasonFor(result.cause), "API Gateway answered "+result.cause)
		}
		d.note(ctx, j, user, c, result.outcome)
		return nil
	})
	if err != nil {
		return post{outcome: Failed, cause: err.Error()}
	}
	return result
}

// note counts a post, and prunes a connection that is gone.
func (d *Deliverer) note(ctx context.Context, j *job, user heliograph.UserID, c *presence.Connection, outcome Outcome) {
	switch outcome {
	case Delivered:
		observability.Add(ctx, catalogue.PostsDelivered, 1)
		j.noteDue(ctx, true)
	case Gone:
		observability.Add(ctx, catalogue.PostsGone, 1)
		d.prune(ctx, j, user, c)
	case Failed:
		observability.Add(ctx, catalogue.PostsFailed, 1)
		j.noteDue(ctx, false)
	}
}

// onTime is the latency up to which a delivery counts as on time.
const onTime = time.Second

// noteDue counts a post towards the promise of delivery: as due on its first attempt, whatever the outcome, and as on
// time if it arrived soon enough. Broadcasts are left out: they are paced on purpose, so their latency means nothing.
func (j *job) noteDue(ctx context.Context, delivered bool) {
	sent := j.state.FirstSentAt
	if sent == 0 || j.message.Broadcast {
		return
	}
	if j.state.Attempt == 1 {
		observability.Add(ctx, catalogue.DeliveriesDue, 1)
	}
	if !delivered {
		return
	}
	latency := max(0, time.Now().UnixMilli()-sent) // despite clock skew, a message is never delivered before it was sent
	observability.Add(ctx, catalogue.DeliveryLatency, float64(latency))
	if latency <= onTime.Milliseconds() {
		observability.Add(ctx, catalogue.DeliveriesOnTime, 1)
	}
}

// prune forgets a connection that is gone. A failure costs the message nothing: the next message, or the sweep, tries
// again. A connection id that the producer named may belong to any user, so it is left to the sweep.
func (d *Deliverer) prune(ctx context.Context, j *job, user heliograph.UserID, c *presence.Connection) {
	if user == "" {
		return
	}
	err := d.Presence.Disconnect(ctx, user, c.ID, c.LastKnownActivity())
	if err != nil {
		j.log(ctx, &j.state).WarnContext(ctx, "a gone connection could not be pruned", "connectionId", c.ID, "cause", causeOf(err))
	}
}
