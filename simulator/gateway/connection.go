package gateway

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"heliograph/simulator/internal/sleep"
)

// connection is a WebSocket connection. It costs one goroutine, which reads, and a second one only while writing.
type connection struct {
	stage       *Stage
	deployment  *deployment
	id          ConnectionID
	connectedAt time.Time
	host        string
	ip, agent   string
	authorizer  map[string]any // the parts of the authorizer's answer that later events carry
	socket      *websocket.Conn
	guard       *frameGuard

	mu         sync.Mutex
	lastActive time.Time
	upgraded   bool // the client has the 101 answer: earlier posts wait for it
	writing    bool // a goroutine is emptying the queue
	over       bool
	queue      []outgoing
	queued     int // bytes
	sent       int
	received   int
	ending     *ending // why the gateway is ending the connection
	timer      *time.Timer
}

// outgoing is one queued message.
type outgoing struct {
	kind websocket.MessageType
	data []byte
}

// ending is a close code and a reason.
type ending struct {
	code   int
	reason string
}

// Close codes and reasons as they appear in API Gateway's $disconnect events. The wording for an abnormal end could not
// be verified.
var (
	endDeleted  = ending{1000, "Connection Closed Normally"}
	endGone     = ending{1001, "Going away"}
	endBinary   = ending{1003, ""}
	endNoStatus = ending{1005, "Client-side close frame status not set"}
	endAbnormal = ending{1006, "Connection Closed Abnormally"}
	endNoUTF8   = ending{1007, ""}
	endTooLarge = ending{1009, ""}
)

func (c *connection) describe() Connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	principal, _ := c.authorizer["principalId"].(string)
	return Connection{
		ID: c.id, API: c.stage.api.id, Stage: c.stage.config.Name, ConnectedAt: c.connectedAt, LastActiveAt: c.lastActive,
		SourceIP: c.ip, UserAgent: c.agent, Principal: principal, Sent: c.sent, Received: c.received, Queued: c.queued,
	}
}

// open registers the connection so that posts can reach it. The client learns of it afterwards; posts made in between
// wait.
func (c *connection) open() bool {
	g := c.stage.api.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.connections[c.id] = c
	return true
}

// forget unregisters the connection, so that later posts to it fail, and stops its timer.
func (c *connection) forget() {
	g := c.stage.api.g
	g.mu.Lock()
	delete(g.connections, c.id)
	g.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// start begins reading, writes whatever is waiting, and starts the clock.
func (c *connection) start() {
	limits := c.stage.api.g.options.Limits
	c.mu.Lock()
	c.upgraded = true
	c.timer = time.AfterFunc(min(limits.Idle, limits.Life), c.expire)
	early := c.ending
	c.mu.Unlock()
	c.write()
	if early != nil { // deleted before the client got its 101 answer
		c.stage.api.g.background(func() { c.close(*early) })
	}
	if !c.stage.api.g.background(c.read) {
		c.abandon()
	}
}

// abandon cuts the connection without a close frame.
func (c *connection) abandon() {
	c.mu.Lock()
	socket := c.socket
	c.mu.Unlock()
	if socket != nil {
		_ = socket.CloseNow()
	}
}

// expire ends a connection that has been idle or open for too long; otherwise it schedules the next check.
func (c *connection) expire() {
	limits, now := c.stage.api.g.options.Limits, c.stage.api.g.options.Now()
	c.mu.Lock()
	left := min(c.lastActive.Add(limits.Idle).Sub(now), c.connectedAt.Add(limits.Life).Sub(now))
	if left > 0 && !c.over {
		c.timer.Reset(left)
	}
	c.mu.Unlock()
	if left <= 0 {
		c.stage.api.g.background(func() { c.end(endGone) })
	}
}

// end closes the connection with a code. Only the first call counts.
func (c *connection) end(e ending) {
	c.mu.Lock()
	first, upgraded := c.ending == nil, c.upgraded
	if first {
		c.ending = &e
	}
	c.mu.Unlock()
	if first && upgraded {
		c.close(e)
	}
}

// close sends a close frame and waits for the client's. A client that does not answer is cut off after 5 s.
func (c *connection) close(e ending) { _ = c.socket.Close(websocket.StatusCode(e.code), e.reason) }

// read takes the client's messages until the connection ends, then invokes the $disconnect route.
func (c *connection) read() {
	for {
		kind, data, err := c.socket.Read(context.Background())
		switch {
		case err != nil:
			c.ended(err)
			return
		case c.guard.oversize.Load():
			c.end(endTooLarge)
		case kind == websocket.MessageBinary:
			c.end(endBinary)
		case !utf8.Valid(data):
			c.end(endNoUTF8)
		default:
			c.receive(data)
		}
	}
}

// ended finds out why the connection ended and cleans up accordingly.
func (c *connection) ended(err error) {
	c.forget()
	e := endAbnormal
	var said websocket.CloseError
	c.mu.Lock()
	switch {
	case c.ending != nil:
		e = *c.ending
	case c.guard.badReason.Load():
		e = endNoUTF8
	case errors.Is(err, websocket.ErrMessageTooBig):
		e = endTooLarge
	case errors.As(err, &said) && said.Code == websocket.StatusNoStatusRcvd:
		e = endNoStatus
	case errors.As(err, &said):
		e = ending{int(said.Code), said.Reason}
	}
	c.mu.Unlock()
	if e == endTooLarge {
		c.linger()
	}
	_ = c.socket.CloseNow()
	c.disconnect(e)
}

// linger keeps reading for a moment: if the socket were closed with unread bytes, the kernel would reset it, and the
// client might never see the close frame.
func (c *connection) linger() {
	_ = c.guard.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, c.guard.Conn)
}

// disconnect invokes the $disconnect route, unless an injected fault delays or loses the event.
func (c *connection) disconnect(e ending) {
	g := c.stage.api.g
	if hook := g.options.Disconnect; hook != nil {
		delay, lost := hook(c.describe())
		if lost || !sleep.For(g.ending, delay) {
			return
		}
	}
	if g.ending.Err() == nil {
		c.invokeDisconnect(e)
	}
}
