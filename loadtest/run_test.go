package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"heliograph"
	"heliograph/message"
)

// stack is one in memory, as faulty as a test wants it.
type stack struct {
	t       *testing.T
	url     string
	mu      sync.Mutex
	sockets map[heliograph.UserID][]*websocket.Conn
	number  int
	ready   chan struct{} // a message for each socket that gets messages from now on
	// deliver replaces the post of a message, the nth, to a user's sockets. Nil: post it.
	deliver func(n int, post func())
	refuse  func(n int) error
}

func newStack(t *testing.T) *stack {
	s := &stack{t: t, sockets: map[heliograph.UserID][]*websocket.Conn{}, ready: make(chan struct{}, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		user := heliograph.UserID(r.URL.Query().Get("user"))
		s.mu.Lock()
		s.sockets[user] = append(s.sockets[user], socket)
		s.mu.Unlock()
		s.ready <- struct{}{}
		<-socket.CloseRead(context.WithoutCancel(r.Context())).Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, other := range s.sockets[user] {
			if other == socket {
				s.sockets[user] = append(s.sockets[user][:i:i], s.sockets[user][i+1:]...)
				break
			}
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *stack) dial(ctx context.Context, user heliograph.UserID) (*websocket.Conn, error) {
	socket, _, err := websocket.Dial(ctx, s.url+"?user="+string(user), nil)
	if err == nil {
		<-s.ready
	}
	return socket, err
}

func (s *stack) send(ctx context.Context, bodies []string) error {
	for _, body := range bodies {
		m, rejected := message.Parse(body)
		if rejected != nil {
			s.t.Error(rejected)
			return nil
		}
		s.mu.Lock()
		n := s.number
		s.number++
		s.mu.Unlock()
		if s.refuse != nil && s.refuse(n) != nil {
			return s.refuse(n)
		}
		post := func() {
			s.mu.Lock()
			sockets := append([]*websocket.Conn(nil), s.sockets[m.Users[0]]...)
			s.mu.Unlock()
			for _, socket := range sockets {
				_ = socket.Write(ctx, websocket.MessageText, m.Body)
			}
		}
		if s.deliver != nil {
			s.deliver(n, post)
		} else {
			post()
		}
	}
	return nil
}

func (s *stack) plan() Plan {
	return Plan{
		Connections: 5, Devices: 2, Rate: 200, For: 300 * time.Millisecond, Size: 100, Opening: 3, Settle: 500 * time.Millisecond,
		Users: func(n int) heliograph.UserID { return heliograph.UserID(fmt.Sprint("user-", n)) }, Dial: s.dial, Send: s.send,
	}
}

func run(t *testing.T, p Plan) Report {
	t.Helper()
	r, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	return r
}

// TestSound proves the account of a stack without faults: 60 messages, each third of them to a user with one device.
func TestSound(t *testing.T) {
	t.Parallel()
	r := run(t, newStack(t).plan())
	if r.Sent != 60 || r.Connections != 5 || r.Expected != 100 || r.Arrived != 100 || r.Lost+r.Duplicates+r.OutOfOrder+r.Reconnects+r.SendFailures > 0 {
		t.Errorf("%+v", r)
	}
	if r.Latency.P50 <= 0 || r.Latency.Max < r.Latency.P99 || r.Connect.P50 <= 0 {
		t.Errorf("latencies: %+v", r)
	}
}

// TestFaultsAreCounted proves that each kind of fault is seen, and for what it is.
func TestFaultsAreCounted(t *testing.T) {
	t.Parallel()
	var held func()
	for name, tt := range map[string]struct {
		deliver func(n int, post func())
		refuse  func(n int) error
		want    Report
	}{
		"lost": {deliver: func(n int, post func()) {
			if n != 2 { // of the user with one device
				post()
			}
		}, want: Report{Lost: 1}},
		"twice": {deliver: func(n int, post func()) {
			post()
			if n == 2 {
				post()
			}
		}, want: Report{Duplicates: 1}},
		"out of order": {deliver: func(n int, post func()) {
			switch n {
			case 2:
				held = post
			case 5: // the next one of that user
				post()
				held()
			default:
				post()
			}
		}, want: Report{OutOfOrder: 1}},
		"refused": {refuse: func(n int) error {
			if n == 2 {
				return errors.New("no")
			}
			return nil
		}, want: Report{SendFailures: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.deliver, s.refuse = tt.deliver, tt.refuse
			p := s.plan()
			p.Rate, p.For = 50, 200*time.Millisecond // one message a request, so that they go in their order
			serial := make(chan struct{}, 1)
			p.Send = func(ctx context.Context, bodies []string) error {
				serial <- struct{}{}
				defer func() { <-serial }()
				return s.send(ctx, bodies)
			}
			r := run(t, p)
			got := Report{Lost: r.Lost, Duplicates: r.Duplicates, OutOfOrder: r.OutOfOrder, SendFailures: min(r.SendFailures, 1)}
			if got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestStallIsNotHidden proves that a stall counts against every message that was due during it, not only the one that
// met it: half of them have to wait, so the median does too.
func TestStallIsNotHidden(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	p := s.plan()
	p.Connections, p.Devices, p.Rate, p.For = 1, 1, 100, time.Second
	stalled := time.Now().Add(time.Hour)
	var once sync.Once
	p.Send = func(ctx context.Context, bodies []string) error {
		once.Do(func() { stalled = time.Now().Add(900 * time.Millisecond) })
		Pause(ctx, time.Until(stalled))
		return s.send(ctx, bodies)
	}
	if r := run(t, p); r.Latency.P50 < 300 || r.Latency.Max < 800 || r.Lost > 0 {
		t.Errorf("%+v", r)
	}
}

// TestReconnect proves that a cut connection is opened again and counted, and that messages reach it.
func TestReconnect(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	p := s.plan()
	p.Connections, p.Devices, p.For, p.Rate = 1, 1, 2*time.Second, 50
	s.deliver = func(n int, post func()) {
		if n == 10 {
			s.mu.Lock()
			for _, socket := range s.sockets["user-0"] {
				go socket.CloseNow()
			}
			s.mu.Unlock()
			return
		}
		post()
	}
	if r := run(t, p); r.Reconnects != 1 || r.Lost < 1 || r.Arrived < 50 {
		t.Errorf("%+v", r)
	}
}

// TestRunFails proves that a load that can't be put on is an error that says where.
func TestRunFails(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for want, change := range map[string]func(*Plan){
		"no such stack": func(p *Plan) {
			p.Dial = func(context.Context, heliograph.UserID) (*websocket.Conn, error) {
				return nil, errors.New("no such stack")
			}
		},
		"rate":             func(p *Plan) { p.Rate = 0 },
		"48 to 131072":     func(p *Plan) { p.Size = 10 },
		"must be at least": func(p *Plan) { p.Devices = 0 },
	} {
		p := s.plan()
		change(&p)
		if _, err := Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestForeignMessages proves that only this run's messages count.
func TestForeignMessages(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{"load 1 7 1000 ...": true, "load 2 7 1000": false, "Hello": false, "load 1 x 1000": false, "load 1 7 now": false, "": false} {
		if _, ours := parse(body, "1"); ours != want {
			t.Errorf("%q: %t", body, ours)
		}
	}
}
