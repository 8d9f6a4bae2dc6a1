package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// scenario is one story of testdata/scenarios.json: what service, application and clock do, and what each sees. Both
// clients have to play it to the letter: a frame or an event that no step expects fails it.
type scenario struct {
	Name   string
	Cursor string // in the storage at the start
	Manual bool   // the application handles a message only at a step `handle`
	Only   string // "go", for what a browser does not let its pages see; "browser", for what only a page has
	// FailTokens is how many times the application has no token, at first.
	FailTokens int
	Steps      []step
}

// step is one thing that happens, or is expected to have happened.
type step struct {
	// The service.
	Accept *string         // a client asks for a connection and gets it, with this subprotocol
	Refuse int             // it gets this status instead
	Hang   bool            // it gets no answer
	Token  string          // the token that it shows, with accept or refuse
	On     int             // the connection that the next ones are about, counted from 1; the latest by default
	Expect json.RawMessage // this frame arrives
	Send   json.RawMessage // this frame is sent
	Text   string          // so is this, which need not be JSON
	Close  int             // the service closes with this code
	Cut    bool            // the network ends the connection
	Closed int             // the client closed with this code

	// The application, as the device does or reports it.
	Check  bool
	End    bool
	Handle string // "ok" or "fail": the message in hand is handled
	Fire   string // an event of the page
	Event  json.RawMessage
	Events []json.RawMessage // these, in any order
	Stored *string

	Advance string // the clock goes on
	Quiet   bool   // nothing else has happened
}

func scenarios(t *testing.T) (all []scenario) {
	t.Helper()
	text, err := os.ReadFile("testdata/scenarios.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		t.Fatalf("scenarios.json: %v", err)
	}
	return all
}

// device is a client in the hands of an application.
type device interface {
	do(command map[string]any)      // start, publish, ack, check, end, handle, fire, advance
	events() <-chan json.RawMessage // what the application sees, in order
	stored() string                 // the cursor in the storage
	settle()                        // until all that can happen without time has
}

// stage is the scripted service and where a scenario is played.
type stage struct {
	t        *testing.T
	device   device
	patience time.Duration // for what must arrive; 0 if settle is enough
	dials    chan *dial
	sockets  []*socket
	vars     map[string]string // $name in a scenario
	at       string
}

// dial is a handshake that waits for the script's answer: an HTTP status.
type dial struct {
	protocols []string
	status    chan answer
	opened    chan *socket
}

type answer struct {
	status   int
	protocol string
}

// socket is the service's side of a connection.
type socket struct {
	conn   *websocket.Conn
	frames chan json.RawMessage
	closed chan int
	ours   bool // it is the service that closes
}

func newStage(t *testing.T) *stage {
	return &stage{t: t, dials: make(chan *dial, 16), vars: map[string]string{}}
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := &dial{protocols: strings.Split(strings.ReplaceAll(r.Header.Get("Sec-WebSocket-Protocol"), " ", ""), ","), status: make(chan answer, 1), opened: make(chan *socket, 1)}
	s.dials <- d
	var a answer
	select {
	case a = <-d.status:
	case <-r.Context().Done():
		return
	}
	if a.status != http.StatusSwitchingProtocols {
		http.Error(w, "", a.status)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{a.protocol}, InsecureSkipVerify: true})
	if err != nil {
		s.t.Error(err)
		return
	}
	c := &socket{conn: conn, frames: make(chan json.RawMessage, 1000), closed: make(chan int, 1)}
	d.opened <- c
	for {
		_, data, err := conn.Read(context.Background())
		if err != nil {
			c.closed <- int(websocket.CloseStatus(err))
			return
		}
		c.frames <- data
	}
}

// play carries a scenario out.
func (s *stage) play(all scenario) {
	s.device.do(map[string]any{"start": all.Cursor, "manual": all.Manual, "failTokens": all.FailTokens})
	s.steps(all.Steps)
	if !s.t.Failed() {
		s.at = "the end"
		s.quiet()
	}
}

func (s *stage) steps(all []step) {
	s.t.Helper()
	for i, st := range all {
		text, _ := json.Marshal(st)
		s.at = fmt.Sprintf("step %d, %s", i+1, compact(text))
		s.step(st)
		if s.t.Failed() {
			return
		}
	}
}

func (s *stage) step(st step) {
	switch {
	case st.Accept != nil:
		s.answer(st, answer{http.StatusSwitchingProtocols, *st.Accept})
	case st.Refuse != 0:
		s.answer(st, answer{status: st.Refuse})
	case st.Hang:
		next(s, s.dials, "handshake")
	case st.Expect != nil:
		s.match(st.Expect, next(s, s.on(st).frames, "frame"))
	case st.Send != nil:
		s.write(st, s.filled(st.Send))
	case st.Text != "":
		s.write(st, []byte(st.Text))
	case st.Close != 0:
		s.on(st).ours = true
		go s.on(st).conn.Close(websocket.StatusCode(st.Close), "")
	case st.Cut:
		s.on(st).ours = true
		s.on(st).conn.CloseNow()
	case st.Closed != 0:
		if code := next(s, s.on(st).closed, "close"); code != st.Closed {
			s.fail("closed with %d", code)
		}
	default:
		s.application(st)
	}
}

func (s *stage) application(st step) {
	switch {
	case st.Check:
		s.device.do(map[string]any{"check": true})
	case st.End:
		s.device.do(map[string]any{"end": true})
	case st.Handle != "":
		s.device.do(map[string]any{"handle": st.Handle})
	case st.Fire != "":
		s.device.do(map[string]any{"fire": st.Fire})
	case st.Event != nil:
		s.match(st.Event, next(s, s.device.events(), "event"))
	case st.Events != nil:
		s.matchAll(st.Events)
	case st.Stored != nil:
		s.device.settle()
		if got := s.device.stored(); got != *st.Stored {
			s.fail("the storage has %q", got)
		}
	case st.Advance != "":
		d, err := time.ParseDuration(st.Advance)
		if err != nil {
			s.fail("%v", err)
		}
		s.device.settle()
		s.device.do(map[string]any{"advance": d.Milliseconds()})
	case st.Quiet:
		s.quiet()
	default:
		s.fail("says nothing")
	}
}

// answer decides on the next handshake.
func (s *stage) answer(st step, a answer) {
	d := next(s, s.dials, "handshake")
	if d == nil {
		return
	}
	d.status <- a
	if len(d.protocols) != 3 || d.protocols[0] != "heliograph.v1" || d.protocols[1] != "heliograph" {
		s.fail("the client offers %v", d.protocols)
	}
	if st.Token != "" && !slices.Contains(d.protocols, "bearer."+st.Token) {
		s.fail("the client offers %v", d.protocols)
	}
	if a.status == http.StatusSwitchingProtocols {
		s.sockets = append(s.sockets, next(s, d.opened, "connection"))
	}
}

func (s *stage) on(st step) *socket {
	if st.On == 0 {
		st.On = len(s.sockets)
	}
	return s.sockets[st.On-1]
}

func (s *stage) write(st step, frame []byte) {
	if err := s.on(st).conn.Write(context.Background(), websocket.MessageText, frame); err != nil {
		s.fail("%v", err)
	}
}

// next is what arrives next on a channel.
func next[T any](s *stage, from <-chan T, what string) (got T) {
	s.t.Helper()
	if s.patience == 0 {
		s.device.settle()
		select {
		case got = <-from:
		default:
			s.fail("no %s", what)
		}
		return got
	}
	select {
	case got = <-from:
	case <-time.After(s.patience):
		s.fail("no %s within %v", what, s.patience)
	}
	return got
}

// quiet proves that nothing happened that no step expected.
func (s *stage) quiet() {
	s.device.settle()
	select {
	case e := <-s.device.events():
		s.fail("an event that no step expects: %s", e)
	case d := <-s.dials:
		s.fail("a handshake that no step expects: %v", d.protocols)
	default:
	}
	for i, c := range s.sockets {
		select {
		case f := <-c.frames:
			s.fail("a frame that no step expects, on connection %d: %s", i+1, f)
		case code := <-c.closed:
			if !c.ours {
				s.fail("connection %d was closed with %d, which no step expects", i+1, code)
			}
		default:
		}
	}
}

func (s *stage) fail(format string, arguments ...any) {
	s.t.Helper()
	s.t.Errorf("%s: %s", s.at, fmt.Sprintf(format, arguments...))
}

// match compares JSON with what a step expects. A text "$name" takes any text the first time, and the same from then on.
func (s *stage) match(want, got json.RawMessage) {
	var w, g any
	if err := errors.Join(json.Unmarshal(want, &w), json.Unmarshal(got, &g)); err != nil {
		s.fail("%s: %v", got, err)
	} else if !s.same(w, g) {
		s.fail("got %s", got)
	}
}

// matchAll compares the next events with what a step expects in any order.
func (s *stage) matchAll(want []json.RawMessage) {
	for range len(want) {
		got := next(s, s.device.events(), "event")
		var g any
		_ = json.Unmarshal(got, &g)
		i := slices.IndexFunc(want, func(one json.RawMessage) bool {
			var w any
			return json.Unmarshal(one, &w) == nil && s.same(w, g)
		})
		if i < 0 {
			s.fail("got %s", got)
			return
		}
		want = slices.Delete(slices.Clone(want), i, i+1)
	}
}

func (s *stage) same(want, got any) bool {
	switch w := want.(type) {
	case string:
		g, is := got.(string)
		if name, variable := strings.CutPrefix(w, "$"); variable && is {
			if s.vars[name] == "" {
				s.vars[name] = g
			}
			return s.vars[name] == g
		}
		return w == g
	case map[string]any:
		g, is := got.(map[string]any)
		if !is || len(g) != len(w) {
			return false
		}
		for name := range w {
			if _, has := g[name]; !has || !s.same(w[name], g[name]) {
				return false
			}
		}
		return true
	case []any:
		g, is := got.([]any)
		return is && slices.EqualFunc(w, g, s.same)
	}
	return reflect.DeepEqual(want, got)
}

// filled writes a frame as the service does, with what was found for each "$name".
func (s *stage) filled(frame json.RawMessage) []byte {
	var compact bytes.Buffer
	_ = json.Compact(&compact, frame) // it was decoded
	text := compact.String()
	for name, value := range s.vars {
		text = strings.ReplaceAll(text, `"$`+name+`"`, fmt.Sprintf("%q", value))
	}
	return []byte(text)
}

func compact(text []byte) string {
	var members map[string]any
	_ = json.Unmarshal(text, &members)
	for name, value := range members {
		if value == nil || reflect.ValueOf(value).IsZero() {
			delete(members, name)
		}
	}
	text, _ = json.Marshal(members)
	return string(text)
}
