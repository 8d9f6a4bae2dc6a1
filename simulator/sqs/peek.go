package sqs

import (
	"cmp"
	"slices"
)

// Peeked is a message viewed without receiving it, which only a simulator can do.
type Peeked struct {
	Message
	// State is visible, in flight or delayed.
	State string
}

// Peek returns up to max messages, the longest in the queue first, and changes nothing: it counts no receive and hides
// no message. Their receipt handles are empty.
func (q *Queue) Peek(max int) []Peeked {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	q.settle(q.server.clock.Now())
	all := make([]*message, 0, len(q.messages))
	for _, m := range q.messages {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *message) int {
		return cmp.Or(a.arrived.Compare(b.arrived), cmp.Compare(a.sequence, b.sequence))
	})
	list := make([]Peeked, 0, min(max, len(all)))
	for _, m := range all[:min(max, len(all))] {
		list = append(list, Peeked{m.show(""), q.stateOf(m)})
	}
	return list
}

func (q *Queue) stateOf(m *message) string {
	switch {
	case m.pile == &q.visible:
		return "visible"
	case m.delayed():
		return "delayed"
	default:
		return "in flight"
	}
}
