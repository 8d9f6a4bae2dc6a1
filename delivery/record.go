package delivery

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// The message attributes that this package writes. They are its own: a producer's attributes of these
// names do not travel along.
const (
	retryAttribute    = "HeliographRetry" // on follow-ups, see state
	owedAttribute     = "HeliographOwed"  // on dead letters of which something is still owed, see state
	reasonAttribute   = "RejectReason"    // on dead letters: "<Reason>: <detail>"
	attemptsAttribute = "Attempts"        // on dead letters: how many attempts were made
	cutAttribute      = "CutFrom"         // on dead letters whose body is not whole: how many bytes it had
)

// Bounds of SQS. Sources: the SQS quotas page; the size counts the body and each attribute's name, type and
// value.
const (
	maxQueued     = 256 << 10 // bytes of one message, as the queues of the stack are declared
	maxAttributes = 10
	// maxForeign is how many attributes of the producer travel along with follow-ups, which have one of ours. Dead letters
	// have three, so they take one less.
	maxForeign     = 8
	maxForeignDead = maxAttributes - 3
)

// Record is one message as it came off the queue.
type Record struct {
	// ID is SQS's message id, which Deliver returns for records that go back to the queue.
	ID string
	// Body is the text of the message, see Parse.
	Body string
	// SentAt is SQS's SentTimestamp; zero if it is not known.
	SentAt time.Time
	// Attributes are the message attributes. Those that this package does not know travel along with
	// follow-ups and dead letters.
	Attributes map[string]types.MessageAttributeValue
	// TraceHeader is SQS's AWSTraceHeader, which names the trace that the producer sent the message in. It
	// travels along, too.
	TraceHeader string
}

// errNoRoom is why a failed message goes back that is too large even for a dead letter.
var errNoRoom = errors.New("message and reason exceed what the dead-letter queue takes")

// followUp is the record once more, with what is known by now.
func (r *Record) followUp(s *state, delay int32) *sqs.SendMessageInput {
	in := r.again(r.Body, r.foreign(maxForeign))
	in.DelaySeconds = delay
	in.MessageAttributes[retryAttribute] = stringAttribute(s.text())
	return in
}

// deadLetter is the record as the dead-letter queue keeps it: the message as it came, the reason, how many attempts were
// made, and what is still owed. Where that is more than SQS takes, the producer's attributes stay behind, and then what
// is owed: such a letter is not whole. Where it still is, a rejected message is cut, since it could not be delivered as it
// is anyway. A message that only failed is never cut: it goes back, until the queue itself moves it whole.
func (r *Record) deadLetter(why Rejection, attempts int, owed *state) (in *sqs.SendMessageInput, whole bool, err error) {
	body := strings.ToValidUTF8(r.Body, "\uFFFD") // SQS takes nothing else
	in = r.again(body, r.foreign(maxForeignDead))
	in.MessageAttributes[reasonAttribute] = stringAttribute(why.String())
	in.MessageAttributes[attemptsAttribute] = numberAttribute(attempts)
	if owed.says() {
		in.MessageAttributes[owedAttribute] = stringAttribute(owed.text())
	}
	if size(in) > maxQueued {
		maps.DeleteFunc(in.MessageAttributes, func(name string, _ types.MessageAttributeValue) bool { return !slices.Contains(ours, name) })
	}
	if size(in) <= maxQueued {
		return in, true, nil
	}
	if delete(in.MessageAttributes, owedAttribute); size(in) <= maxQueued {
		return in, false, nil
	}
	if why.outcome() == Failed {
		return nil, false, errNoRoom
	}
	in.MessageAttributes[cutAttribute] = numberAttribute(len(r.Body))
	in.MessageBody = aws.String(cut(body, maxQueued-size(in)+len(body)))
	return in, false, nil
}

// again is a message with this body and these attributes, in the producer's trace.
func (r *Record) again(body string, attributes map[string]types.MessageAttributeValue) *sqs.SendMessageInput {
	in := &sqs.SendMessageInput{MessageBody: &body, MessageAttributes: attributes}
	if r.TraceHeader != "" {
		in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {
				DataType: aws.String("String"), StringValue: &r.TraceHeader,
			},
		}
	}
	return in
}

// ours are the attributes that do not travel along.
var ours = []string{retryAttribute, owedAttribute, reasonAttribute, attemptsAttribute, cutAttribute}

// foreign are the producer's own attributes, the first most by name.
func (r *Record) foreign(most int) map[string]types.MessageAttributeValue {
	foreign := make(map[string]types.MessageAttributeValue, len(r.Attributes)+len(ours))
	maps.Copy(foreign, r.Attributes)
	for _, name := range ours {
		delete(foreign, name)
	}
	if len(foreign) > most {
		for _, name := range slices.Sorted(maps.Keys(foreign))[most:] {
			delete(foreign, name)
		}
	}
	return foreign
}

// size is what a message counts for SQS.
func size(in *sqs.SendMessageInput) int {
	n := len(*in.MessageBody)
	for name, a := range in.MessageAttributes {
		n += len(name) + len(aws.ToString(a.DataType)) + len(aws.ToString(a.StringValue)) + len(a.BinaryValue)
	}
	return n
}

// cut is the start of a valid UTF-8 text, at most n bytes of it and no half character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func stringAttribute(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
}

func numberAttribute(n int) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("Number"), StringValue: aws.String(strconv.Itoa(n))}
}
