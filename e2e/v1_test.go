package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"heliograph"
	"heliograph/simulator/fault"
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
	Position     int64
	Cursor       string
	Reset        bool
	Messages     []frame
}

// connectV1 opens a connection that offers these subprotocols, with the token in the query unless one of them has it.
func connectV1(t *testing.T, user string, protocols ...string) device {
	t.Helper()
	return shared().connectV1(t, user, protocols...)
}

func (r reached) connectV1(t *testing.T, user string, protocols ...string) device {
	t.Helper()
	address := r.WebSocketURL
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
		if live := d.frame(t); live.Type != "live" || live.Cursor == "" || live.Reset {
			t.Fatalf("after hello came %+v", live)
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

// resume says hello after a cursor, and returns the frames up to live.
func (d device) resume(t *testing.T, cursor string) (missed []frame, live frame) {
	t.Helper()
	text, _ := json.Marshal(map[string]string{"action": "hello", "after": cursor})
	d.say(t, string(text))
	for {
		switch f := d.frame(t); f.Type {
		case "missed":
			missed = append(missed, f.Messages...)
		case "live":
			return missed, f
		}
	}
}

// TestMissed proves that a client that was away receives what was kept, in order and once, that one which was there has it live at
// the same position, and that cursors of other users, or of nobody, are answered by a reset.
func TestMissed(t *testing.T) {
	t.Parallel()
	user := newUser()
	there, away := connectV1(t, user, heliograph.SubprotocolV1), connectV1(t, user, heliograph.SubprotocolV1)
	_, live := there.resume(t, "")
	_, left := away.resume(t, "")
	if live.Reset || left.Cursor == "" {
		t.Fatalf("live: %+v, %+v", live, left)
	}
	away.hangUp(t)
	waitForConnections(t, user, 1)
	positions := map[int64]string{}
	for _, body := range []string{"one", "two", "three"} {
		sendRaw(t, `{"UserId":"`+user+`","Body":"`+body+`","Keep":"1h"}`)
		f := there.frame(t)
		positions[f.Position] = f.ID
	}
	send(t, user, "not kept")
	back := connectV1(t, user, heliograph.SubprotocolV1)
	missed, live := back.resume(t, left.Cursor)
	if len(missed) != 3 || live.Reset {
		t.Fatalf("missed %+v, live %+v", missed, live)
	}
	for i, m := range missed {
		if m.Position != int64(i+1) || positions[m.Position] != m.ID || m.Type != "message" {
			t.Errorf("message %d is %+v; live it was at %v", i, m, positions)
		}
	}
	if again, at := back.resume(t, live.Cursor); len(again) > 0 || at.Cursor != live.Cursor || at.Reset {
		t.Errorf("nothing was missed, and came %+v, %+v", again, at)
	}
	stranger := connectV1(t, newUser(), heliograph.SubprotocolV1)
	if missed, live := stranger.resume(t, live.Cursor); len(missed) > 0 || !live.Reset {
		t.Errorf("a stranger's cursor brings %+v, %+v", missed, live)
	}
	if missed, live := back.resume(t, "garbage"); len(missed) != 3 || !live.Reset {
		t.Errorf("an unknown cursor brings %d messages, %+v", len(missed), live)
	}
}

// writerDies: a message whose writer has taken a position and can't write there is passed over by a client that resumes meanwhile,
// and comes to it at a later position, once.
func (b *breakable) writerDies(t *testing.T) {
	user := newUser()
	early := b.connectV1(t, user, heliograph.SubprotocolV1)
	_, before := early.resume(t, "")
	id, err := b.sim.Faults().Add(fault.Rule{Service: fault.DynamoDB, Action: "PutItem", Caller: "*-send", Error: "InternalServerError"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.sim.Faults().Remove(id) }) // if the test ends before it does so itself
	b.sendRaw(t, `{"UserId":"`+user+`","Body":"late","Keep":"1h"}`, nil)
	late := b.connectV1(t, user, heliograph.SubprotocolV1)
	var live frame
	eventually(t, "a position is taken", func(context.Context) (bool, error) {
		missed, at := late.resume(t, before.Cursor)
		live = at
		return strings.HasSuffix(at.Cursor, ".1") && len(missed) == 0, nil
	})
	if live.Reset {
		t.Errorf("the empty position is answered by a reset")
	}
	if err := b.sim.Faults().Remove(id); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]device{"early": early, "late": late} {
		if f := d.frame(t); f.Position < 2 || string(f.Body) != `"late"` {
			t.Errorf("%s received %+v", name, f)
		}
	}
	if missed, at := late.resume(t, live.Cursor); len(missed) != 1 || at.Reset {
		t.Errorf("after %s came %+v, %+v", live.Cursor, missed, at)
	}
}
