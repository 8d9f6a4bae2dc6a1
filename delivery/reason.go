package delivery

// Reason is the stable first word of a dead letter's RejectReason attribute. Consumers of the
// dead-letter queue may compare it; the detail behind it is for people.
type Reason string

const (
	// ReasonMalformed: the message is not what a producer should send: no JSON, a wrong type, a field
	// given twice, nested too deep, invalid UTF-8.
	ReasonMalformed Reason = "malformed"
	// ReasonNoTarget: the message names nobody it should go to.
	ReasonNoTarget Reason = "no-target"
	// ReasonSeveralTargets: the message names its target in more than one way.
	ReasonSeveralTargets Reason = "several-targets"
	// ReasonTooManyUsers: the message names more than [MaxUsers] users.
	ReasonTooManyUsers Reason = "too-many-users"
	// ReasonUserTooLong: the user id is longer than [heliograph.MaxUserID].
	ReasonUserTooLong Reason = "user-id-too-long"
	// ReasonTooLarge: the body is larger than a WebSocket message may be, by our own count ([MaxBody])
	// or by API Gateway's (413).
	ReasonTooLarge Reason = "body-too-large"
	// ReasonRefused: API Gateway did not accept the body (400), so it never will.
	ReasonRefused Reason = "refused"
	// ReasonBadFollowUp: the HeliographRetry attribute is not one that this package wrote.
	ReasonBadFollowUp Reason = "bad-follow-up"
	// ReasonUndelivered: the last attempt failed, too.
	ReasonUndelivered Reason = "undelivered"
	// ReasonNoRoom: an attempt failed, and message and follow-up state together exceed what SQS takes.
	ReasonNoRoom Reason = "no-room-for-follow-up"
	// ReasonReceiptUnpublished: the message itself is settled, but its receipt could not be published.
	ReasonReceiptUnpublished Reason = "receipt-unpublished"
)

// Rejection says why a message goes to the dead-letter queue.
type Rejection struct {
	Reason Reason
	// Detail is plain English for the one who reads the dead letter. It never holds any of the body.
	Detail string
}

// String is the RejectReason attribute's value.
func (r Rejection) String() string { return string(r.Reason) + ": " + r.Detail }

func reject(reason Reason, detail string) *Rejection {
	return &Rejection{Reason: reason, Detail: detail}
}

// outcome tells a message that can never be delivered from one that only was not.
func (r Rejection) outcome() Outcome {
	switch r.Reason {
	case ReasonUndelivered, ReasonNoRoom, ReasonReceiptUnpublished:
		return Failed
	default:
		return Rejected
	}
}
