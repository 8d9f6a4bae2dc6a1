package client

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// link is one connection, from its first attempt to its end.
type link struct {
	conn   *websocket.Conn
	cancel context.CancelFunc // ends its goroutines, and the connection without a close frame
	out    chan []byte        // frames to send; nil closes the connection properly
	timer  *time.Timer        // ends what waits too long, or pings
	info   Live
	live   bool

	greetings int        // hellos that were said
	greeted   bool       // one was answered
	pinged    bool       // a pong is due
	held      []incoming // arrived before all that was missed had
	ended     bool
}

// dial opens the socket. The token travels as a subprotocol, because URLs end up in the logs of proxies.
func (c *Client) dial(ctx context.Context) (*websocket.Conn, error) {
	token, err := c.options.Token(ctx)
	if err != nil {
		return nil, &Error{Code: CodeToken, Err: err}
	}
	conn, response, err := websocket.Dial(ctx, c.options.URL, &websocket.DialOptions{
		Subprotocols: []string{subprotocol, rawSubprotocol, "bearer." + token}, HTTPClient: c.options.HTTPClient,
	})
	switch {
	case err == nil:
		conn.SetReadLimit(maxMessage)
		return conn, nil
	case response != nil && (response.StatusCode == http.StatusForbidden || response.StatusCode == http.StatusUnauthorized):
		return nil, &Error{Code: CodeDenied, Reason: response.Status}
	}
	return nil, &Error{Code: CodeLost, Err: err}
}

// open starts a link's goroutine.
func (s *session) open() *link {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx)) // a canceled Read would cut what shall be closed properly
	l := &link{cancel: cancel, out: make(chan []byte, maxOut)}
	s.links[l] = true
	s.arm(l, openTimeout, func() { s.lose(l, &Error{Code: CodeSilent}) })
	s.spawn(func() { s.serve(ctx, l) })
	return l
}

// serve opens the socket and reads from it until it ends.
func (s *session) serve(ctx context.Context, l *link) {
	defer l.cancel()
	conn, err := s.client.dial(ctx)
	if err != nil {
		s.post(func() { s.lose(l, err) })
		return
	}
	defer conn.CloseNow()
	s.spawn(func() { s.write(ctx, l, conn) })
	s.post(func() { s.opened(l, conn) })
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			s.post(func() { s.lose(l, &Error{Code: CodeLost, Err: err}) })
			return
		}
		select {
		case s.arrived <- arrival{l, data}:
		case <-s.over: // read on, since closing properly needs the other side's answer
		}
	}
}

// write sends what the session puts out, so that a full socket does not hold it up.
func (s *session) write(ctx context.Context, l *link, conn *websocket.Conn) {
	for {
		select {
		case <-ctx.Done():
			return
		case frame := <-l.out:
			if frame == nil {
				_ = conn.Close(websocket.StatusNormalClosure, "")
				return
			}
			sending, cancel := context.WithTimeout(ctx, answerTimeout)
			err := conn.Write(sending, websocket.MessageText, frame)
			cancel()
			if err != nil {
				s.post(func() { s.lose(l, &Error{Code: CodeLost, Err: err}) })
				return
			}
		}
	}
}

// send queues a frame.
func (s *session) send(l *link, frame []byte) {
	select {
	case l.out <- frame:
	default:
		s.lose(l, &Error{Code: CodeSilent})
	}
}

// arm sets a link's timer anew.
func (s *session) arm(l *link, d time.Duration, do func()) {
	stop(l.timer)
	l.timer = s.after(d, func() {
		if !l.ended {
			do()
		}
	})
}

// close closes a link properly, after what was sent. If it takes nothing more, it is cut.
func (s *session) close(l *link) {
	if l.conn != nil {
		select {
		case l.out <- nil:
			return
		default:
		}
	}
	l.cancel()
}

func stop(timer *time.Timer) {
	if timer != nil {
		timer.Stop()
	}
}
