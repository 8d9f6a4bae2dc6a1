package sns

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"heliograph/simulator/wire"
)

// Attribute is a message attribute: DataType String, String.Array, Number or Binary, optionally followed by a dot and a
// label. A Binary one has a BinaryValue, the others a StringValue.
type Attribute struct {
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
	DataType    string
}

// binary reports which of the two values counts.
func (a Attribute) binary() bool { return strings.HasPrefix(a.DataType, "Binary") }

// Publication is a message to be published.
type Publication struct {
	// Message is 1 to 262,144 bytes, attributes included.
	Message string
	// Subject is at most 100 printable ASCII characters; empty for none.
	Subject string
	// PerProtocol means that Message is a JSON object with a text for each protocol and one called "default"
	// (MessageStructure "json" of the API).
	PerProtocol bool
	// Attributes: at most 10.
	Attributes map[string]Attribute
}

// maxSize is the largest message. Source: "Amazon SNS quotas".
const maxSize = 262144

// size counts towards the size limit: the message, and each attribute's name, type and value.
func (p Publication) size() int {
	n := len(p.Message)
	for name, a := range p.Attributes {
		n += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

// check checks a publication.
func (p Publication) check() error {
	switch {
	case p.Message == "":
		return errInvalid("Message", "Empty message")
	case !carried(p.Message):
		return errInvalid("Message", "it has characters that can't be delivered")
	case p.size() > maxSize:
		return errInvalid("Message", "Message too long")
	case !validSubject(p.Subject):
		return errInvalid("Subject", "at most 100 printable ASCII characters, the first no space")
	case len(p.Attributes) > 10:
		return errInvalid("MessageAttributes", "at most 10, not %d", len(p.Attributes))
	}
	if p.PerProtocol {
		texts, err := p.perProtocol()
		if err != nil {
			return err
		}
		for _, text := range texts {
			if !carried(text) {
				return errInvalid("Message Structure", "it has characters that can't be delivered")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		if err := checkAttribute(name, p.Attributes[name]); err != nil {
			return err
		}
	}
	return nil
}

// carried reports whether a text is UTF-8 of XML's characters alone, which is all that queues take. AWS documents only
// UTF-8; a message beyond that would be accepted, or not, and reach no queue.
func carried(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

// validSubject reports whether a subject is valid. The limits come from e-mail, where it becomes the subject line.
// Source: API_Publish.
func validSubject(subject string) bool {
	return len(subject) <= 100 && !strings.HasPrefix(subject, " ") &&
		!strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r > '~' })
}

// perProtocol parses the texts for the protocols.
func (p Publication) perProtocol() (map[string]string, error) {
	var texts map[string]string
	if json.Unmarshal([]byte(p.Message), &texts) != nil {
		return nil, errInvalid("Message Structure", "JSON message body failed to parse")
	}
	if texts["default"] == "" {
		return nil, errInvalid("Message Structure", "No default entry in JSON message body")
	}
	return texts, nil
}

// textFor returns the text for a protocol.
func (p Publication) textFor(protocol string) string {
	if !p.PerProtocol {
		return p.Message
	}
	texts, _ := p.perProtocol() // checked before
	if text, ok := texts[protocol]; ok {
		return text
	}
	return texts["default"]
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
	reservedName  = regexp.MustCompile(`(?i)^(aws|amazon)\.`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary)(\.[^.].*)?$`)
)

// checkAttribute checks an attribute. Source: the developer guide, "Amazon SNS message attributes".
func checkAttribute(name string, a Attribute) error {
	values := 0
	if a.StringValue != "" {
		values++
	}
	if len(a.BinaryValue) > 0 {
		values++
	}
	switch {
	case !attributeName.MatchString(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") ||
		strings.Contains(name, "..") || reservedName.MatchString(name):
		return wire.Errorf("ParameterValueInvalid", "The message attribute name %q is not valid.", name)
	case !attributeType.MatchString(a.DataType):
		return wire.Errorf("ParameterValueInvalid", "The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	case values != 1 || a.binary() != (len(a.BinaryValue) > 0):
		return wire.Errorf("ParameterValueInvalid", "The message attribute '%s' must contain one non-empty value of its type '%s'.", name, a.DataType)
	case !carried(a.DataType), !carried(a.StringValue):
		return wire.Errorf("ParameterValueInvalid", "The message attribute '%s' has characters that can't be delivered.", name)
	}
	if _, ok := valueOf(a); !ok {
		return wire.Errorf("ParameterValueInvalid", "Could not cast the value of message attribute '%s' to its type '%s'.", name, a.DataType)
	}
	return nil
}

// Publish publishes a message, and returns once every queue whose subscription's filter passes it has received it. A
// refusal by a queue is reported to Options.Undelivered and does not fail Publish. Errors: NotFound for the topic,
// InvalidParameter, ParameterValueInvalid.
func (s *Server) Publish(ctx context.Context, topicARN TopicARN, p Publication) (MessageID, error) {
	subs, err := s.of(topicARN)
	if err != nil {
		return "", err
	}
	if err := p.check(); err != nil {
		return "", err
	}
	id, now := MessageID(uuid.NewString()), s.options.Now()
	s.options.Metric(topicARN, "NumberOfMessagesPublished", 1)
	for _, sub := range subs {
		if sub.pending {
			continue
		}
		if !sub.filter.matches(p) {
			s.options.Metric(topicARN, "NumberOfNotificationsFilteredOut", 1)
			continue
		}
		if err := s.deliver(ctx, sub, id, now, p); err != nil {
			s.options.Metric(topicARN, "NumberOfNotificationsFailed", 1)
			s.options.Undelivered(sub.arn, id, err)
			continue
		}
		s.options.Metric(topicARN, "NumberOfNotificationsDelivered", 1)
	}
	return id, nil
}

// deliver sends to one queue, raw or in an envelope. Cancelling the context does not keep a published message from some
// of the queues.
func (s *Server) deliver(ctx context.Context, sub *subscription, id MessageID, now time.Time, p Publication) error {
	ctx = context.WithoutCancel(ctx)
	if sub.raw {
		return s.options.Queues.Send(ctx, sub.endpoint, p.textFor(sub.protocol), p.Attributes)
	}
	body, err := s.envelope(sub, id, now, p)
	if err != nil {
		return err
	}
	return s.options.Queues.Send(ctx, sub.endpoint, body, nil)
}

// envelope is the JSON around a message. Source: the developer guide, "Parsing Amazon SNS message formats".
type envelope struct {
	Type              string
	MessageID         MessageID `json:"MessageId"`
	TopicARN          TopicARN  `json:"TopicArn"`
	Subject           string    `json:",omitempty"`
	Message           string
	Timestamp         string
	SignatureVersion  string
	Signature         string
	SigningCertURL    string
	UnsubscribeURL    string
	MessageAttributes map[string]envelopeAttribute `json:",omitempty"`
}

type envelopeAttribute struct{ Type, Value string }

// noSignature stands in for AWS's signature.
var noSignature = base64.StdEncoding.EncodeToString([]byte("not signed: this message was published by a simulator"))

// envelope encodes the envelope in SNS's layout, one member per line.
func (s *Server) envelope(sub *subscription, id MessageID, now time.Time, p Publication) (string, error) {
	host := "https://sns." + s.options.Region + ".amazonaws.com/"
	e := envelope{
		Type: "Notification", MessageID: id, TopicARN: sub.topic, Subject: p.Subject, Message: p.textFor(sub.protocol),
		Timestamp:        now.UTC().Format("2006-01-02T15:04:05.000Z"),
		SignatureVersion: s.signatureVersion(sub.topic), Signature: noSignature,
		SigningCertURL: host + "SimpleNotificationService-00000000000000000000000000000000.pem",
		UnsubscribeURL: host + "?Action=Unsubscribe&SubscriptionArn=" + string(sub.arn),
	}
	for name, a := range p.Attributes {
		if e.MessageAttributes == nil {
			e.MessageAttributes = map[string]envelopeAttribute{}
		}
		value := a.StringValue
		if a.binary() {
			value = base64.StdEncoding.EncodeToString(a.BinaryValue)
		}
		e.MessageAttributes[name] = envelopeAttribute{a.DataType, value}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(e)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// signatureVersion is the topic's setting, though nothing is signed: consumers may look at it.
func (s *Server) signatureVersion(arn TopicARN) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[arn]; t != nil && t.attributes["SignatureVersion"] != "" {
		return t.attributes["SignatureVersion"]
	}
	return "1"
}

// batchEntry is one message of a batch.
type batchEntry struct {
	ID                string `json:"Id"`
	Message           *string
	Subject           *string
	MessageStructure  *string
	MessageAttributes map[string]Attribute `query:",Name,Value"`
}

// publication returns the message of an entry.
func (e batchEntry) publication() (Publication, error) {
	if e.Message == nil {
		return Publication{}, errMissing("message")
	}
	p := Publication{Message: *e.Message, Subject: text(e.Subject), Attributes: e.MessageAttributes}
	switch {
	case e.Subject != nil && *e.Subject == "":
		return p, errInvalid("Subject", "it is empty")
	case e.MessageStructure == nil:
	case *e.MessageStructure != "json":
		return p, errInvalid("MessageStructure", "json or nothing, not %q", *e.MessageStructure)
	default:
		p.PerProtocol = true
	}
	return p, nil
}

// checkBatch checks a batch as a whole.
func checkBatch(entries []batchEntry) error {
	switch {
	case len(entries) == 0:
		return wire.Errorf("EmptyBatchRequest", "The batch request doesn't contain any entries.")
	case len(entries) > 10:
		return wire.Errorf("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible (10): %d.", len(entries))
	}
	seen, total := map[string]bool{}, 0
	for _, e := range entries {
		switch {
		case len(e.ID) > 80 || !isToken(e.ID):
			return wire.Errorf("InvalidBatchEntryId", "The Id %q of a batch entry doesn't abide by the specification.", e.ID)
		case seen[e.ID]:
			return wire.Errorf("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id: %s.", e.ID)
		}
		seen[e.ID] = true
		total += Publication{Message: text(e.Message), Attributes: e.MessageAttributes}.size()
	}
	if total > maxSize {
		return wire.Errorf("BatchRequestTooLong", "The length of all the messages put together is %d bytes, more than the limit of %d.", total, maxSize)
	}
	return nil
}
