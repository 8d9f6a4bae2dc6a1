package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// do executes a step and returns its result. An error means that the record must go back to the queue.
func (d *Deliverer) do(ctx context.Context, j *job, s step) (event, error) {
	if s.warning != "" {
		j.log(ctx, &s.state).WarnContext(ctx, "a claim could not be marked", "cause", s.warning)
	}
	e := event{step: s}
	var err error
	switch s.action {
	case reachUsers:
		e.attempt = d.reachUsers(ctx, j, s)
	case reachPage:
		e.attempt = d.reachPage(ctx, j, s)
	case queueFollowUp, queuePage, queueShards:
		e.unqueued, err = d.queue(ctx, j, s)
	case writeDeadLetter:
		err = d.writeDeadLetter(ctx, j, s)
	case endClaims:
		d.endClaims(ctx, j, s)
	case publishReceipt:
		e.failure, e.final = d.publish(ctx, j, s)
	case finish:
		d.finish(ctx, j, s)
	}
	return e, err
}

// queue puts the message back on the queue: for the connections still owed, for the next page of a broadcast or for each
// shard of the online list, or for its receipt. The rejection says why SQS will never take it: it exceeds the limit, or was refused. Of several records
// the first ones may then be queued already; their users may be reached twice if the dead letter is redriven.
func (d *Deliverer) queue(ctx context.Context, j *job, s step) (*message.Rejection, error) {
	records := j.recordsOf(s)
	if len(records) == 0 {
		return message.Reject(message.ReasonNoRoom, s.cause), nil
	}
	ids, err := d.send(ctx, d.QueueURL, records, s.delay, "a "+string(s.action))
	switch {
	case message.Refused(err):
		return message.Reject(message.ReasonFollowUpRefused, s.cause+"; the queue answered "+causeOf(err)), nil
	case err != nil:
		return nil, err
	case s.action == queuePage:
		return nil, nil
	case s.action == queueShards:
		j.log(ctx, &s.state).InfoContext(ctx, "broadcast spread", "queuedAs", ids)
		return nil, nil
	}
	observability.Add(ctx, catalogue.FollowUpsQueued, float64(len(records)))
	observability.Annotate(ctx, "outcome", string(s.outcome))
	level := slog.LevelInfo
	if s.outcome == Failed {
		level = slog.LevelWarn
	}
	j.log(ctx, &s.state).Log(ctx, level, "follow-up queued", "outcome", s.outcome, "cause", s.cause,
		"owed", count(s.owed), "connectionIds", someOf(s.owed), "delaySeconds", s.delay, "queuedAs", ids)
	return nil, nil
}

// recordsOf returns the records that a step puts on the queue; none if one of them has no room.
func (j *job) recordsOf(s step) (records []*sqs.SendMessageInput) {
	if s.action != queueShards {
		return j.followUps(s.carries)
	}
	for number := range presence.Shards {
		s.carries.Shard = number + 1
		more := j.followUps(s.carries)
		if len(more) == 0 {
			return nil
		}
		records = append(records, more...)
	}
	return records
}

// leastQueue is the smallest limit that a queue can have, in bytes.
const leastQueue = 1024

// writeDeadLetter puts the message on the dead-letter queue, with the reason and the state of what is still owed. If SQS
// refuses the letter for what is in it, a short one without state and attributes takes its place.
func (d *Deliverer) writeDeadLetter(ctx context.Context, j *job, s step) error {
	what := "a dead letter (" + string(s.why.Reason) + ")"
	records := j.deadLetters(s.carries, s.why, s.state.Attempt)
	ids, err := d.send(ctx, d.DeadLetterQueueURL, records, 0, what)
	if message.Refused(err) {
		j.log(ctx, &s.state).ErrorContext(ctx, "a dead letter was refused, and is cut", "cause", causeOf(err))
		records = []*sqs.SendMessageInput{j.cut(message.DeadLetter{Rejection: s.why, Attempts: s.state.Attempt}, leastQueue)}
		ids, err = d.send(ctx, d.DeadLetterQueueURL, records, 0, what)
	}
	if err != nil {
		return err
	}
	outcome := Failed
	if !s.why.Retryable() {
		outcome = Rejected
		observability.Add(ctx, catalogue.MessagesRejected, float64(len(records)))
	}
	observability.Add(ctx, catalogue.MessagesDeadLettered, float64(len(records)))
	observability.Annotate(ctx, "outcome", string(outcome))
	j.log(ctx, &s.state).ErrorContext(ctx, "message dead-lettered", "outcome", outcome, "reason", s.why.Reason, "cause", s.why.Detail, "letters", len(records), "queuedAs", ids)
	return nil
}

// send puts records on a queue and returns their new ids.
func (d *Deliverer) send(ctx context.Context, url string, records []*sqs.SendMessageInput, delay int32, what string) (ids []string, err error) {
	for _, in := range records {
		in.QueueUrl, in.DelaySeconds = &url, delay
		if err := d.seal(ctx, in); err != nil {
			return ids, fmt.Errorf("queueing %s: %w", what, err)
		}
		out, err := d.Queue.SendMessage(ctx, in)
		if err != nil {
			return ids, fmt.Errorf("queueing %s: %w", what, err)
		}
		ids = append(ids, aws.ToString(out.MessageId))
	}
	return ids, nil
}

// endClaims ends the claims of users who are given up. A claim that can't be marked as done expires with its lease; a
// resend after that also reaches connections that already have the message.
func (d *Deliverer) endClaims(ctx context.Context, j *job, s step) {
	ctx, cancel := earlier(ctx, returnBefore/2) // leaves time for the receipt
	defer cancel()
	var ending sync.WaitGroup
	for user, owed := range s.owed {
		if d.users.Acquire(ctx, 1) != nil {
			break
		}
		ending.Go(func() {
			defer d.users.Release(1)
			_ = guard(ctx, func() error { // guard has logged the error
				if err := d.endClaim(ctx, j, recipient{user, owed}); err != nil {
					j.log(ctx, &s.state).WarnContext(ctx, "a claim could not be marked", "cause", causeOf(err))
				}
				return nil
			})
		})
	}
	ending.Wait()
}

// publish publishes the receipt, and returns the cause of a failure and whether it is final.
func (d *Deliverer) publish(ctx context.Context, j *job, s step) (failure string, final bool) {
	if err := d.Receipts.Publish(ctx, receiptOf(j.message.ID, s.carries)); err != nil {
		return because("publishing the receipt", err), message.Refused(err)
	}
	observability.Add(ctx, catalogue.ReceiptsPublished, 1)
	return "", false
}

// receiptOf returns the receipt of a settled message.
func receiptOf(id string, s message.State) Receipt {
	r := Receipt{
		ID: id, Delivered: s.Tally.Delivered, Gone: s.Tally.Gone, Offline: s.Tally.Offline,
		Failed: s.Tally.Failed, Expired: s.Tally.Expired, Kept: s.Tally.Kept, At: time.UnixMilli(s.Settled),
	}
	if s.FirstSentAt > 0 {
		r.Latency = max(0, r.At.Sub(time.UnixMilli(s.FirstSentAt))) // never negative, whatever the clock skew
	}
	return r
}

// finish records the outcome of a message. A plain delivery is not logged.
func (d *Deliverer) finish(ctx context.Context, j *job, s step) {
	switch s.outcome {
	case Expired:
		observability.Add(ctx, catalogue.MessagesExpired, 1)
	case Offline:
		observability.Add(ctx, catalogue.MessagesOffline, 1)
	}
	observability.Annotate(ctx, "outcome", string(s.outcome))
	if s.outcome != Delivered || s.state.Tally.Gone > 0 || s.state.Attempt > 1 || len(s.state.Owed) > 0 || j.message.Broadcast {
		j.log(ctx, &s.state).InfoContext(ctx, "message done", "outcome", s.outcome, "offline", s.state.Tally.Offline, "failed", s.state.Tally.Failed)
	}
}

// maxLogged is the most connection ids that a log line names.
const maxLogged = 10

// someOf returns up to maxLogged of the connections still owed, for a log line.
func someOf(owed map[heliograph.UserID]message.Owed) []heliograph.ConnectionID {
	some := make([]heliograph.ConnectionID, 0, maxLogged)
	for _, o := range owed {
		some = append(some, o.Connections[:min(len(o.Connections), maxLogged-len(some))]...)
	}
	return some
}
