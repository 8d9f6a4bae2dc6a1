package sqs_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"heliograph/simulator/sqs"
)

// model is the expected behaviour of a queue with a dead-letter queue, in the simplest form: a list of messages, each
// with the time at which it is visible. It leaves the order of messages open.
type model struct {
	clock    *clock
	queue    *sqs.Queue
	dead     *sqs.Queue
	messages []*modelMessage
	number   int
}

type modelMessage struct {
	body      string
	sent      time.Time
	visibleAt time.Time
	receives  int
	handle    string
	handles   []string // older ones
	dead      bool     // moved to the dead-letter queue
}

const (
	modelTimeout   = 10 * time.Second
	modelRetention = 300 * time.Second
	modelReceives  = 3
)

func newModel(t *rapid.T) *model {
	m := &model{clock: newClock()}
	s := newServer(m.clock)
	create := func(name string, attributes map[string]string) *sqs.Queue {
		attributes["MessageRetentionPeriod"] = "300"
		attributes["VisibilityTimeout"] = "10"
		q, err := s.Create(name, attributes)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	m.dead = create("dead", map[string]string{})
	m.queue = create("q", map[string]string{"RedrivePolicy": redrive(m.dead, fmt.Sprint(modelReceives))[1]})
	return m
}

// visible are the messages of one of the two queues that may be received now.
func (m *model) visible(dead bool) (visible []*modelMessage) {
	for _, msg := range m.messages {
		if msg.dead == dead && !msg.visibleAt.After(m.clock.Now()) {
			visible = append(visible, msg)
		}
	}
	return visible
}

func (m *model) forget(msg *modelMessage) {
	m.messages = slices.DeleteFunc(m.messages, func(other *modelMessage) bool { return other == msg })
}

func (m *model) send(t *rapid.T) {
	m.number++
	msg := &modelMessage{body: fmt.Sprint(m.number), sent: m.clock.Now()}
	delay := time.Duration(rapid.IntRange(0, 15).Draw(t, "delay")) * time.Second
	msg.visibleAt = msg.sent.Add(delay)
	if _, err := m.queue.Send(sqs.Outgoing{Body: msg.body, Delay: &delay}); err != nil {
		t.Fatal(err)
	}
	m.messages = append(m.messages, msg)
}

// receive receives from one of the two queues, and accounts for every visible message that did not come.
func (m *model) receive(t *rapid.T, dead bool) {
	queue := m.queue
	if dead {
		queue = m.dead
	}
	limit := rapid.IntRange(1, 10).Draw(t, "max")
	visible := m.visible(dead)
	got, err := queue.Receive(t.Context(), limit, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, received := range got {
		i := slices.IndexFunc(visible, func(msg *modelMessage) bool { return msg.body == received.Body })
		if i < 0 {
			t.Fatalf("%q was received, and was not visible, was given twice, or is gone", received.Body)
		}
		m.given(t, visible[i], received, dead)
		visible = slices.Delete(visible, i, i+1)
	}
	// A visible message that was not returned has moved, or there was no room for it.
	for _, msg := range visible {
		switch {
		case !dead && msg.receives >= modelReceives && len(got) < limit:
			msg.dead, msg.handle = true, ""
		case !dead && msg.receives >= modelReceives:
			m.maybeMoved(msg)
		case len(got) < limit:
			t.Fatalf("%q was visible, and was not received, though there was room", msg.body)
		}
	}
}

// given notes that a message was received.
func (m *model) given(t *rapid.T, msg *modelMessage, received sqs.Message, dead bool) {
	if !dead && msg.receives >= modelReceives {
		t.Fatalf("%q was received more often than the redrive policy allows", msg.body)
	}
	msg.receives++
	if got := received.Attributes["ApproximateReceiveCount"]; got != fmt.Sprint(msg.receives) {
		t.Fatalf("%q: receive count %s, want %d", msg.body, got, msg.receives)
	}
	if source := received.Attributes["DeadLetterQueueSourceArn"]; (source != "") != dead {
		t.Fatalf("%q: DeadLetterQueueSourceArn %q", msg.body, source)
	}
	if msg.handle != "" {
		msg.handles = append(msg.handles, msg.handle)
	}
	msg.handle, msg.visibleAt = received.ReceiptHandle, m.clock.Now().Add(modelTimeout)
}

// maybeMoved resolves a case that the model leaves open: a full receive may have skipped a message, or moved it. The
// handle shows which: it is valid for as long as the message is in its queue.
func (m *model) maybeMoved(msg *modelMessage) {
	if code(m.queue.ChangeVisibility(msg.handle, 0)) != "MessageNotInflight" {
		msg.dead, msg.handle = true, ""
	}
}

// pick draws a received message, or nil.
func (m *model) pick(t *rapid.T) *modelMessage {
	var received []*modelMessage
	for _, msg := range m.messages {
		if msg.handle != "" {
			received = append(received, msg)
		}
	}
	if len(received) == 0 {
		t.Skip("nothing was received")
	}
	return rapid.SampledFrom(received).Draw(t, "message")
}

func (m *model) home(msg *modelMessage) *sqs.Queue {
	if msg.dead {
		return m.dead
	}
	return m.queue
}

func (m *model) delete(t *rapid.T) {
	msg := m.pick(t)
	if err := m.home(msg).Delete(msg.handle); err != nil {
		t.Fatal(err)
	}
	m.forget(msg)
}

// deleteOld deletes with an outdated handle, which must have no effect.
func (m *model) deleteOld(t *rapid.T) {
	msg := m.pick(t)
	if len(msg.handles) == 0 || msg.dead {
		t.Skip("no older handle")
	}
	if err := m.queue.Delete(rapid.SampledFrom(msg.handles).Draw(t, "handle")); err != nil {
		t.Fatal(err)
	}
}

func (m *model) changeVisibility(t *rapid.T) {
	msg := m.pick(t)
	timeout := time.Duration(rapid.IntRange(0, 20).Draw(t, "timeout")) * time.Second
	err := m.home(msg).ChangeVisibility(msg.handle, timeout)
	if !msg.visibleAt.After(m.clock.Now()) {
		if code(err) != "MessageNotInflight" {
			t.Fatalf("%q is visible; changing that: %v", msg.body, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	msg.visibleAt = m.clock.Now().Add(timeout)
}

func (m *model) advance(t *rapid.T) {
	m.clock.advance(time.Duration(rapid.IntRange(1, 15_000).Draw(t, "ms")) * time.Millisecond)
	now := m.clock.Now()
	m.messages = slices.DeleteFunc(m.messages, func(msg *modelMessage) bool { return now.Sub(msg.sent) >= modelRetention })
}

// check compares the gauges with the model: a message that is in neither queue is lost.
func (m *model) check(t *rapid.T) {
	for _, dead := range []bool{false, true} {
		queue, want := m.queue, sqs.Stats{}
		if dead {
			queue = m.dead
		}
		for _, msg := range m.messages {
			switch {
			case msg.dead != dead:
			case !msg.visibleAt.After(m.clock.Now()):
				want.Visible++
			case msg.receives == 0:
				want.Delayed++
			default:
				want.NotVisible++
			}
		}
		got := queue.Stats()
		if got.Visible != want.Visible || got.NotVisible != want.NotVisible || got.Delayed != want.Delayed {
			t.Fatalf("%s has %d visible, %d in flight, %d delayed; want %d, %d, %d", queue.Name(),
				got.Visible, got.NotVisible, got.Delayed, want.Visible, want.NotVisible, want.Delayed)
		}
	}
}

// TestModel proves by random use that a queue never loses a message, never returns one that is not visible, and moves
// it after its last receive.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"send":             m.send,
			"receive":          func(t *rapid.T) { m.receive(t, false) },
			"receive again":    func(t *rapid.T) { m.receive(t, false) }, // or messages would seldom die
			"receive dead":     func(t *rapid.T) { m.receive(t, true) },
			"delete":           m.delete,
			"delete old":       m.deleteOld,
			"changeVisibility": m.changeVisibility,
			"advance":          m.advance,
			"":                 m.check,
		})
		// In the end every remaining message is received once, from one of the two queues.
		m.clock.advance(20 * time.Second)
		m.advance(t)
		for _, dead := range []bool{false, true} {
			for range m.number + 1 {
				m.receive(t, dead)
			}
			if left := m.visible(dead); len(left) > 0 {
				t.Fatalf("%d messages never came out", len(left))
			}
		}
	})
}
