package sqs

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
	all := q.inOrder()
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
