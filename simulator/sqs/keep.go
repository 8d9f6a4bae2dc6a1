package sqs

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Kept is a queue in the form in which it is saved.
type Kept struct {
	// Attributes are those of Create.
	Attributes map[string]string
	Messages   []KeptMessage `json:",omitempty"`
}

// KeptMessage is a message in the form in which it is saved: with its history, without its receipt handles.
type KeptMessage struct {
	MessageID MessageID
	Outgoing
	Sent, Arrived, FirstReceived time.Time
	// Visible is when the message becomes visible.
	Visible                time.Time
	Receives, ReceivesHere int
	// Source is the ARN of the queue from which the message was moved as a dead letter.
	Source string `json:",omitempty"`
}

// Keep returns all queues, by name, at one instant.
func (s *Server) Keep() map[string]Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := map[string]Kept{}
	for name, q := range s.queues {
		q.settle(s.clock.Now())
		k := Kept{Attributes: q.settings.show()}
		for _, m := range q.inOrder() {
			k.Messages = append(k.Messages, m.keep())
		}
		kept[name] = k
	}
	return kept
}

// keep returns a message as it is saved. One in flight is visible at once, since its receiver may be gone by the time
// that it is loaded.
func (m *message) keep() KeptMessage {
	k := KeptMessage{
		MessageID: m.id, Outgoing: m.out, Sent: m.sent, Arrived: m.arrived, FirstReceived: m.firstReceived, Visible: m.visibleAt,
		Receives: m.receives, ReceivesHere: m.receivesHere, Source: m.source,
	}
	k.Delay = nil // Visible says it
	if !m.delayed() {
		k.Visible = m.arrived
	}
	return k
}

// Load puts kept messages on the queue. A message that the queue could not have taken is an error.
func (q *Queue) Load(kept []KeptMessage) error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	now := q.server.clock.Now()
	for _, k := range kept {
		if err := k.check(); err != nil {
			return fmt.Errorf("load the message %s of the queue %s: %w", k.MessageID, q.name, err)
		}
		q.put(&message{
			id: k.MessageID, out: k.Outgoing, md5OfBody: md5Of(k.Body), sent: k.Sent, visibleAt: k.Visible,
			firstReceived: k.FirstReceived, receives: k.Receives, receivesHere: k.ReceivesHere, source: k.Source,
		}, now)
		q.messages[k.MessageID].arrived = k.Arrived
	}
	return nil
}

// inOrder returns the messages, the longest in the queue first.
func (q *Queue) inOrder() []*message {
	all := make([]*message, 0, len(q.messages))
	for _, m := range q.messages {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *message) int {
		return cmp.Or(a.arrived.Compare(b.arrived), cmp.Compare(a.sequence, b.sequence))
	})
	return all
}
