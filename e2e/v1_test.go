package e2e

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"heliograph"
)

// frame is what a client of heliograph.v1 receives.
type frame struct {
	Type         string
	Connection   string
	User         string
	TokenExpires time.Time
	ClosesAt     time.Time
	ID           string
	SentAt       time.Time
	Body         json.RawMessage
}

// connectV1 opens a connection that offers these subprotocols, with the token in the query unless one of them has it.
func connectV1(t *testing.T, user string, protocols ...string) device {
	t.Helper()
	address := shared().WebSocketURL
	if !strings.Contains(strings.Join(protocols, " "), "bearer.") {
		address += "?Authorization=" + url.QueryEscape(tokenFor(t, user))
	}
	socket, response, err := websocket.Dial(within(t), address, &websocket.DialOptions{Subprotocols: protocols})
	if err != nil {
		t.Fatalf("connect: %v (%v)", err, response)
	}
	t.Cleanup(func() { socket.CloseNow() })
	if socket.Subprotocol() != heliograph.SubprotocolV1 {
		t.Fatalf("the subprotocol is %q", socket.Subprotocol())
	}
	return device{socket}
}

// say sends a frame.
func (d device) say(t *testing.T, text string) {
	t.Helper()
	if err := d.Write(within(t), websocket.MessageText, []byte(text)); err != nil {
		t.Fatalf("send %s: %v", text, err)
	}
}

// frame returns the next frame.
func (d device) frame(t *testing.T) (f frame) {
	t.Helper()
	text := d.next(t)
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
	return f
}

// TestV1 proves that a client of heliograph.v1, wherever its token is, learns who it is and receives messages as frames,
// while a raw one of the same user receives the bytes, and no answer to a hello.
func TestV1(t *testing.T) {
	t.Parallel()
	user := newUser()
	raw := connect(t, user)
	byQuery := connectV1(t, user, "mqtt", heliograph.SubprotocolV1)
	byOffer := connectV1(t, user, heliograph.Subprotocol, heliograph.SubprotocolV1, "bearer."+tokenFor(t, user))
	raw.say(t, `{"action":"hello"}`)
	for _, d := range []device{byQuery, byOffer} {
		d.say(t, `{"action":"hello"}`)
		hello := d.frame(t)
		if hello.Type != "hello" || hello.User != user || time.Until(hello.ClosesAt) < time.Hour || time.Until(hello.TokenExpires) < time.Minute {
			t.Fatalf("hello is answered %+v", hello)
		}
		sendRaw(t, `{"ConnectionId":"`+hello.Connection+`","Body":"only here","Id":"`+hello.Connection+`"}`)
		if got := d.frame(t); got.Type != "message" || string(got.Body) != `"only here"` || got.ID != hello.Connection {
			t.Errorf("received %+v", got)
		}
	}
	sendRaw(t, `{"UserId":"`+user+`","Body":{"n" : 1.0}}`)
	one, other := byQuery.frame(t), byOffer.frame(t)
	if string(one.Body) != `{"n":1.0}` || one.ID == "" || one.ID != other.ID || time.Since(one.SentAt) > time.Minute {
		t.Errorf("received %+v and %+v", one, other)
	}
	if got := raw.next(t); got != `{"n":1.0}` {
		t.Errorf("the raw client received %s", got)
	}
}
