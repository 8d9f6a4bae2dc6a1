package sqs

import "time"

// Stats are a queue's gauges and counters, from which its CloudWatch metrics can be derived.
type Stats struct {
	// Visible messages can be received, NotVisible ones are in flight, Delayed ones have never been receivable.
	Visible, NotVisible, Delayed int
	// OldestAge is how long the oldest message has been in the queue; 0 without one. A message received here more than
	// three times does not count, as on AWS, where a poison message would hide the others.
	OldestAge time.Duration
	// Sent, Received and Deleted count messages, EmptyReceives the receives that returned none, all since the queue was
	// made. A dead letter moved here does not count as sent.
	Sent, Received, Deleted, EmptyReceives uint64
}

// Stats returns the queue's current statistics.
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
