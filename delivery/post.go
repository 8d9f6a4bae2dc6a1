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

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// posts is what became of the posts to one user's connections.
type posts struct {
	delivered, gone int
	owed            []heliograph.ConnectionID // those that it did not arrive at
	cause           string                    // why the first of these did not take it
	rejection       *Rejection                // no connection will ever take this body
}

// postAll posts the body to all targets side by side. A target that gets no turn in time has failed.
func (d *Deliverer) postAll(ctx context.Context, j *job, user heliograph.UserID, targets []presence.Connection) posts {
	results := make([]post, len(targets))
	var group errgroup.Group
	for i := range targets {
		if err := d.posts.acquire(ctx); err != nil {
			results[i] = post{Failed, causeOf(err, 0)}
			continue
		}
		group.Go(func() error {
			results[i] = d.post(ctx, j, user, &targets[i])
			return nil
		})
	}
	_ = group.Wait() // nobody returns an error
	return count(targets, results)
}

// post is what became of the post to one connection, and why if it was not delivered.
type post struct {
	outcome Outcome
	cause   string
}

// count goes in the connections' order, so that the same posts always give the same result.
func count(targets []presence.Connection, results []post) posts {
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
			p.rejection = reject(reasonFor(one.cause), "API Gateway answered "+one.cause)
		}
		if p.owed = append(p.owed, targets[i].ID); p.cause == "" {
			p.cause = one.cause
		}
	}
	return p
}

// post makes use of a turn of the limit: it posts the body to one connection and notes what became of it.
func (d *Deliverer) post(ctx context.Context, j *job, user heliograph.UserID, c *presence.Connection) (result post) {
	throttled := 0
	defer func() {
		if p := recover(); p != nil {
			result = post{Failed, panicked(ctx, p).Error()}
		}
		d.posts.release(c.ID, throttled > 0)
	}()
	posting, throttles := withThrottles(ctx)
	_, err := d.Poster.PostToConnection(posting, &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: aws.String(string(c.ID)),
		Data:         j.message.Body,
	})
	now := time.Now()
	if throttled = throttles.count(err); throttled > 0 {
		observability.Add(ctx, catalogue.PostsThrottled, float64(throttled))
	}
	outcome, cause := outcomeOf(err, now.Sub(c.ConnectedAt))
	switch outcome {
	case Delivered:
		observability.Add(ctx, catalogue.PostsDelivered, 1)
		// Broadcasts wait on purpose: their latency says nothing.
		if sent := j.state.FirstSentAt; sent > 0 && !j.message.Broadcast {
			// Clocks differ: a message is never delivered before it was sent.
			observability.Add(ctx, catalogue.DeliveryLatency, float64(max(0, now.UnixMilli()-sent)))
		}
	case Gone:
		observability.Add(ctx, catalogue.PostsGone, 1)
		d.prune(ctx, j, user, c)
	case Failed:
		observability.Add(ctx, catalogue.PostsFailed, 1)
	}
	return post{outcome, cause}
}

// prune forgets a connection that is gone. If that fails the message is none the worse, and the next one,
// or the sweep, will try again. Whose connection an id is that the producer named is not known: the sweep finds it.
func (d *Deliverer) prune(ctx context.Context, j *job, user heliograph.UserID, c *presence.Connection) {
	if user == "" {
		return
	}
	err := d.Presence.Disconnect(ctx, user, c.ID, c.LastKnownActivity())
	if err != nil {
		j.log(ctx).WarnContext(ctx, "a gone connection could not be pruned", "connectionId", c.ID, "cause", causeOf(err, statusOf(err)))
	}
}

// panicked is the error for a panic. It is logged here, where its stack is still known.
func panicked(ctx context.Context, p any) error {
	observability.Add(ctx, catalogue.HandlerErrors, 1)
	observability.Log(ctx).ErrorContext(ctx, "panic while delivering", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return errors.New("panic")
}
