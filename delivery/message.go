package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"heliograph"
)

// Bounds of a message. The body's is API Gateway's for one WebSocket message; the others keep a hostile
// or broken producer from costing more than its own message.
const (
	MaxMessage = 1 << 20   // bytes of the whole message, more than SQS ever carries
	MaxBody    = 128 << 10 // bytes of the body as the client receives it
	MaxUsers   = 1000      // different users of UserIds
	MaxID      = 256       // bytes of Id
	MaxDepth   = 128       // nested objects and arrays, the message itself included
)

// Message is what a producer asks for. It goes to exactly one of Users, Connection and Broadcast.
type Message struct {
	// Users are different from each other, in the order in which the producer named them; up to MaxUsers.
	Users []heliograph.UserID
	// Connection is the one connection that the message goes to, whoever's it is.
	Connection heliograph.ConnectionID
	// Broadcast is for a message to all users who are online.
	Broadcast bool
	// Body is the text that every connection receives, byte for byte.
	Body []byte
	// ID is the producer's own name for the message; empty if it gave none. Who sends it again under the same name
	// within the idempotency window does not deliver it twice.
	ID string
	// ExpiresAt is when the message loses its worth; zero means never.
	ExpiresAt time.Time
	// Receipt tells that the producer wants an event once the message is settled. Such a message has an ID.
	Receipt bool
}

// Parse reads one message: a JSON object with one target and a Body, optionally Id (a string), ExpiresAt (RFC 3339)
// and Receipt (a bool; true needs an Id). The target is exactly one of UserId (a string), UserIds (1 to MaxUsers
// strings; one that comes twice counts once), ConnectionId (a string) and Broadcast (true). Parse returns why the
// message is rejected, or nil.
//
//   - A Body that is a string is delivered as that string, also the empty one. Any other value, null
//     included, is delivered as its compact text: white space between tokens is gone, all else (numbers,
//     escapes, the order and repetition of members) is as it was written. Without a Body there is nothing to
//     deliver: rejected.
//   - Names match without regard to ASCII case. A known name that comes twice, in whatever case, is
//     rejected, since no choice between the two would be right. Unknown names are ignored.
//   - Any of them but Body may be null, which is as if it were not there, and so is false for Broadcast.
//   - Invalid UTF-8 is rejected anywhere. Half a surrogate pair (such as "\ud83d" alone) can't be
//     written as UTF-8, so it is rejected in every string that is decoded here, which is all but those within
//     a Body that travels as JSON text: there it stays the escape that it was.
func Parse(text string) (Message, *Rejection) {
	if rejection := checkText(text); rejection != nil {
		return Message{}, rejection
	}
	f, rejection := readFields(text)
	if rejection != nil {
		return Message{}, rejection
	}
	return f.message()
}

// checkText holds what is true of any acceptable text, before anything is decoded from it.
func checkText(text string) *Rejection {
	switch {
	case len(text) > MaxMessage:
		return reject(ReasonTooLarge, fmt.Sprintf("the message has %d bytes, more than %d", len(text), MaxMessage))
	case !utf8.ValidString(text):
		return reject(ReasonMalformed, "not valid UTF-8")
	case depth(text) > MaxDepth:
		return reject(ReasonMalformed, fmt.Sprintf("nested deeper than %d", MaxDepth))
	}
	return nil
}

// depth counts how deep the brackets outside of strings nest. It needs no valid JSON: whatever else is wrong
// with the text is found later.
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

// readFields takes the object apart without decoding the values. Decoding into a struct would silently take the
// last of several equal names.
func readFields(text string) (fields, *Rejection) {
	var f fields
	if data := []byte(text); !json.Valid(data) {
		return f, syntax(data)
	}
	c := cursor{text: text}
	if c.next() != '{' {
		return f, reject(ReasonMalformed, "the message must be a JSON object")
	}
	for c.at++; c.next() != '}'; {
		name := c.value()
		c.next()
		c.at++ // the colon
		c.next()
		if rejection := f.set(name, c.value()); rejection != nil {
			return f, rejection
		}
		if c.next() == ',' {
			c.at++
		}
	}
	return f, nil
}

// syntax says where the JSON breaks off, and nothing of what stands there.
func syntax(data []byte) *Rejection {
	var err *json.SyntaxError
	if errors.As(json.Unmarshal(data, new(any)), &err) {
		return reject(ReasonMalformed, "not valid JSON at byte "+strconv.FormatInt(err.Offset, 10))
	}
	return reject(ReasonMalformed, "not valid JSON")
}

// expired tells whether the message has lost its worth.
func (m *Message) expired(now time.Time) bool {
	return !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt)
}
