package delivery

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// waitFor is how long a follow-up for an offline user waits for them to come back, in seconds.
const waitFor = 5

// longestWait is how long a follow-up can wait for a claim to end, in seconds: as long as SQS allows.
const longestWait = 900

// conclude takes the chain one step further. Here, and nowhere else, it is decided what comes after an attempt: the
// dead-letter queue, a follow-up, the next page of a broadcast, or the end.
func (d *Deliverer) conclude(ctx context.Context, j *job, a attempt) error {
	j.state.Tally.add(a.tally)
	next := j.next(a.owed)
	switch {
	case a.rejection != nil:
		return d.end(ctx, j, a.owed, *a.rejection)
	case a.cause != "" && j.state.Attempt >= maxAttempts:
		return d.giveUp(ctx, j, a.owed, a.cause)
	case a.cause != "":
		next.Attempt++
		pause := pauses[j.state.Attempt-1]
		return d.followUp(ctx, j, next, pause+rand.Int32N(pause/2+1), Failed, a.cause)
	case a.waiting:
		return d.followUp(ctx, j, next, waitFor, Offline, "the user may come back")
	case !a.until.IsZero():
		wait := time.Until(a.until)/time.Second + 1
		return d.followUp(ctx, j, next, int32(max(1, min(wait, longestWait))), Repeated, "another delivery of this id is under way")
	case j.goesOn(a.owed):
		return d.goOn(ctx, j, next)
	}
	return d.finish(ctx, j, j.outcome(a.repeated))
}

// outcome is the one word for what became of a message that needs nothing more.
func (j *job) outcome(repeated int) Outcome {
	t := &j.state.Tally
	switch {
	case repeated > 0 && repeated == len(j.accounts()):
		return Repeated
	case t.Delivered > 0:
		return Delivered
	case t.Failed > 0:
		return Failed
	case t.Offline > 0:
		return Offline
	case t.Gone > 0:
		return Gone
	}
	return Delivered
}

// finish is the end of a message that needs nothing more, but perhaps a receipt.
func (d *Deliverer) finish(ctx context.Context, j *job, outcome Outcome) error {
	if err := d.receipt(ctx, j); err != nil {
		return err
	}
	switch outcome {
	case Expired:
		observability.Add(ctx, catalogue.MessagesExpired, 1)
	case Offline:
		observability.Add(ctx, catalogue.MessagesOffline, 1)
	}
	observability.Annotate(ctx, "outcome", string(outcome))
	if outcome != Delivered || j.state.Tally.Gone > 0 || j.state.Attempt > 1 || len(j.state.Owed) > 0 || j.message.Broadcast {
		j.log(ctx).InfoContext(ctx, "message done", "outcome", outcome, "offline", j.state.Tally.Offline, "failed", j.state.Tally.Failed)
	}
	return nil
}

// expire is the end of a message that has lost its worth.
func (d *Deliverer) expire(ctx context.Context, j *job) error {
	owed := map[heliograph.UserID]debt{}
	for _, a := range j.accounts() {
		owed[a.user] = a.debt
	}
	if j.state.Holder != "" {
		d.unclaimAll(ctx, j, owed)
	}
	j.state.Tally.Expired += sizeOf(owed)
	return d.finish(ctx, j, Expired)
}

// giveUp is for what the last attempt left owed. A claim that can't be marked is no reason for a dead letter.
func (d *Deliverer) giveUp(ctx context.Context, j *job, owed map[heliograph.UserID]debt, cause string) error {
	maps.DeleteFunc(owed, func(_ heliograph.UserID, debt debt) bool { return debt.onlyMark() })
	if len(owed) == 0 {
		j.log(ctx).WarnContext(ctx, "a claim could not be marked", "cause", cause)
		return d.conclude(ctx, j, attempt{})
	}
	why := Rejection{ReasonUndelivered, fmt.Sprintf("%s after %d attempts, the last one: %s", howMany(owed), j.state.Attempt, cause)}
	if j.message.Broadcast {
		return d.leaveBehind(ctx, j, owed, why)
	}
	return d.end(ctx, j, owed, why)
}

// end is the end of a chain in the dead-letter queue.
func (d *Deliverer) end(ctx context.Context, j *job, owed map[heliograph.UserID]debt, why Rejection) error {
	if err := d.deadLetter(ctx, j, j.next(owed).dead(), why); err != nil {
		return err
	}
	d.unclaimAll(ctx, j, owed)
	j.state.Tally.Failed += sizeOf(owed)
	return d.receipt(ctx, j)
}

// receipt publishes what became of the message, if that was wished. A receipt that can't be published is tried again as a
// message is: by a follow-up, which knows that nothing else is to be done.
func (d *Deliverer) receipt(ctx context.Context, j *job) error {
	if !j.message.Receipt {
		return nil
	}
	next := state{Attempt: 1, FirstSentAt: j.state.FirstSentAt, Settled: time.Now().UnixMilli(), Tally: j.state.Tally}
	if j.state.Settled > 0 {
		next.Attempt, next.Settled = j.state.Attempt, j.state.Settled
	}
	err := d.Receipts.Publish(ctx, next.receipt(j.message.ID))
	if err == nil {
		observability.Add(ctx, catalogue.ReceiptsPublished, 1)
		return nil
	}
	cause := "publishing the receipt: " + causeOf(err, statusOf(err))
	if next.Attempt >= maxAttempts {
		return d.deadLetter(ctx, j, next.dead(), Rejection{ReasonReceiptUnpublished, fmt.Sprintf("after %d attempts, the last one: %s", next.Attempt, cause)})
	}
	pause := pauses[next.Attempt-1]
	next.Attempt++
	return d.followUp(ctx, j, next, pause+rand.Int32N(pause/2+1), Failed, cause)
}

// receipt is what a settled message's receipt says.
func (s *state) receipt(id string) Receipt {
	r := Receipt{
		ID: id, Delivered: s.Tally.Delivered, Gone: s.Tally.Gone, Offline: s.Tally.Offline,
		Failed: s.Tally.Failed, Expired: s.Tally.Expired, At: time.UnixMilli(s.Settled),
	}
	if s.FirstSentAt > 0 {
		r.Latency = max(0, r.At.Sub(time.UnixMilli(s.FirstSentAt))) // clocks differ
	}
	return r
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
