package message

// Reason is the first word of a dead letter's RejectReason attribute. It is stable: consumers of the dead-letter
// queue may compare it. The detail after it is for people to read.
type Reason string

const (
	// ReasonMalformed: the message is invalid: not JSON, a wrong type, a field given twice, nested too deep, invalid
	// UTF-8.
	ReasonMalformed Reason = "malformed"
	// ReasonNoTarget: the message names no target.
	ReasonNoTarget Reason = "no-target"
	// ReasonSeveralTargets: the message names its target in more than one way.
	ReasonSeveralTargets Reason = "several-targets"
	// ReasonTooManyUsers: the message names more than [MaxUsers] users.
	ReasonTooManyUsers Reason = "too-many-users"
	// ReasonUserTooLong: a user id is longer than heliograph.MaxUserID.
	ReasonUserTooLong Reason = "user-id-too-long"
	// ReasonTooLarge: the body is larger than a WebSocket message may be, by our own count ([MaxBody]) or by API Gateway's
	// (413).
	ReasonTooLarge Reason = "body-too-large"
	// ReasonRefused: API Gateway rejected the body (400), or the table what the message names, so a retry would fail as
	// well.
	ReasonRefused Reason = "refused"
	// ReasonBadFollowUp: an attribute reserved for send was not written by send.
	ReasonBadFollowUp Reason = "bad-follow-up"
	// ReasonUndelivered: the last attempt failed as well.
	ReasonUndelivered Reason = "undelivered"
	// ReasonNoRoom: an attempt failed, and the state for its follow-up exceeds SQS's size limit.
	ReasonNoRoom Reason = "no-room-for-follow-up"
	// ReasonFollowUpRefused: an attempt failed, and SQS refused its follow-up for what is in it.
	ReasonFollowUpRefused Reason = "follow-up-refused"
	// ReasonReceiptUnpublished: the message itself has settled, but its receipt could not be published.
	ReasonReceiptUnpublished Reason = "receipt-unpublished"
	// ReasonCrash is never written: it stands for the missing reason of a message that the queue itself moved,
	// because send died each time it received it.
	ReasonCrash Reason = "crash"
)

// Rejection is the reason why a message goes to the dead-letter queue.
type Rejection struct {
	Reason Reason
	// Detail is plain English for the reader of the dead letter. It never quotes the body.
	Detail string
}

// String returns the value of the RejectReason attribute.
func (r Rejection) String() string { return string(r.Reason) + ": " + r.Detail }

// Reject returns a rejection.
func Reject(reason Reason, detail string) *Rejection {
	return &Rejection{Reason: reason, Detail: detail}
}

// Retryable reports whether a redrive may succeed: the delivery failed, but the message was not rejected.
func (r Rejection) Retryable() bool {
	switch r.Reason {
	case ReasonUndelivered, ReasonNoRoom, ReasonFollowUpRefused, ReasonReceiptUnpublished, ReasonCrash:
		return true
	default:
		return false
	}
}
