package client

import (
	"strconv"
	"strings"
)

const (
	subprotocol = "heliograph.v1"
	// rawSubprotocol is what a service that does not speak v1 chooses.
	rawSubprotocol = "heliograph"

	maxMessage = 128 << 10 // what API Gateway delivers at the most

	pingFrame = `{"action":"ping"}`
	pongFrame = `{"action":"pong"}`
)

// request is a frame from client to service.
type request struct {
	Action string `json:"action"`
	After  string `json:"after,omitempty"`
}

// answer is a frame from service to client. Unknown types and members are ignored.
type answer struct {
	Action string
	Type   string
	incoming
	Live
	Messages []incoming // of missed
	Reset    bool
	Reason   string
	Again    *bool
}

// place is where a client stands, or a message: the position after a cursor's last dot, and what identifies the mailbox.
type place struct {
	mailbox  string
	position int64
}

// noMailbox is the mailbox of a user who has none. The next one begins at position 1.
const noMailbox = "-"

func placeOf(cursor string) place {
	dot := max(strings.LastIndexByte(cursor, '.'), 0)
	position, _ := strconv.ParseInt(cursor[min(dot+1, len(cursor)):], 10, 64) // a cursor without one is like no other
	return place{cursor[:dot], position}
}

// reaches reports whether a client at p has what is at other.
func (p place) reaches(other place) bool {
	return p.mailbox != "" && p.mailbox == other.mailbox && p.position >= other.position
}

// precedes reports whether other is the next place.
func (p place) precedes(other place) bool {
	return p.mailbox == other.mailbox && p.position+1 == other.position || p.mailbox == noMailbox && other.position == 1
}

// incoming is a message as it arrives. Positions of a user's kept messages are consecutive, but for those that were never
// written; 0 is that of a message that is not kept.
type incoming struct {
	Message
	Position int64
}
