package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"heliograph/simulator/wire"
)

// MessageID is the id of a message, a UUID; it stays the same in a dead-letter queue.
type MessageID string

// MessageAttribute is a sender's attribute of a message. DataType is String, Number or Binary, optionally followed by a
// dot and a label; a Binary one has a BinaryValue, the others a StringValue.
type MessageAttribute struct {
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
	DataType    string
}

// Outgoing is a message to be sent.
type Outgoing struct {
	// Body is 1 byte to what the queue's MaximumMessageSize allows, attributes included.
	Body string
	// Attributes: at most 10.
	Attributes map[string]MessageAttribute
	// Delay initially hides the message, in whole seconds up to 900; nil: the queue's own delay.
	Delay *time.Duration
	// TraceHeader is the system attribute AWSTraceHeader; empty for none.
	TraceHeader string
	// Group is the MessageGroupId, which on a standard queue names the tenant that a fair queue is fair to; nil for none.
	Group *string
	// SenderID is the system attribute SenderId.
	SenderID string
}

// Sent is the receipt for a message. The checksums are MD5 in hex; those of attributes are empty if there are none.
type Sent struct {
	MessageID             MessageID `json:"MessageId"`
	MD5OfBody             string    `json:"MD5OfMessageBody"`
	MD5OfAttributes       string    `json:"MD5OfMessageAttributes,omitempty"`
	MD5OfSystemAttributes string    `json:"MD5OfMessageSystemAttributes,omitempty"`
}

// Message is a received message.
type Message struct {
	MessageID     MessageID `json:"MessageId"`
	ReceiptHandle string
	MD5OfBody     string
	Body          string
	// Attributes are the system attributes: SenderId, SentTimestamp and ApproximateFirstReceiveTimestamp (Unix
	// milliseconds), ApproximateReceiveCount, and AWSTraceHeader, MessageGroupId and DeadLetterQueueSourceArn where
	// they apply.
	Attributes             map[string]string           `json:",omitempty" query:"Attribute"`
	MD5OfMessageAttributes string                      `json:",omitempty"`
	MessageAttributes      map[string]MessageAttribute `json:",omitempty" query:"MessageAttribute"`
}

// Again is the message as its sender could send it once more. Its attributes are a copy.
func (m Message) Again() Outgoing {
	out := Outgoing{Body: m.Body, Attributes: maps.Clone(m.MessageAttributes), TraceHeader: m.Attributes[traceHeader]}
	if group, ok := m.Attributes[groupAttribute]; ok {
		out.Group = &group
	}
	return out
}

// size counts towards the size limit: the body, and each attribute's name, type and value. AWS does not say whether the
// group counts, too; here it does.
func (o Outgoing) size() int {
	n := len(o.Body)
	if o.Group != nil {
		n += len(*o.Group)
	}
	for name, a := range o.Attributes {
		n += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

// check checks everything about a message except its size.
func (o Outgoing) check() error {
	if o.Body == "" {
		return errMissing("MessageBody")
	}
	if r, ok := badRune(o.Body); !ok {
		return errContents(r)
	}
	if len(o.Attributes) > 10 {
		return errInvalid("Number of message attributes [%d] exceeds the allowed maximum [10].", len(o.Attributes))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		if err := checkAttribute(name, o.Attributes[name]); err != nil {
			return err
		}
	}
	if o.Group != nil && !groupID.MatchString(*o.Group) {
		return errValue(*o.Group, groupAttribute, "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	if o.Delay != nil && (*o.Delay < 0 || *o.Delay > 900*time.Second) {
		return errValue(int(o.Delay.Seconds()), "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
	}
	return nil
}

// groupID matches a MessageGroupId: printable ASCII without the space. Source: API_SendMessage.
var groupID = regexp.MustCompile(`^[!-~]{1,128}$`)

// badRune finds the first character that SQS does not accept: it accepts those of XML 1.0. Source: API_SendMessage.
func badRune(text string) (rune, bool) {
	for i, r := range text {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0x10000:
		case r >= 0xE000 && r <= 0xFFFD:
			// A byte that is not UTF-8 decodes to U+FFFD with a width of one.
			if _, n := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && n == 1 {
				return rune(text[i]), false
			}
		default:
			return r, false
		}
	}
	return 0, true
}

// attributeName matches the characters of a name; checkAttribute has the other rules.
var attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)

// reservedName matches names reserved for AWS's own attributes.
var reservedName = regexp.MustCompile(`(?i)^(aws|amazon)\.`)

// checkAttribute checks a message attribute. Source: the developer guide, "Amazon SQS message metadata".
func checkAttribute(name string, a MessageAttribute) error {
	kind, label, labelled := strings.Cut(a.DataType, ".")
	switch {
	case !attributeName.MatchString(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return errInvalid("Message (user) attribute name %q is not valid.", name)
	case reservedName.MatchString(name):
		return errInvalid("Message (user) attribute name %q can't start with a reserved prefix: AWS. or Amazon.", name)
	case a.DataType == "":
		return errInvalid("The message (user) attribute '%s' must contain a non-empty message attribute type.", name)
	case len(a.DataType) > 256 || labelled && label == "" || kind != "String" && kind != "Number" && kind != "Binary":
		return errInvalid("The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
	case kind == "Binary" && a.StringValue != "" || kind != "Binary" && len(a.BinaryValue) > 0:
		return errInvalid("The message (user) attribute '%s' has a value that does not belong to its type '%s'.", name, a.DataType)
	case a.StringValue == "" && len(a.BinaryValue) == 0:
		return errInvalid("The message (user) attribute '%s' must contain a non-empty value of type '%s'.", name, kind)
	case kind == "Number" && !isNumber(a.StringValue):
		return errInvalid("Can't cast the value of message (user) attribute '%s' to a number.", name)
	}
	for _, text := range []string{a.DataType, a.StringValue} {
		if r, ok := badRune(text); !ok {
			return errContents(r)
		}
	}
	return nil
}

// isNumber reports whether SQS accepts a text as a number: up to 38 digits, between -10^128 and 10^126.
func isNumber(text string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, mantissa)
	if len(digits) == 0 || len(strings.TrimLeft(digits, "0")) > 38 || strings.ContainsAny(text, "xXpP_nN") {
		return false
	}
	value, err := strconv.ParseFloat(text, 64)
	return err == nil && value >= -1e128 && value <= 1e126
}

// md5Of is the checksum of a text; SQS uses MD5 to detect corruption, not for security.
func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// md5OfAttributes is SQS's checksum of attributes, which clients recompute: over each attribute in order of name, its
// name, type, a byte for the kind of value, and value, with lengths as 4 bytes, big endian. Source: the developer
// guide, "Calculating the MD5 message digest".
func md5OfAttributes(attributes map[string]MessageAttribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	add := func(text string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		add(name)
		add(a.DataType)
		if strings.HasPrefix(a.DataType, "Binary") {
			b = append(b, 2)
			add(string(a.BinaryValue))
		} else {
			b = append(b, 1)
			add(a.StringValue)
		}
	}
	return md5Of(string(b))
}

// md5OfTraceHeader is the checksum of the only system attribute that can be sent.
func md5OfTraceHeader(header string) string {
	if header == "" {
		return ""
	}
	return md5OfAttributes(map[string]MessageAttribute{traceHeader: {DataType: "String", StringValue: header}})
}

// System attributes that a sender may set.
const (
	traceHeader    = "AWSTraceHeader"
	groupAttribute = "MessageGroupId"
)

// message is a message in a queue.
type message struct {
	id        MessageID
	out       Outgoing
	md5OfBody string
	sent      time.Time
	// source is the ARN of the queue from which the message was moved here, as a dead letter.
	source string

	receives      int // over all queues
	receivesHere  int
	firstReceived time.Time
	received      time.Time
	receipt       uint64 // the number of the newest receive, whose handle alone can delete

	asked bool      // whether to deliver it again
	again time.Time // when to deliver it again; zero if not planned, or done

	// arrived is when the message entered this queue: later than sent for a dead letter.
	arrived   time.Time
	visibleAt time.Time
	sequence  uint64 // orders messages that become visible at the same time
	pile      *pile
	index     int // in the pile
}

// delayed reports whether the message has never been receivable; a message hidden for any other reason is in flight.
func (m *message) delayed() bool { return m.receives == 0 }

// show returns the message as its receiver sees it.
func (m *message) show(handle string) Message {
	attributes := map[string]string{
		"SenderId":                         m.out.SenderID,
		"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.receives),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.firstReceived.UnixMilli(), 10),
	}
	if m.out.TraceHeader != "" {
		attributes[traceHeader] = m.out.TraceHeader
	}
	if m.out.Group != nil {
		attributes[groupAttribute] = *m.out.Group
	}
	if m.source != "" {
		attributes["DeadLetterQueueSourceArn"] = m.source
	}
	return Message{
		MessageID: m.id, ReceiptHandle: handle, MD5OfBody: m.md5OfBody, Body: m.out.Body, Attributes: attributes,
		MD5OfMessageAttributes: md5OfAttributes(m.out.Attributes), MessageAttributes: maps.Clone(m.out.Attributes),
	}
}

// tooLong is the error of a message over a queue's limit.
func tooLong(limit int) *wire.Error {
	return errInvalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", limit)
}
