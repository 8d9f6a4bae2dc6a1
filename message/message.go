package message

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"heliograph"
)

// Bounds of a message. The body's is API Gateway's for one WebSocket message; the others limit the cost of a hostile
// or broken producer to its own message.
const (
	MaxMessage = 1 << 20   // bytes of the whole message, more than SQS ever carries
	MaxBody    = 128 << 10 // bytes of the body as the client receives it
	MaxUsers   = 1000      // distinct users in UserIds
	MaxID      = 256       // bytes of Id
	MaxDepth   = 128       // nested objects and arrays, the message itself included

	MinKeep = time.Second        // the shortest Keep
	MaxKeep = 7 * 24 * time.Hour // the longest
)

// Message is what a producer asks for. It goes to exactly one of Users, Connection and Broadcast.
type Message struct {
	// Users are distinct, in the order in which the producer named them; at most MaxUsers.
	Users []heliograph.UserID
	// Connection is the single connection that the message goes to, whichever user it belongs to.
	Connection heliograph.ConnectionID
	// V1 marks Connection as one of heliograph.v1: see [V1Connection].
	V1 bool
	// Broadcast marks a message to all users who are online.
	Broadcast bool
	// Body is the text that every connection receives, byte for byte.
	Body []byte
	// Value says that Body is the text of a JSON value; otherwise it is the content of a string.
	Value bool
	// ID is the producer's own id for the message; empty if it gave none. A message sent again under the same ID
	// within the idempotency window is not delivered twice.
	ID string
	// ExpiresAt is when the message becomes worthless; zero means never.
	ExpiresAt time.Time
	// Keep is how long, from when it was sent, the message is kept for clients of heliograph.v1 that come back; 0: not at all.
	// Only a message to Users has one.
	Keep time.Duration
	// Receipt requests an event once the message has settled. Such a message has an ID.
	Receipt bool
}

// Expired reports whether ExpiresAt has passed.
func (m *Message) Expired(now time.Time) bool {
	return !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt)
}

// Parse reads one message: a JSON object with one target and a Body, optionally Id (a string), ExpiresAt (RFC 3339),
// Keep (a time such as "24h", MinKeep to MaxKeep; needs UserId or UserIds) and Receipt (a bool; true needs an Id). The target is exactly one of UserId (a string), UserIds (1 to MaxUsers
// strings; duplicates count once), ConnectionId (a string, see [V1Connection]) and Broadcast (true). Parse returns the reason for
// rejecting the message, or nil.
//
//   - A Body that is a string is delivered as that string, even if it is empty. Any other value, null included, is
//     delivered as its compact text: white space between tokens is removed, everything else (numbers, escapes, the
//     order and repetition of members) is as it was written. A message without a Body is rejected.
//   - Names match without regard to ASCII case. A known name that occurs twice, in whatever case, is rejected, since
//     choosing either would be wrong. Unknown names are ignored.
//   - Any of them but Body may be null, which counts as missing, and so does false for Broadcast.
//   - Invalid UTF-8 is rejected anywhere. Half a surrogate pair (such as "\ud83d" alone) can't be written as UTF-8, so
//     it is rejected in every known field, in a Body of any type and at any depth: the bytes a client receives must
//     not depend on whether a producer wraps its text in an object.
func Parse(text string) (Message, *Rejection) { return parse(text, nil) }

// ParseAside is Parse for a message whose body travels beside its text, the form in which send writes a message that
// has to shrink: see [BodyAttribute]. The text then has no Body.
func ParseAside(text string, body []byte) (Message, *Rejection) {
	if body == nil {
		body = []byte{}
	}
	return parse(text, body)
}

// parse is Parse or, if aside is not nil, ParseAside.
func parse(text string, aside []byte) (Message, *Rejection) {
	if rejection := checkText(text); rejection != nil {
		return Message{}, rejection
	}
	f, rejection := readFields(text)
	if rejection != nil {
		return Message{}, rejection
	}
	f.aside = aside
	return f.message()
}

// checkText checks the rules that hold for any acceptable text before anything is decoded from it.
func checkText(text string) *Rejection {
	switch {
	case len(text) > MaxMessage:
		return Reject(ReasonTooLarge, fmt.Sprintf("the message has %d bytes, more than %d", len(text), MaxMessage))
	case !utf8.ValidString(text):
		return Reject(ReasonMalformed, "not valid UTF-8")
	case depth(text) > MaxDepth:
		return Reject(ReasonMalformed, fmt.Sprintf("nested deeper than %d", MaxDepth))
	}
	return nil
}

// depth returns how deep the brackets outside strings nest. The JSON need not be valid: other faults are found later.
func depth(text string) int {
	deepest, open, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// readFields splits the object into raw values. Decoding into a struct would silently take the last of several equal
// names.
func readFields(text string) (fields, *Rejection) {
	var f fields
	if data := []byte(text); !json.Valid(data) {
		return f, syntax(data)
	}
	s := scanner{text: text}
	if s.next() != '{' {
		return f, Reject(ReasonMalformed, "the message must be a JSON object")
	}
	for s.at++; s.next() != '}'; {
		name := s.value()
		s.next()
		s.at++ // the colon
		s.next()
		if rejection := f.set(name, s.value()); rejection != nil {
			return f, rejection
		}
		if s.next() == ',' {
			s.at++
		}
	}
	return f, nil
}

// syntax reports where the JSON is malformed, without quoting any of it.
func syntax(data []byte) *Rejection {
	var err *json.SyntaxError
	if errors.As(json.Unmarshal(data, new(any)), &err) {
		return Reject(ReasonMalformed, "not valid JSON at byte "+strconv.FormatInt(err.Offset, 10))
	}
	return Reject(ReasonMalformed, "not valid JSON")
}

// wire is a message in a producer's JSON.
type wire struct {
	UserID       heliograph.UserID       `json:"UserId,omitempty"`
	UserIDs      []heliograph.UserID     `json:"UserIds,omitempty"`
	ConnectionID heliograph.ConnectionID `json:"ConnectionId,omitempty"`
	Broadcast    bool                    `json:",omitempty"`
	Body         json.RawMessage         `json:",omitempty"`
	BodyIsJSON   bool                    `json:",omitempty"` // of a body that travels beside the text
	ID           string                  `json:"Id,omitempty"`
	ExpiresAt    string                  `json:",omitempty"`
	Keep         string                  `json:",omitempty"`
	Receipt      bool                    `json:",omitempty"`
}

// Text writes the message as a producer would. Parse reads it.
func (m *Message) Text() string {
	w := m.wire()
	if w.Body = m.Body; !m.Value {
		w.Body = json.RawMessage(encode(string(m.Body)))
	}
	return encode(w)
}

// TextAside writes the message without its body. ParseAside reads it.
func (m *Message) TextAside() string {
	w := m.wire()
	w.BodyIsJSON = m.Value
	return encode(w)
}

func (m *Message) wire() *wire {
	w := &wire{ConnectionID: m.Connection, Broadcast: m.Broadcast, ID: m.ID, Receipt: m.Receipt}
	if m.V1 {
		w.ConnectionID = V1Connection + m.Connection
	}
	if len(m.Users) == 1 {
		w.UserID = m.Users[0]
	} else {
		w.UserIDs = m.Users
	}
	if m.Keep > 0 {
		w.Keep = m.Keep.String()
	}
	if !m.ExpiresAt.IsZero() {
		w.ExpiresAt = m.ExpiresAt.Format(time.RFC3339Nano)
	}
	return w
}

// IDOf returns the Id in a text that may not be a valid message, as in some dead letters; empty if there is none.
func IDOf(text string) string {
	var m struct {
		ID any `json:"Id"`
	}
	if json.Unmarshal([]byte(text), &m) != nil {
		return ""
	}
	id, _ := m.ID.(string)
	return id
}
