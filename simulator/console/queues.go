package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"heliograph/simulator/sqs"
)

// queueRow is a queue in the list.
type queueRow struct {
	Name     string `json:"name"`
	Visible  int    `json:"visible"`
	InFlight int    `json:"inFlight"`
	Delayed  int    `json:"delayed"`
	Sent     uint64 `json:"sent"`
	Deleted  uint64 `json:"deleted"`
	// Oldest is the age of the oldest message in seconds.
	Oldest int `json:"oldest"`
	// DeadLetters is the queue's dead-letter queue, DeadLettersOf the queue whose dead letters lie here.
	DeadLetters   string `json:"deadLetters,omitempty"`
	DeadLettersOf string `json:"deadLettersOf,omitempty"`
}

// depths are the queues as they are now, without ages, which change all the time.
func (c *console) depths() []queueRow {
	rows := []queueRow{}
	for _, q := range c.Queues.Queues() {
		s := q.Stats()
		rows = append(rows, queueRow{
			Name: q.Name(), Visible: s.Visible, InFlight: s.NotVisible, Delayed: s.Delayed, Sent: s.Sent, Deleted: s.Deleted,
			DeadLetters: deadLettersOf(q),
		})
	}
	for i := range rows {
		for _, other := range rows {
			if other.DeadLetters == rows[i].Name {
				rows[i].DeadLettersOf = other.Name
			}
		}
	}
	return rows
}

// deadLettersOf names a queue's dead-letter queue, from its redrive policy.
func deadLettersOf(q *sqs.Queue) string {
	var policy struct{ DeadLetterTargetArn string }
	if json.Unmarshal([]byte(q.Attributes()["RedrivePolicy"]), &policy) != nil {
		return ""
	}
	return policy.DeadLetterTargetArn[strings.LastIndex(policy.DeadLetterTargetArn, ":")+1:]
}

func (c *console) queues(*http.Request) (any, error) {
	rows := c.depths()
	for i, q := range c.Queues.Queues() {
		rows[i].Oldest = int(q.Stats().OldestAge / time.Second)
	}
	return rows, nil
}

// queued is a message on a queue.
type queued struct {
	ID       sqs.MessageID `json:"id"`
	State    string        `json:"state"`
	Sent     string        `json:"sent"` // Unix milliseconds
	Received string        `json:"received"`
	Reason   string        `json:"reason,omitempty"`
	Detail   string        `json:"detail,omitempty"`
	Body     string        `json:"body"`
	// Attributes are the message's own, as text.
	Attributes map[string]string `json:"attributes"`
}

// messagesShown is how many messages of a queue are shown.
const messagesShown = 100

func (c *console) queue(r *http.Request) (any, error) {
	q, err := c.Queues.Queue(r.PathValue("name"))
	if err != nil {
		return nil, notFound(err.Error())
	}
	letters := c.revivedTo(q) != ""
	list := []queued{}
	for _, m := range q.Peek(messagesShown) {
		one := queued{
			ID: m.MessageID, State: m.State, Sent: m.Attributes["SentTimestamp"], Received: m.Attributes["ApproximateReceiveCount"],
			Body: m.Body, Attributes: map[string]string{},
		}
		for name, a := range m.MessageAttributes {
			one.Attributes[name] = cmp.Or(a.StringValue, "(binary)")
		}
		if letters && c.App.Reason != nil {
			one.Reason, one.Detail = c.App.Reason(m.Message)
		}
		list = append(list, one)
	}
	return map[string]any{"name": q.Name(), "messages": list, "redriveTo": c.revivedTo(q)}, nil
}

// revivedTo names the queue that dead letters go back to: the one whose dead-letter queue this is.
func (c *console) revivedTo(q *sqs.Queue) string {
	for _, other := range c.Queues.Queues() {
		if deadLettersOf(other) == q.Name() {
			return other.Name()
		}
	}
	return ""
}

// redrive puts dead letters back: the one of the body's "id", or all that are visible.
func (c *console) redrive(r *http.Request) (any, error) {
	from, err := c.Queues.Queue(r.PathValue("name"))
	if err != nil {
		return nil, notFound(err.Error())
	}
	to, err := c.Queues.Queue(c.revivedTo(from))
	if err != nil {
		return nil, refused(from.Name() + " is not a dead-letter queue")
	}
	var in struct{ ID sqs.MessageID }
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	n, err := c.putBack(r.Context(), from, to, in.ID)
	return map[string]int{"redriven": n}, err
}

// putBack sends each message before it deletes the letter, so that it is never in neither queue. Letters that are not picked
// become visible again.
func (c *console) putBack(ctx context.Context, from, to *sqs.Queue, only sqs.MessageID) (n int, err error) {
	for range from.Stats().Visible { // those that die again meanwhile are left alone
		letters, err := from.Receive(ctx, 1, 0)
		if err != nil || len(letters) == 0 {
			return n, err
		}
		m := letters[0]
		if only != "" && m.MessageID != only {
			defer func() { _ = from.ChangeVisibility(m.ReceiptHandle, 0) }()
			continue
		}
		if _, err := to.Send(c.revive(m)); err != nil {
			return n, errors.Join(err, from.ChangeVisibility(m.ReceiptHandle, 0))
		}
		if err := from.Delete(m.ReceiptHandle); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (c *console) revive(m sqs.Message) sqs.Outgoing {
	if c.App.Revive != nil {
		return c.App.Revive(m)
	}
	return m.Again()
}
