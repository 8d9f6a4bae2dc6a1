package sqs

import "time"

// Stats are a queue's gauges and counters, from which CloudWatch's metrics of it can be made.
type Stats struct {
	// Visible messages can be received, NotVisible ones have been and are in flight, Delayed ones never
	// could be.
	Visible, NotVisible, Delayed int
	// OldestAge is how long the oldest message is in the queue; 0 without one. A message that was
	// received here more than three times does not count, as on AWS, where a poison message would hide the
	// others.
	OldestAge time.Duration
	// Sent, Received and Deleted count messages, EmptyReceives the receives that gave none, all since the
	// queue was made. A dead letter that was moved here was not sent.
	Sent, Received, Deleted, EmptyReceives uint64
}

// Stats are the queue's as of now.
func (q *Queue) Stats() Stats {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return q.stats()
}

func (q *Queue) stats() Stats {
	now := q.server.clock.Now()
	q.settle(now)
	s := Stats{
		Visible: len(q.visible), NotVisible: len(q.hidden) - q.delayed, Delayed: q.delayed,
		Sent: q.counts.sent, Received: q.counts.received, Deleted: q.counts.deleted, EmptyReceives: q.counts.emptyReceives,
	}
	for _, m := range q.messages {
		if m.receivesHere <= 3 {
			s.OldestAge = max(s.OldestAge, now.Sub(m.arrived))
		}
	}
	return s
}
