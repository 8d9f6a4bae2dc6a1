package message

// Reason is the first word of a dead letter's RejectReason attribute. It is stable: consumers of the dead-letter queue may
// compare it. The detail after it is for people.
type Reason string

const (
	// ReasonMalformed: the message is not what a producer should send: not JSON, a wrong type, a field given twice, nested
	// too deep, invalid UTF-8.
	ReasonMalformed Reason = "malformed"
	// ReasonNoTarget: the message does not say whom it is for.
	ReasonNoTarget Reason = "no-target"
	// ReasonSeveralTargets: the message says in more than one way whom it is for.
	ReasonSeveralTargets Reason = "several-targets"
	// ReasonTooManyUsers: the message names more than [MaxUsers] users.
	ReasonTooManyUsers Reason = "too-many-users"
	// ReasonUserTooLong: a user id is longer than heliograph.MaxUserID.
	ReasonUserTooLong Reason = "user-id-too-long"
	// ReasonTooLarge: the body is larger than a WebSocket message may be, by our own count ([MaxBody]) or by API Gateway's
	// (413).
	ReasonTooLarge Reason = "body-too-large"
	// ReasonRefused: API Gateway did not accept the body (400), so it never will.
	ReasonRefused Reason = "refused"
	// ReasonBadFollowUp: an attribute of send's own was not written by send.
	ReasonBadFollowUp Reason = "bad-follow-up"
	// ReasonUndelivered: the last attempt failed, too.
	ReasonUndelivered Reason = "undelivered"
	// ReasonNoRoom: an attempt failed, and what a follow-up would have to say exceeds what SQS takes.
	ReasonNoRoom Reason = "no-room-for-follow-up"
	// ReasonReceiptUnpublished: the message itself has settled, but its receipt could not be published.
	ReasonReceiptUnpublished Reason = "receipt-unpublished"
	// ReasonCrash is never written: it stands for the reason that is missing when the queue itself moved the message,
	// because send died each time it was given it.
	ReasonCrash Reason = "crash"
)

// Rejection says why a message goes to the dead-letter queue.
type Rejection struct {
	Reason Reason
	// Detail is plain English for whoever reads the dead letter. It never holds any of the body.
	Detail string
}

// String is the value of the RejectReason attribute.
func (r Rejection) String() string { return string(r.Reason) + ": " + r.Detail }

// Reject returns a rejection.
func Reject(reason Reason, detail string) *Rejection {
	return &Rejection{Reason: reason, Detail: detail}
}

// Retryable reports whether the message could be delivered later: it was not rejected, it only failed.
func (r Rejection) Retryable() bool {
	switch r.Reason {
	case ReasonUndelivered, ReasonNoRoom, ReasonReceiptUnpublished, ReasonCrash:
		return true
	default:
		return false
	}
}
