package delivery

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// followUp puts the message on the queue once more, for what is owed.
func (d *Deliverer) followUp(ctx context.Context, j *job, next state, delay int32, outcome Outcome, cause string) error {
	in := j.record.followUp(&next, delay)
	if size(in) > maxQueued {
		return d.noRoom(ctx, j, next, cause)
	}
	if err := d.send(ctx, d.QueueURL, in, "a follow-up"); err != nil {
		return err
	}
	observability.Add(ctx, catalogue.FollowUpsQueued, 1)
	observability.Annotate(ctx, "outcome", string(outcome))
	level := slog.LevelInfo
	if outcome == Failed {
		level = slog.LevelWarn
	}
	j.log(ctx).Log(ctx, level, "follow-up queued", "outcome", outcome, "cause", cause,
		"owed", sizeOf(next.Owed), "connectionIds", someOf(next.Owed), "delaySeconds", delay)
	return nil
}

// noRoom is for a message that has no room for what its follow-up must know. The detail is short, so that the dead
// letter fits where the follow-up did not.
func (d *Deliverer) noRoom(ctx context.Context, j *job, next state, cause string) error {
	switch why := (Rejection{ReasonNoRoom, cause}); {
	case next.Settled > 0:
		return d.deadLetter(ctx, j, next.dead(), Rejection{ReasonReceiptUnpublished, cause})
	case j.message.Broadcast:
		return d.leaveBehind(ctx, j, next.Owed, why)
	default:
		return d.end(ctx, j, next.Owed, why)
	}
}

// deadLetter puts the message on the dead-letter queue, with the reason and with what is owed. Where one letter has no
// room for all who are owed, several have.
func (d *Deliverer) deadLetter(ctx context.Context, j *job, owed state, why Rejection) error {
	in, whole, err := j.record.deadLetter(why, j.state.Attempt, &owed)
	switch {
	case err == nil && !whole && len(owed.Owed) > 1:
		one, other := owed.split()
		if err := d.deadLetter(ctx, j, one, why); err != nil {
			return err
		}
		return d.deadLetter(ctx, j, other, why)
	case err != nil:
		return err
	}
	if err := d.send(ctx, d.DeadLetterQueueURL, in, "a dead letter ("+string(why.Reason)+")"); err != nil {
		return err
	}
	outcome := why.outcome()
	if outcome == Rejected {
		observability.Add(ctx, catalogue.MessagesRejected, 1)
	}
	observability.Add(ctx, catalogue.MessagesDeadLettered, 1)
	observability.Annotate(ctx, "outcome", string(outcome))
	j.log(ctx).ErrorContext(ctx, "message dead-lettered", "outcome", outcome, "reason", why.Reason, "cause", why.Detail)
	return nil
}

func (d *Deliverer) send(ctx context.Context, url string, in *sqs.SendMessageInput, what string) error {
	in.QueueUrl = &url
	if _, err := d.Queue.SendMessage(ctx, in); err != nil {
		return fmt.Errorf("queueing %s: %w", what, err)
	}
	return nil
}

// maxLogged is how many connection ids a log line names.
const maxLogged = 10

// someOf are some of the connections that are owed, for a log line.
func someOf(owed map[heliograph.UserID]debt) []heliograph.ConnectionID {
	some := make([]heliograph.ConnectionID, 0, maxLogged)
	for _, debt := range owed {
		some = append(some, debt.Connections[:min(len(debt.Connections), maxLogged-len(some))]...)
	}
	return some
}

// howMany says in few words how much is owed.
func howMany(owed map[heliograph.UserID]debt) string {
	if len(owed) > 1 {
		return fmt.Sprintf("%d users owed", len(owed))
	}
	for _, debt := range owed {
		if n := len(debt.Connections); n == 1 {
			return "1 connection owed"
		} else if n > 1 {
			return fmt.Sprintf("%d connections owed", n)
		}
	}
	return "all connections owed"
}

func sizeOf(owed map[heliograph.UserID]debt) int {
	n := 0
	for _, debt := range owed {
		n += debt.size()
	}
	return n
}
