package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"heliograph/presence"
)

// Bounds of a message. The body's is API Gateway's for one WebSocket message; the others keep a hostile
// or broken producer from costing more than its own message.
const (
	MaxMessage = 1 << 20   // bytes of the whole message, more than SQS ever carries
	MaxBody    = 128 << 10 // bytes of the body as the client receives it
	MaxUserID  = presence.MaxUserID
	MaxID      = 256 // bytes of Id
	MaxDepth   = 128 // nested objects and arrays, the message itself included
)

// Message is what a producer asks for.
type Message struct {
	User presence.UserID
	// Body is the text that every connection receives, byte for byte.
	Body []byte
	// ID is the producer's own name for the message; empty if it gave none.
	ID string
	// ExpiresAt is when the message loses its worth; zero means never.
	ExpiresAt time.Time
}

// Parse reads one message: a JSON object with UserId (a string) and Body, optionally Id (a string) and
// ExpiresAt (RFC 3339). It returns why the message is rejected, or nil.
//
//   - A Body that is a string is delivered as that string, also the empty one. Any other value, null
//     included, is delivered as its compact text: white space between tokens is gone, all else (numbers,
//     escapes, the order and repetition of members) is as it was written. Without a Body there is nothing to
//     deliver: rejected.
//   - Names match without regard to ASCII case. A known name that comes twice, in whatever case, is
//     rejected, since no choice between the two would be right. Unknown names are ignored.
//   - Id and ExpiresAt may be null, which is as if they were not there.
//   - Invalid UTF-8 is rejected anywhere. Half a surrogate pair (such as "\ud83d" alone) can't be
//     written as UTF-8, so it is rejected in every string that is decoded here: UserId, Id, ExpiresAt and
//     a Body that is a string. In a Body that travels as JSON text it stays the escape that it was.
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

// fields are the raw values of the names that mean something; empty where the name is not there.
type fields struct {
	user, body, id, expires string
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

// set keeps a value if its name, which comes as a JSON string, means something.
func (f *fields) set(literal, value string) *Rejection {
	name, rejection := text("a name", literal)
	if rejection != nil {
		return nil // half a surrogate pair is in none of the names that mean something
	}
	known, slot := f.slot(name)
	if slot == nil {
		return nil
	}
	if *slot != "" {
		return reject(ReasonMalformed, known+" is given twice")
	}
	*slot = value
	return nil
}

// slot finds where a name's value belongs, and the name's proper spelling; nil for unknown names.
func (f *fields) slot(name string) (string, *string) {
	switch {
	case equalFold(name, "UserId"):
		return "UserId", &f.user
	case equalFold(name, "Body"):
		return "Body", &f.body
	case equalFold(name, "Id"):
		return "Id", &f.id
	case equalFold(name, "ExpiresAt"):
		return "ExpiresAt", &f.expires
	}
	return "", nil
}

// equalFold compares without regard to ASCII case. strings.EqualFold would also take the long s (ſ) for
// an s, and a name that merely looks alike should not address anybody.
func equalFold(name, known string) bool {
	return len(name) == len(known) && strings.EqualFold(name, known)
}

// message decodes the fields, the cheap ones first.
func (f *fields) message() (Message, *Rejection) {
	var m Message
	for _, read := range []func(*fields, *Message) *Rejection{
		(*fields).readUser, (*fields).readID, (*fields).readExpiry, (*fields).readBody,
	} {
		if rejection := read(f, &m); rejection != nil {
			return Message{}, rejection
		}
	}
	return m, nil
}

func (f *fields) readUser(m *Message) *Rejection {
	if absent(f.user) {
		return reject(ReasonNoTarget, "UserId is missing")
	}
	user, rejection := text("UserId", f.user)
	switch {
	case rejection != nil:
		return rejection
	case user == "":
		return reject(ReasonNoTarget, "UserId is empty")
	case len(user) > MaxUserID:
		return reject(ReasonUserTooLong, fmt.Sprintf("UserId has %d bytes, more than %d", len(user), MaxUserID))
	}
	m.User = presence.UserID(user)
	return nil
}

func (f *fields) readID(m *Message) *Rejection {
	if absent(f.id) {
		return nil
	}
	id, rejection := text("Id", f.id)
	switch {
	case rejection != nil:
		return rejection
	case id == "":
		// To take it for no Id would quietly drop a promise that the producer thinks it has.
		return reject(ReasonMalformed, "Id is empty")
	case len(id) > MaxID:
		return reject(ReasonMalformed, fmt.Sprintf("Id has %d bytes, more than %d", len(id), MaxID))
	}
	m.ID = id
	return nil
}

func (f *fields) readExpiry(m *Message) *Rejection {
	if absent(f.expires) {
		return nil
	}
	s, rejection := text("ExpiresAt", f.expires)
	if rejection != nil {
		return rejection
	}
	// RFC 3339 allows t and z in lower case, Go's layout does not.
	at, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	if err != nil {
		return reject(ReasonMalformed, "ExpiresAt is not an RFC 3339 time")
	}
	m.ExpiresAt = at
	return nil
}

func (f *fields) readBody(m *Message) *Rejection {
	switch {
	case f.body == "":
		return reject(ReasonMalformed, "Body is missing")
	case f.body[0] == '"':
		body, rejection := text("Body", f.body)
		if rejection != nil {
			return rejection
		}
		m.Body = []byte(body)
	default:
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(f.body)); err != nil {
			return reject(ReasonMalformed, "Body is not valid JSON")
		}
		m.Body = compact.Bytes()
	}
	if len(m.Body) > MaxBody {
		return reject(ReasonTooLarge, fmt.Sprintf("Body has %d bytes, more than %d", len(m.Body), MaxBody))
	}
	return nil
}

// absent tells whether a field is missing or null.
func absent(raw string) bool { return raw == "" || raw == "null" }

// text decodes a JSON string.
func text(name, raw string) (string, *Rejection) {
	switch {
	case raw[0] != '"':
		return "", reject(ReasonMalformed, name+" must be a string")
	case !strings.Contains(raw, `\`):
		return raw[1 : len(raw)-1], nil
	case loneSurrogate(raw):
		return "", reject(ReasonMalformed, name+" holds half a surrogate pair, which is not valid UTF-8")
	}
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return "", reject(ReasonMalformed, name+" is not a valid string")
	}
	return s, nil
}

// loneSurrogate tells whether a JSON string literal holds a \u escape of half a surrogate pair without its
// other half. encoding/json would replace it by U+FFFD without a word.
func loneSurrogate(literal string) bool {
	for i := 0; i < len(literal); i++ {
		if literal[i] != '\\' {
			continue
		}
		unit := escapedUnit(literal[i:])
		switch {
		case unit < 0xD800 || unit > 0xDFFF:
			i++ // behind the escaped character, which may be a backslash itself
		case unit <= 0xDBFF && isLow(escapedUnit(literal[i+6:])):
			i += 11 // both escapes have six bytes
		default:
			return true
		}
	}
	return false
}

func isLow(unit int) bool { return unit >= 0xDC00 && unit <= 0xDFFF }

// escapedUnit is the UTF-16 code unit of a \uXXXX escape at the start of s, or -1.
func escapedUnit(s string) int {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return -1
	}
	return int(unit)
}

// expired tells whether the message has lost its worth.
func (m *Message) expired(now time.Time) bool {
	return !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt)
}
