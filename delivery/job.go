package delivery

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph"
	"heliograph/message"
	"heliograph/observability"
)

// Record is one message as received from the queue.
type Record struct {
	// ID is SQS's message id, which Deliver returns for records that go back to the queue.
	ID string
	// Body is the text of the message, see message.Parse.
	Body string
	// SentAt is SQS's SentTimestamp; zero if unknown.
	SentAt time.Time
	// Attributes are the message attributes. The producer's own travel along with follow-ups and dead letters.
	Attributes map[string]types.MessageAttributeValue
	// Group is SQS's MessageGroupId, which names the producer's tenant in a fair queue. It travels along.
	Group string
	// TraceHeader is SQS's AWSTraceHeader, which names the trace in which the producer sent the message. It travels
	// along as well.
	TraceHeader string
}

// job is one record being processed. Nothing in it changes: its progress is in the steps of plan.
type job struct {
	record  *Record
	message message.Message // zero if it was rejected
	state   message.State   // as the record carried it
	token   string          // token under which this attempt claims a message with an Id
	// rejection is the reason why the record can't be delivered; nil if it can.
	rejection *message.Rejection
}

// open reads a record whose seal has been verified: its message, and the results of earlier attempts.
func open(r *Record, now time.Time) *job {
	j := &job{record: r}
	if j.state, j.rejection = readState(r, now); j.rejection != nil {
		return j
	}
	if j.message, j.rejection = readMessage(r); j.rejection != nil {
		return j
	}
	if j.message.ID != "" {
		j.token = rand.Text()[:12]
	}
	if j.rejection = j.state.Bind(j.message.Users); j.rejection == nil && len(j.state.Owed) > 0 && len(j.recipients()) == 0 {
		j.rejection = message.Reject(message.ReasonBadFollowUp, "the follow-up owes the message only to users that it does not name")
	}
	return j
}

// readMessage parses the record's message, whose body may travel beside it in an attribute.
func readMessage(r *Record) (message.Message, *message.Rejection) {
	if aside, ok := r.Attributes[message.BodyAttribute]; ok {
		return message.ParseAside(r.Body, aside.BinaryValue)
	}
	return message.Parse(r.Body)
}

// readState reads what a record carries from earlier attempts: the HeliographRetry of a follow-up, or the
// HeliographOwed of a redriven dead letter. A record with neither makes its first attempt.
func readState(r *Record, now time.Time) (message.State, *message.Rejection) {
	first := firstState(r)
	name, label, ok := labelOf(r)
	if !ok {
		return first, nil
	}
	s, rejection := message.ParseState(name, label, now)
	if rejection != nil {
		return first, rejection
	}
	s.FirstSentAt = cmp.Or(s.FirstSentAt, first.FirstSentAt)
	return s, nil
}

// firstState is the state of a record that makes its first attempt.
func firstState(r *Record) message.State {
	return message.State{Attempt: 1, FirstSentAt: unixMilli(r.SentAt)}
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// recipient is a user and what that user is still owed.
type recipient struct {
	user heliograph.UserID // "" for a message to a connection id
	owed message.Owed
}

// recipients returns the users that this attempt has to reach: all that the message names, or those still owed.
func (j *job) recipients() []recipient {
	users := j.message.Users
	switch {
	case j.message.Broadcast:
		users = slices.Sorted(maps.Keys(j.state.Owed))
	case j.message.Connection != "":
		users = []heliograph.UserID{""}
	}
	recipients := make([]recipient, 0, len(users))
	for _, user := range users {
		owed, ok := j.state.Owed[user]
		if ok || len(j.state.Owed) == 0 {
			recipients = append(recipients, recipient{user, owed})
		}
	}
	return recipients
}

// target returns the target under which the message is claimed for a user.
func (j *job) target(user heliograph.UserID) Target {
	if j.message.Connection != "" {
		return connectionTarget(j.message.Connection)
	}
	return userTarget(user)
}

// owner returns the owner of a recipient's claim in this attempt.
func (j *job) owner(r recipient) Owner {
	return Owner{Token: j.token, After: cmp.Or(r.owed.Holder, j.state.Holder, nobody)}
}

// frame returns the message as clients of heliograph.v1 receive it.
func (j *job) frame() message.Frame {
	return j.message.Frame(cmp.Or(j.message.ID, j.id(&j.state)), j.sent())
}

// id is what clients of heliograph.v1 tell copies of a message by, if its producer named none: the name of the record that was
// framed first.
func (j *job) id(s *message.State) string { return cmp.Or(s.ID, j.record.ID) }

// sent returns when the producer sent the message; zero if that is unknown.
func (j *job) sent() time.Time {
	if j.state.FirstSentAt == 0 {
		return time.Time{}
	}
	return time.UnixMilli(j.state.FirstSentAt)
}

// nobody is a token that belongs to no attempt.
const nobody = "-"

// firstSent returns when the producer sent the message, or now if that is unknown.
func (j *job) firstSent() time.Time {
	if sent := j.sent(); !sent.IsZero() {
		return sent
	}
	return time.Now()
}

// annotate puts the message's ids on its span, so that its journey can be found: most deliveries leave no log line.
// X-Ray allows 50 annotations per trace, and a batch of ten messages stays below that.
func (j *job) annotate(ctx context.Context) {
	observability.Annotate(ctx, "messageId", j.record.ID)
	if j.message.ID != "" {
		observability.Annotate(ctx, "id", j.message.ID)
	}
	if j.state.Attempt > 1 {
		observability.Annotate(ctx, "attempt", strconv.Itoa(j.state.Attempt))
	} else if j.state.FirstSentAt > 0 {
		observability.Annotate(ctx, "sentAt", strconv.FormatInt(j.state.FirstSentAt, 10))
	}
}

// log returns the logger for lines about this message in a given state: it adds the ids and the tallies, never the
// body.
func (j *job) log(ctx context.Context, s *message.State) *slog.Logger {
	l := observability.Log(ctx).With("messageId", j.record.ID, "attempt", s.Attempt,
		"delivered", s.Tally.Delivered, "gone", s.Tally.Gone)
	switch {
	case len(j.message.Users) == 1:
		l = l.With("userHash", observability.HashUser(string(j.message.Users[0])))
	case len(j.message.Users) > 1:
		l = l.With("users", len(j.message.Users))
	case j.message.Connection != "":
		l = l.With("connectionId", j.message.Connection)
	}
	if j.message.ID != "" {
		l = l.With("id", j.message.ID)
	}
	return l
}
