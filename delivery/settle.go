package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"heliograph/observability"
	"heliograph/presence"
)

// waitFor is how long a follow-up for an offline user waits for them to come back, in seconds.
const waitFor = 5

// job is one record on its way.
type job struct {
	record  *Record
	message Message
	state   state
}

// open reads a record: its message, and what is known of earlier attempts. The job is good enough for a
// dead letter even if there is a rejection.
func open(r *Record, now time.Time) (*job, *Rejection) {
	j := &job{record: r}
	var rejection *Rejection
	if j.state, rejection = readState(r, now); rejection != nil {
		return j, rejection
	}
	if j.message, rejection = Parse(r.Body); rejection == nil && len(j.message.Users) != 1 {
		rejection = reject(ReasonNoTarget, "only messages to one user are delivered as yet")
	}
	return j, rejection
}

// finish is the end of a message that needs nothing more.
func (d *Deliverer) finish(ctx context.Context, j *job, outcome Outcome) error {
	switch outcome {
	case Expired:
		observability.Add(ctx, observability.MessagesExpired, 1)
	case Offline:
		observability.Add(ctx, observability.MessagesOffline, 1)
	}
	observability.Annotate(ctx, "outcome", string(outcome))
	if outcome != Delivered || j.state.Gone > 0 || j.state.Attempt > 1 || j.state.Waited {
		j.log(ctx).InfoContext(ctx, "message done", "outcome", outcome)
	}
	return nil
}

// unknownTargets is for a user whose connections could not be read: what is owed stays owed.
func (d *Deliverer) unknownTargets(ctx context.Context, j *job, err error) error {
	var invalid *presence.InvalidError
	if errors.As(err, &invalid) {
		return d.deadLetter(ctx, j, Rejection{ReasonNoTarget, invalid.Error()})
	}
	return d.again(ctx, j, j.state.Owed, "reading the connections: "+causeOf(err, statusOf(err)))
}

// nobody is for a message that arrived nowhere because nobody was there. Who was there a moment ago has
// perhaps only changed networks: one follow-up waits for them.
func (d *Deliverer) nobody(ctx context.Context, j *job, recently bool) error {
	if !recently || j.state.Waited {
		return d.finish(ctx, j, Offline)
	}
	next := j.state
	next.Waited, next.Owed = true, nil
	return d.followUp(ctx, j, next, waitFor, Offline, "the user may come back")
}

// again queues the next attempt for what is owed (none means every open connection), or gives up after
// the last.
func (d *Deliverer) again(ctx context.Context, j *job, owed []presence.ConnectionID, cause string) error {
	if j.state.Attempt >= maxAttempts {
		return d.deadLetter(ctx, j, Rejection{ReasonUndelivered, fmt.Sprintf("%s after %d attempts, the last one: %s",
			connections(len(owed)), j.state.Attempt, cause)})
	}
	next := j.state
	next.Attempt++
	next.Owed = owed
	pause := pauses[j.state.Attempt-1]
	return d.followUp(ctx, j, next, pause+rand.Int32N(pause/2+1), Failed, cause)
}

func connections(n int) string {
	switch n {
	case 0:
		return "all connections owed"
	case 1:
		return "1 connection owed"
	}
	return fmt.Sprintf("%d connections owed", n)
}

// followUp puts the message on the queue once more.
func (d *Deliverer) followUp(ctx context.Context, j *job, next state, delay int32, outcome Outcome, cause string) error {
	in := j.record.followUp(next, delay)
	if size(in) > maxQueued {
		// The detail is short, so that the dead letter fits where the follow-up did not.
		return d.deadLetter(ctx, j, Rejection{ReasonNoRoom, cause})
	}
	in.QueueUrl = &d.QueueURL
	if _, err := d.Queue.SendMessage(ctx, in); err != nil {
		return fmt.Errorf("queueing a follow-up: %w", err)
	}
	observability.Add(ctx, observability.FollowUpsQueued, 1)
	observability.Annotate(ctx, "outcome", string(outcome))
	level := slog.LevelInfo
	if outcome == Failed {
		level = slog.LevelWarn
	}
	j.log(ctx).Log(ctx, level, "follow-up queued", "outcome", outcome, "cause", cause,
		"owed", len(next.Owed), "connectionIds", next.Owed[:min(len(next.Owed), maxLogged)], "delaySeconds", delay)
	return nil
}

// maxLogged is how many connection ids a log line names.
const maxLogged = 10

// deadLetter puts the message on the dead-letter queue, with the reason.
func (d *Deliverer) deadLetter(ctx context.Context, j *job, why Rejection) error {
	in, err := j.deadLetter(why)
	if err != nil {
		return err
	}
	in.QueueUrl = &d.DeadLetterQueueURL
	if _, err := d.Queue.SendMessage(ctx, in); err != nil {
		return fmt.Errorf("writing a dead letter (%s): %w", why.Reason, err)
	}
	outcome := why.outcome()
	if outcome == Rejected {
		observability.Add(ctx, observability.MessagesRejected, 1)
	}
	observability.Add(ctx, observability.MessagesDeadLettered, 1)
	observability.Annotate(ctx, "outcome", string(outcome))
	j.log(ctx).ErrorContext(ctx, "message dead-lettered", "outcome", outcome, "reason", why.Reason, "cause", why.Detail)
	return nil
}

// log is the logger for a line about this message: its ids and its tallies, never its body.
func (j *job) log(ctx context.Context) *slog.Logger {
	l := observability.Log(ctx).With("messageId", j.record.ID, "attempt", j.state.Attempt,
		"delivered", j.state.Delivered, "gone", j.state.Gone)
	if len(j.message.Users) == 1 {
		l = l.With("userHash", observability.HashUser(string(j.message.Users[0])))
	}
	if j.message.ID != "" {
		l = l.With("id", j.message.ID)
	}
	return l
}

// goBack lists, in order, the records that were not settled.
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
