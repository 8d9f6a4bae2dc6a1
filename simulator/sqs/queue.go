package sqs

import (
	"context"
	"maps"
	"time"

	"github.com/google/uuid"
)

// Queue is one queue. Its methods are the API's actions, for use within the process.
type Queue struct {
	server  *Server
	name    string
	arn     string
	created time.Time

	// Everything below is guarded by the server's lock.
	settings settings
	modified time.Time
	purged   time.Time
	gone     bool // deleted

	messages map[MessageID]*message
	visible  pile // due messages; up to date after settle
	hidden   pile // delayed and in flight
	delayed  int  // how many of the hidden ones are delayed
	oldest   time.Time
	counts   counts

	// changed is closed when something may have become visible, or will be sooner than was known; nil while no receiver
	// waits.
	changed chan struct{}
}

// counts are a queue's event counts since its creation.
type counts struct{ sent, received, deleted, emptyReceives uint64 }

// maxInFlight is how many messages may be received and not deleted. Source: "Amazon SQS standard queue quotas".
const maxInFlight = 120000

// newQueue makes a queue without registering it.
func newQueue(s *Server, name string, now time.Time) *Queue {
	return &Queue{
		server: s, name: name, arn: s.arn(name), created: now, modified: now,
		settings: defaults(), messages: map[MessageID]*message{},
	}
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// ARN is the queue's ARN.
func (q *Queue) ARN() string { return q.arn }

// URL is the queue's URL, by which API calls name it.
func (q *Queue) URL() string {
	return q.server.options.Endpoint + "/" + q.server.options.Account + "/" + q.name
}

// usable returns the error of a deleted queue or a closed server. The lock is held.
func (q *Queue) usable() error {
	switch {
	case q.server.closed:
		return errClosed()
	case q.gone:
		return errNoQueue()
	}
	return nil
}

// Send puts a message on the queue. Errors: MissingRequiredParameterException for an empty body,
// InvalidMessageContents, InvalidParameterValueException for an invalid attribute or delay or a message that is too
// long, QueueDoesNotExist.
func (q *Queue) Send(o Outgoing) (Sent, error) {
	if err := o.check(); err != nil {
		return Sent{}, err
	}
	o.Attributes = maps.Clone(o.Attributes)
	// Checksums are computed before taking the lock, which all queues share.
	sent := Sent{
		MessageID: MessageID(uuid.NewString()), MD5OfBody: md5Of(o.Body),
		MD5OfAttributes: md5OfAttributes(o.Attributes), MD5OfSystemAttributes: md5OfTraceHeader(o.TraceHeader),
	}
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	if err := q.usable(); err != nil {
		return Sent{}, err
	}
	if limit := q.settings.numbers["MaximumMessageSize"]; o.size() > limit {
		return Sent{}, tooLong(limit)
	}
	delay := q.settings.seconds("DelaySeconds")
	if o.Delay != nil {
		delay = *o.Delay
	}
	now := q.server.clock.Now()
	q.settle(now)
	q.put(&message{id: sent.MessageID, out: o, md5OfBody: sent.MD5OfBody, sent: now, visibleAt: now.Add(delay)}, now)
	q.counts.sent++
	return sent, nil
}

// put adds a new message to the queue.
func (q *Queue) put(m *message, now time.Time) {
	m.arrived, m.sequence = now, q.server.next()
	if len(q.messages) == 0 || m.sent.Before(q.oldest) {
		q.oldest = m.sent
	}
	q.messages[m.id] = m
	q.place(m, now)
	q.wake()
}

// place puts a message on its proper pile.
func (q *Queue) place(m *message, now time.Time) {
	if !m.visibleAt.After(now) {
		q.visible.add(m)
		return
	}
	q.hidden.add(m)
	if m.delayed() {
		q.delayed++
	}
}

// displace takes a message off its pile.
func (q *Queue) displace(m *message) {
	if m.pile == &q.hidden && m.delayed() {
		q.delayed--
	}
	m.remove()
}

// forget removes a message from the queue.
func (q *Queue) forget(m *message) {
	q.displace(m)
	delete(q.messages, m.id)
}

// settle brings the queue up to date: due messages become visible, and those past their retention period are dropped.
func (q *Queue) settle(now time.Time) {
	for q.hidden.due(now) {
		m := q.hidden[0]
		q.displace(m)
		q.visible.add(m)
	}
	retention := q.settings.seconds("MessageRetentionPeriod")
	if len(q.messages) == 0 || now.Sub(q.oldest) < retention {
		return
	}
	// oldest may be the time of a message that is already gone, so this checks all of them; afterwards it is exact, and
	// nothing is checked until it, too, has passed.
	oldest := now
	for _, m := range q.messages {
		switch {
		case now.Sub(m.sent) >= retention:
			q.forget(m)
		case m.sent.Before(oldest):
			oldest = m.sent
		}
	}
	q.oldest = oldest
}

// wake makes all waiting receivers try again.
func (q *Queue) wake() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// Receive returns up to max (1 to 10) messages with all their attributes, and hides them for the queue's visibility
// time-out. Without any, it waits for the first one, up to wait, and may then return none. Errors: QueueDoesNotExist,
// also when the queue is deleted meanwhile; ServiceUnavailable when the server is closed; OverLimit; the context's own.
func (q *Queue) Receive(ctx context.Context, max int, wait time.Duration) ([]Message, error) {
	return q.receive(ctx, max, wait, nil)
}

// receive is Receive with an optional visibility time-out of its own.
func (q *Queue) receive(ctx context.Context, max int, wait time.Duration, visibility *time.Duration) ([]Message, error) {
	deadline := q.server.clock.Now().Add(wait)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		messages, next, err := q.try(max, visibility, deadline)
		if len(messages) > 0 || err != nil || next == nil {
			return messages, err
		}
		fired, stop := q.server.clock.After(next.in)
		select {
		case <-next.changed:
		case <-fired:
		case <-ctx.Done():
		}
		stop()
	}
}

// retry describes when to try again to receive.
type retry struct {
	in      time.Duration
	changed <-chan struct{}
}

// try takes what can be received now. If that is nothing, it returns when to try again, nil meaning that the deadline
// has passed.
func (q *Queue) try(max int, visibility *time.Duration, deadline time.Time) ([]Message, *retry, error) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	if err := q.usable(); err != nil {
		return nil, nil, err
	}
	now := q.server.clock.Now()
	q.settle(now)
	room := q.server.maxInFlight - (len(q.hidden) - q.delayed)
	if messages := q.take(min(max, room), visibility, now); len(messages) > 0 {
		return messages, nil, nil
	}
	left := deadline.Sub(now)
	if left <= 0 {
		q.counts.emptyReceives++
		if room <= 0 {
			return nil, nil, errOverLimit(q.server.maxInFlight)
		}
		return nil, nil, nil
	}
	if len(q.hidden) > 0 {
		left = min(left, q.hidden[0].visibleAt.Sub(now))
	}
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return nil, &retry{left, q.changed}, nil
}

// take receives visible messages. A message received as often as the redrive policy allows is moved to the dead-letter
// queue instead; AWS, too, moves it at that point.
func (q *Queue) take(max int, visibility *time.Duration, now time.Time) []Message {
	timeout := q.settings.seconds("VisibilityTimeout")
	if visibility != nil {
		timeout = *visibility
	}
	target := q.server.deadLetterQueue(q.settings.redrive)
	var taken []*message
	for len(taken) < max && len(q.visible) > 0 {
		m := q.visible.take(q.server.options.Pick)
		if target != nil && m.receives >= q.settings.redrive.MaxReceiveCount {
			delete(q.messages, m.id)
			target.bury(m, q.arn, now)
			continue
		}
		taken = append(taken, m)
	}
	messages := make([]Message, len(taken))
	for i, m := range taken {
		m.received, m.receipt, m.visibleAt = now, q.server.next(), now.Add(timeout)
		m.receivesHere++
		if m.receives++; m.receives == 1 {
			m.firstReceived = now
		}
		q.redeliver(m, now)
		q.place(m, now) // only now; otherwise a time-out of 0 would return the message twice
		messages[i] = m.show(makeHandle(q.arn, m.id, m.receipt))
	}
	q.counts.received += uint64(len(taken))
	return messages
}

// redeliver schedules another delivery of the message being received, if Options.Redeliver asks for it.
func (q *Queue) redeliver(m *message, now time.Time) {
	m.again = time.Time{} // this may be the second time
	if q.server.options.Redeliver == nil || m.asked {
		return
	}
	m.asked = true
	if after, again := q.server.options.Redeliver(q.arn); again {
		m.again = now.Add(after)
		if m.again.Before(m.visibleAt) {
			m.visibleAt = m.again
		}
		q.wake()
	}
}

// outlive keeps a deleted message that is to be delivered again, and reports whether it did.
func (q *Queue) outlive(m *message, now time.Time) bool {
	if m.again.IsZero() {
		return false
	}
	q.displace(m)
	m.receipt, m.visibleAt = 0, m.again
	q.place(m, now)
	q.wake()
	return true
}

// bury puts a dead letter of another queue on this one. It keeps its id, its times and its receive count; its retention
// period keeps running from when it was sent. Source: the developer guide, "Using dead-letter queues in Amazon SQS".
func (q *Queue) bury(m *message, sourceARN string, now time.Time) {
	m.source, m.visibleAt, m.receipt, m.receivesHere = sourceARN, now, 0, 0
	q.settle(now)
	q.put(m, now)
}

// Delete deletes a message by the handle of its newest receive. A handle of an older receive, or of a message that is
// gone, has no effect, as on AWS. Errors: ReceiptHandleIsInvalid, QueueDoesNotExist.
func (q *Queue) Delete(receiptHandle string) error {
	id, receipt, err := parseHandle(q.arn, receiptHandle)
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	if err := q.usable(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	now := q.server.clock.Now()
	q.settle(now)
	if m := q.messages[id]; m != nil && m.receipt == receipt {
		if !q.outlive(m, now) {
			q.forget(m)
		}
		q.counts.deleted++
	}
	return nil
}

// ChangeVisibility hides a message for a time from now, 0 to 12 hours; 0 makes it visible at once. Errors:
// ReceiptHandleIsInvalid; MessageNotInflight for a message that is visible again; InvalidParameterValueException for a
// handle of an older receive or of a message that is gone, for a time out of range, and for one that ends over 12 hours
// after the receive.
func (q *Queue) ChangeVisibility(receiptHandle string, timeout time.Duration) error {
	if timeout < 0 || timeout > maxVisibility*time.Second {
		return errValue(int(timeout.Seconds()), "VisibilityTimeout", "Must be between 0 and 43200.")
	}
	id, receipt, err := parseHandle(q.arn, receiptHandle)
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	if err := q.usable(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	now := q.server.clock.Now()
	q.settle(now)
	m := q.messages[id]
	if m == nil || m.receipt != receipt {
		return errValue(receiptHandle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
	}
	if m.pile == &q.visible {
		return errNotInflight()
	}
	if now.Add(timeout).Sub(m.received) > maxVisibility*time.Second {
		return errValue(int(timeout.Seconds()), "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
	}
	q.displace(m)
	m.visibleAt = now.Add(timeout)
	q.place(m, now)
	q.wake()
	return nil
}

// Purge deletes all messages. Errors: PurgeQueueInProgress within 60 s of the previous purge, QueueDoesNotExist.
func (q *Queue) Purge() error {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	if err := q.usable(); err != nil {
		return err
	}
	now := q.server.clock.Now()
	if !q.purged.IsZero() && now.Sub(q.purged) < recreate {
		return errPurgeInProgress(q.name)
	}
	q.purged = now
	q.messages, q.visible, q.hidden, q.delayed = map[MessageID]*message{}, nil, nil, 0
	return nil
}
