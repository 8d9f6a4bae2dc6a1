package client

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// The wait before a reconnect is random, below a bound that doubles from firstWait to longestWait with each failure, and
	// starts anew once a connection has held for steady.
	firstWait, longestWait = 500 * time.Millisecond, 30 * time.Second
	steady                 = time.Minute
	// keepAlive is well under the 10 minutes after which API Gateway cuts an idle connection.
	keepAlive = 5 * time.Minute
	// openTimeout is longer than API Gateway lets a handshake pend, 29 s.
	openTimeout = 30 * time.Second
	// answerTimeout is how long a pong and the answer to a hello may take.
	answerTimeout = 10 * time.Second
	// linger is how long the old connection stays open after a rollover, for what was under way to it.
	linger = 10 * time.Second
	// overtaken is how long a message waits for one that it overtook.
	overtaken = time.Second

	maxGreetings = 3
	maxOut       = 16    // frames that a socket has not taken
	maxWaiting   = 1000  // messages that wait for the application; then no more are read
	maxHeld      = 10000 // messages that wait for their connection to be live
	maxSeen      = 10000 // ids that are remembered to tell copies
)

// session is the state of a Run; only its goroutine touches it.
type session struct {
	client  *Client
	ctx     context.Context
	posted  chan func()
	arrived chan arrival
	over    chan struct{} // closed when the session has ended
	running sync.WaitGroup
	err     error // why it ends

	links    map[*link]bool
	current  *link // live
	next     *link // on its way there
	retry    *time.Timer
	failures int
	denied   bool // the last token was
	leaving  bool // the service forbids to connect again

	cursor  string      // of the last message that arrived in order
	waiting []incoming  // kept messages that overtook others
	asking  *time.Timer // for those
	seen    window
	queue   []event // for the application
	busy    bool    // the application is at one
}

// arrival is a frame and where it came from.
type arrival struct {
	from *link
	data []byte
}

// event is a call of one of the application's callbacks, and the cursor that counts when it has succeeded.
type event struct {
	call   func(context.Context) error
	cursor string
}

func newSession(ctx context.Context, c *Client) *session {
	return &session{
		client: c, ctx: ctx, posted: make(chan func()), arrived: make(chan arrival), over: make(chan struct{}),
		links: map[*link]bool{}, seen: window{ids: map[string]bool{}},
	}
}

func (s *session) run(calls <-chan func(*session)) error {
	s.connect()
	for s.err == nil {
		arrived := s.arrived
		if len(s.queue) >= maxWaiting {
			arrived = nil
		}
		select {
		case <-s.ctx.Done():
			s.err = context.Cause(s.ctx)
		case do := <-calls:
			do(s)
		case do := <-s.posted:
			do()
		case a := <-arrived:
			s.receive(a.from, a.data)
		}
	}
	return s.shutDown()
}

func (s *session) shutDown() error {
	stop(s.retry)
	s.asked()
	for l := range s.links {
		stop(l.timer)
		s.close(l)
	}
	close(s.over)
	s.running.Wait()
	return s.err
}

// post has the session do something; it is for other goroutines.
func (s *session) post(do func()) {
	select {
	case s.posted <- do:
	case <-s.over:
	}
}

func (s *session) spawn(do func()) { s.running.Go(do) }

func (s *session) after(d time.Duration, do func()) *time.Timer {
	return time.AfterFunc(d, func() { s.post(do) })
}

// connect opens the next link, unless one is on its way.
func (s *session) connect() {
	if s.next == nil && !s.leaving {
		stop(s.retry)
		s.retry = nil
		s.next = s.open()
	}
}

// check pings, or connects if the next attempt was waited for.
func (s *session) check() {
	switch {
	case s.current != nil:
		s.ping(s.current)
	case s.retry != nil:
		s.connect()
	}
}

// opened greets the service, or settles for raw bodies if it does not speak v1.
func (s *session) opened(l *link, conn *websocket.Conn) {
	if l.ended {
		return
	}
	l.conn, s.denied = conn, false
	if conn.Subprotocol() != subprotocol {
		l.info.Raw = true
		s.settle(l, answer{})
		return
	}
	s.greet(l)
}

// greet says hello, and again if no answer comes: the function behind it may have failed.
func (s *session) greet(l *link) {
	if l.greetings++; l.greetings > maxGreetings {
		s.lose(l, &Error{Code: CodeSilent})
		return
	}
	s.hello(l)
	s.arm(l, answerTimeout, func() { s.greet(l) })
}

// hello asks for all after the last message that is in order.
func (s *session) hello(l *link) {
	frame, err := json.Marshal(request{Action: "hello", After: s.cursor})
	if err != nil {
		s.lose(l, err)
		return
	}
	s.send(l, frame)
}

// awaitLive gives up a link on which nothing arrives before it is live.
func (s *session) awaitLive(l *link) {
	s.arm(l, openTimeout, func() { s.lose(l, &Error{Code: CodeSilent}) })
}

func (s *session) ping(l *link) {
	if l.pinged {
		return
	}
	l.pinged = true
	s.send(l, []byte(pingFrame))
	s.awaitPong(l)
}

func (s *session) awaitPong(l *link) {
	s.arm(l, answerTimeout, func() {
		if len(s.queue) >= maxWaiting { // the pong may be among what is not read
			s.awaitPong(l)
			return
		}
		s.lose(l, &Error{Code: CodeSilent})
	})
}

// rest pings after a while.
func (s *session) rest(l *link) {
	l.pinged = false
	s.arm(l, keepAlive, func() { s.ping(l) })
}

// lose ends a link, and goes on without it.
func (s *session) lose(l *link, err error) {
	if l.ended {
		return
	}
	l.ended = true
	stop(l.timer)
	s.close(l)
	delete(s.links, l)
	switch l {
	case s.current:
		s.current = nil
		if s.next != nil {
			s.down(err, 0)
			return
		}
	case s.next:
		s.next = nil
	default:
		return // after its rollover
	}
	if failed, is := errors.AsType[*Error](err); is && failed.Code == CodeDenied {
		if s.denied {
			s.leave(err)
			return
		}
		s.denied = true
	}
	s.reconnect(err)
}

// leave ends the session after what has arrived was handled.
func (s *session) leave(err error) {
	s.leaving = true
	s.tell(func(context.Context) error { return err }, "")
}

func (s *session) reconnect(err error) {
	bound := min(firstWait<<min(s.failures, 10), longestWait)
	wait := time.Duration(s.client.random() * float64(bound))
	s.failures++
	if s.current == nil {
		s.down(err, wait)
	}
	stop(s.retry)
	s.retry = s.after(wait, s.connect)
}

func (s *session) down(err error, wait time.Duration) {
	s.tell(func(context.Context) error {
		if s.client.options.OnDown != nil {
			s.client.options.OnDown(Down{err, wait})
		}
		return nil
	}, "")
}

// tell queues a callback.
func (s *session) tell(call func(context.Context) error, cursor string) {
	s.queue = append(s.queue, event{call, cursor})
	s.pump()
}

// pump calls the next callback when the last one has returned.
func (s *session) pump() {
	if s.busy || len(s.queue) == 0 {
		return
	}
	e := s.queue[0]
	s.queue[0] = event{}
	s.queue, s.busy = s.queue[1:], true
	s.spawn(func() {
		err := s.handle(e)
		s.post(func() {
			s.busy = false
			if err != nil && s.err == nil {
				s.err = err
				return
			}
			s.pump()
		})
	})
}

// handle calls a callback and saves the cursor, also if the session ends meanwhile.
func (s *session) handle(e event) error {
	if err := e.call(s.ctx); err != nil || e.cursor == "" || s.client.options.Storage == nil {
		return err
	}
	return s.client.options.Storage.Save(context.WithoutCancel(s.ctx), e.cursor)
}
