package client

import (
	"context"
	"encoding/json"
)

// receive takes a frame.
func (s *session) receive(l *link, data []byte) {
	if l.ended {
		return
	}
	if l.info.Raw {
		s.receiveRaw(l, data)
		return
	}
	var a answer
	if json.Unmarshal(data, &a) != nil {
		return // no frame of v1
	}
	if l.greeted && !l.live {
		s.awaitLive(l)
	}
	switch {
	case a.Action == "pong":
		s.rest(l)
	case a.Type == "hello":
		s.greeted(l, a.Live)
	case a.Type == "message":
		s.take(l, a)
	case a.Type == "live":
		s.settle(l, a)
	case a.Type == "rollover" && l == s.current:
		s.connect()
	case a.Type == "goodbye" && (l == s.current || l == s.next):
		s.goodbye(l, a)
	}
}

func (s *session) receiveRaw(l *link, data []byte) {
	if string(data) == pongFrame {
		s.rest(l)
		return
	}
	body, err := json.Marshal(string(data))
	if err == nil {
		s.deliver(Message{Body: body})
	}
}

// take hands a message on, unless it arrived before those that were missed.
func (s *session) take(l *link, a answer) {
	switch {
	case l.live || a.Replay:
		l.kept = l.kept || a.Message.Cursor != ""
		s.deliver(a.Message)
	case len(l.held) < maxHeld:
		l.held = append(l.held, a.Message)
	default:
		s.lose(l, &Error{Code: CodeFull})
	}
}

// settle makes a link the current one: all that was missed has arrived.
func (s *session) settle(l *link, a answer) {
	if l.live {
		s.position(l, a)
		return
	}
	old := s.current
	l.live = true
	s.current, s.next = l, nil
	s.rest(l)
	s.announce(l, a)
	for _, m := range l.held {
		s.deliver(m)
	}
	l.held = nil
	if old != nil {
		s.arm(old, linger, func() { s.close(old) })
	}
	s.after(steady, func() {
		if s.current == l {
			s.failures = 0
		}
	})
}

// position takes a live link's position, which only counts before a kept message has told a later one.
func (s *session) position(l *link, a answer) {
	if a.Reset && s.client.options.OnReset != nil {
		s.tell(s.client.options.OnReset, "")
	}
	if !l.kept && a.Message.Cursor != "" {
		s.cursor = a.Message.Cursor
		s.tell(func(context.Context) error { return nil }, s.cursor)
	}
}

// announce tells the application that it is connected, and before, that it may have missed something.
func (s *session) announce(l *link, a answer) {
	o := s.client.options
	if a.Reset && o.OnReset != nil {
		s.tell(o.OnReset, "")
	}
	if a.Message.Cursor != "" {
		s.cursor = a.Message.Cursor
	}
	s.tell(func(context.Context) error {
		if o.OnLive != nil {
			o.OnLive(l.info)
		}
		return nil
	}, a.Message.Cursor)
}

// goodbye ends the session if connecting again makes no sense.
func (s *session) goodbye(l *link, a answer) {
	err := &Error{Code: CodeGoodbye, Reason: a.Reason}
	if a.Again != nil && !*a.Again {
		s.leave(err)
		return
	}
	s.lose(l, err)
}

// deliver hands a message to the application, unless it has it.
func (s *session) deliver(m Message) {
	if m.ID != "" && !s.seen.add(m.ID) {
		return
	}
	if m.Cursor != "" {
		s.cursor = m.Cursor
	}
	s.tell(func(ctx context.Context) error { return s.client.options.OnMessage(ctx, m) }, m.Cursor)
}

// window is the last ids, to tell copies by.
type window struct {
	ids   map[string]bool
	order []string // a ring once it is full
	at    int
}

// add reports whether an id is new.
func (w *window) add(id string) bool {
	if w.ids[id] {
		return false
	}
	w.ids[id] = true
	if len(w.order) < maxSeen {
		w.order = append(w.order, id)
		return true
	}
	delete(w.ids, w.order[w.at])
	w.order[w.at] = id
	w.at = (w.at + 1) % maxSeen
	return true
}
