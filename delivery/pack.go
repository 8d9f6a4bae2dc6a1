package delivery

import (
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph"
	"heliograph/message"
)

// Bounds of SQS. Source: the SQS quotas page; the size counts the body and each attribute's name, type and value.
const (
	maxQueued     = heliograph.MaxQueued // bytes of one message
	maxAttributes = 10
)

// A record goes back to a queue together with the state known so far. There is always room for that, however full the
// record is, since the first of these forms that fits is used:
//
//  1. the unchanged text, with the producer's attributes;
//  2. the unchanged text, without them;
//  3. the message written anew: it names only users who are still owed, it has only the known fields, and its body
//     travels beside it as plain bytes, so that escapes take no room;
//  4. two such messages, each to half of the users who are owed, and so on.
//
// The third form exceeds the size of the record itself by no more than the state of the users it names, and a single
// user has over 120 KB of room for that: TestRoomForOneUser.

type attributes = map[string]types.MessageAttributeValue

// packing defines how a state is turned into records.
type packing struct {
	// label returns the attributes that carry a state, with room for its seal.
	label func(message.State) attributes
	// split allows more than one record.
	split bool
	// forget allows a record to owe everything to a user whose connections don't fit into any record.
	forget bool
}

// followUps returns the records of a follow-up: one, or several if one has no room for everything and no receipt
// would have to add them up again. It returns none if there is no room.
func (j *job) followUps(s message.State) []*sqs.SendMessageInput {
	return j.pack(s, packing{split: !j.message.Receipt, label: func(s message.State) attributes {
		return attributes{message.RetryAttribute: stringAttribute(s.Label())}
	}})
}

// deadLetters returns the records of a dead letter: one, or several that each name some of the users who are owed.
func (j *job) deadLetters(s message.State, why message.Rejection, attempts int) []*sqs.SendMessageInput {
	letter := message.DeadLetter{Rejection: why, Attempts: attempts}
	records := j.pack(s, packing{split: true, forget: true, label: func(s message.State) attributes {
		all := attributesOf(letter)
		if s.Says() {
			all[message.OwedAttribute] = stringAttribute(s.Label())
		}
		return all
	}})
	if len(records) == 0 {
		records = append(records, j.cut(letter, maxQueued))
	}
	return records
}

// pack returns the records in the first form that fits; see above. It returns none if no form fits.
func (j *job) pack(s message.State, p packing) []*sqs.SendMessageInput {
	for _, form := range []func(message.State, packing) *sqs.SendMessageInput{j.asItCame, j.withoutForeign, j.anew} {
		if in := form(s, p); in != nil && size(in) <= maxQueued {
			return []*sqs.SendMessageInput{in}
		}
	}
	one, other, ok := j.halves(s)
	switch {
	case ok && p.split:
		ones, others := j.pack(one, p), j.pack(other, p)
		if len(ones) == 0 || len(others) == 0 {
			return nil
		}
		return append(ones, others...)
	case !ok && p.forget && j.readable():
		return []*sqs.SendMessageInput{j.anew(forgotten(s), p)}
	}
	return nil
}

// forgotten returns a state without the ids of connections.
func forgotten(s message.State) message.State {
	owed := make(map[heliograph.UserID]message.Owed, len(s.Owed))
	for user, o := range s.Owed {
		owed[user] = message.Owed{Holder: o.Holder, Kept: o.Kept}
	}
	s.Owed = owed
	return s
}

// readable reports whether the record holds a message, so that it can be written anew.
func (j *job) readable() bool { return j.message.Body != nil }

// asItCame is the first form: the record's text with its producer's attributes, as many as SQS allows, in the order
// of their names.
func (j *job) asItCame(s message.State, p packing) *sqs.SendMessageInput {
	in := j.withoutForeign(s, p)
	foreign := maps.Clone(j.record.Attributes)
	maps.DeleteFunc(foreign, func(name string, _ types.MessageAttributeValue) bool { return message.Own(name) })
	names := slices.Sorted(maps.Keys(foreign))
	for _, name := range names[:min(len(names), maxAttributes-reserved(in))] {
		in.MessageAttributes[name] = foreign[name]
	}
	return in
}

// reserved returns how many attributes are kept free for ours: two in a follow-up, even if it lacks the body's; in a
// dead letter at least three, or as many as are set.
func reserved(in *sqs.SendMessageInput) int {
	if _, followUp := in.MessageAttributes[message.RetryAttribute]; followUp {
		return 2
	}
	return max(3, len(in.MessageAttributes))
}

// withoutForeign is the second form: the record's text without its producer's attributes.
func (j *job) withoutForeign(s message.State, p packing) *sqs.SendMessageInput {
	// A text that SQS delivered, it accepts again. Any other comes from a function that was invoked by hand.
	in := j.again(message.Sendable(j.record.Body), p.label(s))
	if aside, ok := j.record.Attributes[message.BodyAttribute]; ok {
		in.MessageAttributes[message.BodyAttribute] = aside
	}
	return in
}

// anew is the third form: the message written anew, nil if the record holds none.
func (j *job) anew(s message.State, p packing) *sqs.SendMessageInput {
	if !j.readable() {
		return nil
	}
	m := j.message
	if len(m.Users) > 0 {
		m, s = s.Narrow(m)
	}
	if len(m.Body) == 0 {
		return j.again(m.Text(), p.label(s)) // SQS does not accept an empty attribute
	}
	in := j.again(m.TextAside(), p.label(s))
	in.MessageAttributes[message.BodyAttribute] = types.MessageAttributeValue{DataType: aws.String("Binary"), BinaryValue: m.Body}
	return in
}

// halves splits the state in two, each with half of the users who are owed. All other knowledge stays with the
// second.
func (j *job) halves(s message.State) (one, other message.State, ok bool) {
	owed := s.Owed
	if len(owed) == 0 { // all users are owed everything
		owed = map[heliograph.UserID]message.Owed{}
		for _, user := range j.message.Users {
			owed[user] = message.Owed{}
		}
	}
	users := slices.Sorted(maps.Keys(owed))
	if len(users) < 2 || s.Settled > 0 {
		return s, s, false
	}
	one, other = s, s
	one.Owed, other.Owed = map[heliograph.UserID]message.Owed{}, map[heliograph.UserID]message.Owed{}
	for i, user := range users {
		if i < len(users)/2 {
			one.Owed[user] = owed[user]
		} else {
			other.Owed[user] = owed[user]
		}
	}
	one.Tally, one.Cursor, one.Listed, one.Paused, one.OwedSince = message.Tally{}, "", true, false, 0
	return one, other, true
}

// cut returns a dead letter of at most so many bytes, with the beginning of the text and its reason alone. It is for a
// text that is not a message and is too large once the reason is added, and for one whose letter SQS refuses.
func (j *job) cut(letter message.DeadLetter, most int) *sqs.SendMessageInput {
	text := message.Sendable(j.record.Body)
	letter.CutFrom = len(j.record.Body) + len(j.record.Attributes[message.BodyAttribute].BinaryValue)
	in := j.again("", attributesOf(letter))
	in.MessageBody = aws.String(start(text, most-size(in)))
	return in
}

// again returns a record with this text and these attributes, of the producer's group and in its trace.
func (j *job) again(text string, own attributes) *sqs.SendMessageInput {
	in := &sqs.SendMessageInput{MessageBody: &text, MessageAttributes: own}
	if j.record.Group != "" {
		in.MessageGroupId = &j.record.Group
	}
	if j.record.TraceHeader != "" {
		in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {
				DataType: aws.String("String"), StringValue: &j.record.TraceHeader,
			},
		}
	}
	return in
}

// size returns the size of a record as SQS counts it. AWS does not say whether the group counts, so it does here.
func size(in *sqs.SendMessageInput) int {
	n := len(*in.MessageBody) + len(aws.ToString(in.MessageGroupId))
	for name, a := range in.MessageAttributes {
		n += len(name) + len(aws.ToString(a.DataType)) + len(aws.ToString(a.StringValue)) + len(a.BinaryValue)
	}
	return n
}

// start returns the beginning of a valid UTF-8 text, at most n bytes, ending at a whole character.
func start(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func attributesOf(letter message.DeadLetter) attributes {
	all := make(attributes, maxAttributes)
	for _, a := range letter.Attributes() {
		all[a.Name] = types.MessageAttributeValue{DataType: &a.Type, StringValue: aws.String(message.Sendable(a.Value))}
	}
	return all
}

func stringAttribute(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
}
