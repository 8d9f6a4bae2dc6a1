package message

import (
	"encoding/json"
	"strings"
	"time"

	"heliograph"
)

// V1Connection is what the name of a connection of heliograph.v1 begins with. Such a client learns its own name from hello,
// and a producer that puts it into ConnectionId thereby says that the body must be framed: the table can't be asked for a
// connection whose user is unknown.
const V1Connection = "v1:"

// NameOf returns the name of a connection of heliograph.v1.
func NameOf(c heliograph.ConnectionID) string { return V1Connection + string(c) }

// Frame is a message as a client of heliograph.v1 receives it; a raw client receives the body alone.
type Frame struct {
	Type string `json:"type"` // message
	ID   string `json:"id"`   // the producer's Id, or one that all copies of the message share
	// SentAt is when the producer sent it; missing if that is unknown.
	SentAt string `json:"sentAt,omitempty"`
	// Position and Cursor are those of a kept message: positions of a user's messages are consecutive.
	Position int64  `json:"position,omitempty"`
	Cursor   string `json:"cursor,omitempty"`
	// Body is the very string or JSON value that the producer wrote.
	Body json.RawMessage `json:"body"`
}

// Frame returns the message as a frame, with the id that all of its copies share.
func (m *Message) Frame(id string, sent time.Time) Frame {
	f := Frame{Type: "message", ID: id, Body: m.Body}
	if !sent.IsZero() {
		f.SentAt = Time(sent)
	}
	if !m.Value {
		f.Body = json.RawMessage(encode(string(m.Body)))
	}
	return f
}

// frameRoom is the room for the position and the cursor of a kept message, and for the list that it may be part of.
const frameRoom = 256

// Bytes returns the text of the frame.
func (f Frame) Bytes() []byte { return []byte(encode(f)) }

// Time formats a time as events and frames have it: UTC, always with three digits of milliseconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// cutV1 removes the mark of heliograph.v1 from a connection's name, and reports whether it was there.
func cutV1(name string) (string, bool) { return strings.CutPrefix(name, V1Connection) }
