package client

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
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
		l.info, l.greeted = a.Live, true
		if !l.live {
			s.awaitLive(l)
		}
	case a.Type == "message":
		s.take(l, a.incoming)
	case a.Type == "missed":
		s.missed(a.Messages)
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
		s.deliver(Message{Body: body}, "")
	}
}

// take hands a message on if it is next. Until a link is live, nothing of it is: messages that were missed come first.
func (s *session) take(l *link, m incoming) {
	switch {
	case !l.live && len(l.held) < maxHeld:
		l.held = append(l.held, m)
	case !l.live:
		s.lose(l, &Error{Code: CodeFull})
	case m.Position == 0:
		s.deliver(m.Message, "")
	case placeOf(s.cursor).reaches(placeOf(m.Cursor)): // a copy
	case placeOf(s.cursor).precedes(placeOf(m.Cursor)):
		s.advance(m.Message)
		s.takeWaiting()
	default:
		s.wait(m)
	}
}

// advance hands on the next kept message.
func (s *session) advance(m Message) {
	s.cursor = m.Cursor
	s.deliver(m, m.Cursor)
}

// wait keeps a message aside that overtook another, or is of another mailbox. If the other does not come, it is asked for.
func (s *session) wait(m incoming) {
	at, _ := slices.BinarySearchFunc(s.waiting, m.Position, func(other incoming, p int64) int { return cmp.Compare(other.Position, p) })
	s.waiting = slices.Insert(s.waiting, at, m)
	switch {
	case s.asking != nil:
	case placeOf(s.cursor).mailbox != placeOf(m.Cursor).mailbox:
		s.ask()
	default:
		s.asking = s.after(overtaken, s.ask)
	}
}

// ask asks for all after the last message that is in order.
func (s *session) ask() {
	if s.current == nil {
		return
	}
	s.hello(s.current)
	s.asking = s.after(answerTimeout, s.ask)
}

// takeWaiting takes what was put aside, as far as it is next now.
func (s *session) takeWaiting() {
	for len(s.waiting) > 0 {
		here, next := placeOf(s.cursor), placeOf(s.waiting[0].Cursor)
		if !here.reaches(next) && !here.precedes(next) {
			return
		}
		if here.precedes(next) {
			s.advance(s.waiting[0].Message)
		}
		s.waiting = s.waiting[1:]
	}
	s.asked()
}

// asked ends the wait for what was overtaken.
func (s *session) asked() {
	stop(s.asking)
	s.asking = nil
}

// missed takes messages that the service sends in order, unless another link was faster.
func (s *session) missed(all []incoming) {
	for _, m := range all {
		if !placeOf(s.cursor).reaches(placeOf(m.Cursor)) {
			s.advance(m.Message)
		}
	}
}

// settle has all that was missed. If it is a link's first time, the link becomes the current one.
func (s *session) settle(l *link, a answer) {
	if a.Reset && s.client.options.OnReset != nil {
		s.tell(s.client.options.OnReset, "")
	}
	cursor := a.Cursor
	if cursor != "" && (a.Reset || !placeOf(s.cursor).reaches(placeOf(cursor))) {
		s.cursor = cursor
	} else {
		cursor = "" // another link has got further
	}
	if !l.live {
		s.promote(l, cursor)
	} else {
		s.save(cursor)
	}
	aside := append(s.waiting, l.held...)
	s.waiting, l.held = nil, nil
	s.asked()
	for _, m := range aside {
		s.take(l, m)
	}
}

// promote makes a link the current one.
func (s *session) promote(l *link, cursor string) {
	old := s.current
	l.live = true
	s.current, s.next = l, nil
	s.rest(l)
	s.tell(func(context.Context) error {
		if s.client.options.OnLive != nil {
			s.client.options.OnLive(l.info)
		}
		return nil
	}, cursor)
	if old != nil {
		s.arm(old, linger, func() { s.close(old) })
	}
	s.after(steady, func() {
		if s.current == l {
			s.failures = 0
		}
	})
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

// deliver hands a message to the application, unless it has a copy.
func (s *session) deliver(m Message, cursor string) {
	if m.ID != "" && !s.seen.add(m.ID) {
		s.save(cursor)
		return
	}
	s.tell(func(ctx context.Context) error { return s.client.options.OnMessage(ctx, m) }, cursor)
}

// save saves a cursor when all before it was handled.
func (s *session) save(cursor string) {
	if cursor != "" {
		s.tell(func(context.Context) error { return nil }, cursor)
	}
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
