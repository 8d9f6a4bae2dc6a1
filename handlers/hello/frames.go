package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"

	"heliograph"
	"heliograph/delivery"
	"heliograph/mailbox"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// client is the connection that said hello.
type client struct {
	post       delivery.Poster
	connection string
}

// live is the last frame of the answer: the client has everything up to the cursor.
type live struct {
	Type   string `json:"type"`
	Cursor string `json:"cursor"`
	Reset  bool   `json:"reset,omitempty"`
}

// missed is a frame with messages that the client has missed, in order. It is worth its while: API Gateway bills 32 KB as it
// bills a byte, and each post takes a round trip.
type missed struct {
	Type     string            `json:"type"`
	Messages []json.RawMessage `json:"messages"`
}

// maxMissed is how many bytes of messages a frame has, unless one message alone has more.
const maxMissed = 31 << 10

// welcome sends the client its whole answer. Frames are posted one after the other, so that they arrive in order.
func (c client) welcome(ctx context.Context, e event, boxes mailboxes) error {
	answer, err := e.greeting()
	if err != nil {
		return err
	}
	if err := c.send(ctx, answer); err != nil {
		return err
	}
	observability.Add(ctx, catalogue.Hellos, 1)
	stands, err := boxes.Since(ctx, heliograph.UserID(e.text(heliograph.ContextUserID)), e.after(), func(page []mailbox.Kept) error {
		return c.replay(ctx, page)
	})
	if err != nil {
		return err
	}
	if stands.Reset {
		observability.Add(ctx, catalogue.Resets, 1)
	}
	return c.send(ctx, live{Type: "live", Cursor: stands.Cursor, Reset: stands.Reset})
}

// replay sends messages that the client has missed, as many in a frame as have room.
func (c client) replay(ctx context.Context, page []mailbox.Kept) error {
	frame, size := missed{Type: "missed"}, 0
	flush := func() error {
		if len(frame.Messages) == 0 {
			return nil
		}
		err := c.send(ctx, frame)
		if err == nil {
			observability.Add(ctx, catalogue.MessagesReplayed, float64(len(frame.Messages)))
		}
		frame.Messages, size = nil, 0
		return err
	}
	for _, kept := range page {
		text := frameOf(kept).Bytes()
		if size+len(text) > maxMissed {
			if err := flush(); err != nil {
				return err
			}
		}
		frame.Messages, size = append(frame.Messages, text), size+len(text)+1
	}
	return flush()
}

// frameOf returns the frame in which a message was, or would have been, delivered.
func frameOf(kept mailbox.Kept) message.Frame {
	m := message.Message{Body: []byte(kept.Body), Value: kept.Value}
	f := m.Frame(kept.ID, kept.SentAt)
	f.Cursor, f.Position = kept.Cursor, mailbox.PositionOf(kept.Cursor)
	return f
}

// send posts a frame to the client.
func (c client) send(ctx context.Context, frame any) error {
	text, err := message.JSON(frame)
	if err != nil {
		return fmt.Errorf("encode a frame: %w", err)
	}
	_, err = c.post.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &c.connection, Data: []byte(text)})
	if err != nil {
		return fmt.Errorf("post a frame: %w", err)
	}
	return nil
}
