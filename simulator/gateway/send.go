package gateway

import (
	"context"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// sendError is the status of a post that was refused.
type sendError int

const (
	sendGone sendError = iota + 1
	sendFull
)

// send queues a message for the client, as text if it is valid text. A client that does not read makes the queue grow,
// up to a limit. 0 means that the message was queued.
func (c *connection) send(data []byte) sendError {
	kind := websocket.MessageText
	if !utf8.Valid(data) {
		kind = websocket.MessageBinary
	}
	c.mu.Lock()
	switch {
	case c.over || c.ending != nil:
		c.mu.Unlock()
		return sendGone
	case c.queued > 0 && c.queued+len(data) > c.stage.api.g.options.Limits.Buffer:
		c.mu.Unlock()
		return sendFull
	}
	c.queue = append(c.queue, outgoing{kind, data})
	c.queued += len(data)
	c.sent++
	c.lastActive = c.stage.api.g.options.Now()
	c.mu.Unlock()
	c.stage.metric("MessageCount", "Count", 1) // the metric covers both directions
	c.write()
	return 0
}

// write starts a goroutine that empties the queue, unless one is running or the queue is empty.
func (c *connection) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.upgraded && !c.writing && !c.over && len(c.queue) > 0 {
		c.writing = c.stage.api.g.background(c.drain)
	}
}

// drain writes outside the lock, so that a slow client delays only its own messages and posts still return at once.
func (c *connection) drain() {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 || c.over {
			c.writing, c.queue = false, nil
			c.mu.Unlock()
			return
		}
		next := c.queue[0]
		c.queue = c.queue[1:]
		c.mu.Unlock()
		err := c.socket.Write(context.Background(), next.kind, next.data)
		c.mu.Lock()
		c.queued -= len(next.data)
		c.mu.Unlock()
		if err != nil {
			_ = c.socket.CloseNow() // the reader notices and ends the connection
			return
		}
	}
}
