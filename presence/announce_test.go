package presence_test

import (
	"context"
	"errors"
	"testing"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph"
	"heliograph/presence"
)

// transitions are a user's events, + for online, - for offline.
func (w *world) transitions(t tb, user heliograph.UserID) string {
	t.Helper()
	var out []byte
	for _, e := range w.events(t, user) {
		if e.Online {
			out = append(out, '+')
		} else {
			out = append(out, '-')
		}
	}
	return string(out)
}

// TestAnnounceTransitions proves that exactly the coming of the first device and the going of the last are announced,
// whatever devices do.
func TestAnnounceTransitions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(t tb, w *world)
		want string
	}{
		"comes":           {func(t tb, w *world) { w.connect(t, "u", "a") }, "+"},
		"comes and goes":  {func(t tb, w *world) { w.connect(t, "u", "a"); w.disconnect(t, "u", "a") }, "+-"},
		"two devices":     {func(t tb, w *world) { w.connect(t, "u", "a"); w.connect(t, "u", "b") }, "+"},
		"one of two goes": {func(t tb, w *world) { w.connect(t, "u", "a"); w.connect(t, "u", "b"); w.disconnect(t, "u", "a") }, "+"},
		"a stranger goes": {func(t tb, w *world) { w.disconnect(t, "u", "a") }, ""},
		"goes twice":      {func(t tb, w *world) { w.connect(t, "u", "a"); w.disconnect(t, "u", "a"); w.disconnect(t, "u", "a") }, "+-"},
		"is back within it": {func(t tb, w *world) {
			w.connect(t, "u", "a")
			w.settle(t)
			w.disconnect(t, "u", "a")
			w.deliver(t)
			w.connect(t, "u", "b")
		}, "+"},
		"comes back later": {func(t tb, w *world) {
			w.connect(t, "u", "a")
			w.disconnect(t, "u", "a")
			w.settle(t)
			w.connect(t, "u", "b")
		}, "+-+"},
		"back and gone": {func(t tb, w *world) {
			w.connect(t, "u", "a")
			w.settle(t)
			w.disconnect(t, "u", "a")
			w.deliver(t)
			w.connect(t, "u", "b")
			w.deliver(t)
			w.disconnect(t, "u", "b")
		}, "+-"},
		"flaps before a word": {func(t tb, w *world) {
			w.connect(t, "u", "a")
			w.disconnect(t, "u", "a")
			w.connect(t, "u", "b")
			w.disconnect(t, "u", "b")
		}, "+-"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.do(t, w)
			w.settle(t)
			if got := w.transitions(t, "u"); got != test.want || len(w.heard) != len(test.want) {
				t.Errorf("announced %q, want %q: %v", got, test.want, w.heard)
			}
		})
	}
}

// TestEventTimes proves that an event carries the time when the user came or went, to the millisecond, rather than the
// time of publication.
func TestEventTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(t, "u", "a")
	w.advance(time.Second)
	w.connect(t, "u", "b")
	w.settle(t)
	w.advance(time.Second)
	w.disconnect(t, "u", "a")
	w.advance(time.Second)
	w.disconnect(t, "u", "b")
	w.advance(time.Minute)
	w.settle(t)
	events := w.events(t, "u")
	if len(events) != 2 || !events[0].At.Equal(start) || !events[1].At.Equal(start.Add(3*time.Second)) {
		t.Errorf("events: %v", events)
	}
	// The first connect has the first epoch, the second connect the next, staying online by a new connection the
	// third, and going offline the fourth.
	if first := start.UnixMilli() + 1; events[0].Version != first || events[1].Version != first+3 {
		t.Errorf("versions: %d, %d, want %d, %d", events[0].Version, events[1].Version, first, first+3)
	}
}

// TestRecordIsLost proves that the user's next record makes up for a lost one: the event still says when the user came.
func TestRecordIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(t, "u", "a")
	w.after = w.table.Stream().Shards()[0].Latest()
	w.advance(time.Minute)
	w.connect(t, "u", "b")
	w.settle(t)
	if events := w.events(t, "u"); len(events) != 1 || !events[0].Online || !events[0].At.Equal(start) {
		t.Errorf("events: %v", events)
	}
}

// TestRecordsComeAgain proves that repeating the whole stream and every note, any number of times, announces nothing
// new, whether the user is online or not.
func TestRecordsComeAgain(t *testing.T) {
	t.Parallel()
	for _, online := range []bool{true, false} {
		w := newWorld(t)
		var notes []presence.Grace
		for range 3 {
			w.connect(t, "u", "a")
			w.deliver(t)
			w.disconnect(t, "u", "a")
			w.deliver(t)
			notes = append(notes, w.graces...)
			w.settle(t)
		}
		want := "+-+-+-"
		if online {
			w.connect(t, "u", "a")
			w.settle(t)
			want += "+"
		}
		for range 2 {
			w.after = ""
			w.graces = append(w.graces, notes...)
			w.settle(t)
		}
		if got := w.transitions(t, "u"); got != want || len(w.heard) != len(want) {
			t.Errorf("online %v: announced %q, in %d events", online, got, len(w.heard))
		}
	}
}

// TestNoteComesFirst proves that a note may overtake the records of the stream, even those of the change that it is
// about.
func TestNoteComesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(t, "u", "a")
	w.disconnect(t, "u", "a")
	epoch := start.UnixMilli() + 2
	if err := w.announcer().GraceOver(t.Context(), presence.Grace{User: "u", Epoch: epoch}); err != nil {
		t.Fatal(err)
	}
	if len(w.heard) != 0 {
		t.Errorf("the going of somebody who never came was announced: %v", w.heard)
	}
	w.settle(t)
	if got := w.transitions(t, "u"); got != "+-" {
		t.Errorf("announced %q", got)
	}
}

// TestRecordsComeLate proves that a user who has gone by the time late records arrive is still announced as having
// come.
func TestRecordsComeLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.connect(t, "u", "a")
		w.disconnect(t, "u", "a")
	}
	w.settle(t)
	w.checkEvents(t, "u", false)
	if got := w.transitions(t, "u"); got != "+-" {
		t.Errorf("announced %q: three visits within the grace period are one", got)
	}
}

// TestTopicDown proves that a decision made while the topic was down is published before anything else is decided: a
// user who went, and is back by the time the topic is, has been away.
func TestTopicDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	announcer := w.announcer()
	handleAll := func() (failed error) {
		for _, r := range w.records(t, w.after) {
			if err := announcer.Handle(t.Context(), recordOf(r)); err != nil {
				return err
			}
			w.after = r.Sequence
		}
		return nil
	}
	w.connect(t, "u", "a")
	if err := errors.Join(handleAll(), handleAll(), handleAll()); err != nil {
		t.Fatal(err)
	}
	w.disconnect(t, "u", "a")
	if err := handleAll(); err != nil || len(w.graces) != 1 {
		t.Fatalf("notes: %v, %v", w.graces, err)
	}
	w.deaf = true
	note := w.graces[0]
	if err := announcer.GraceOver(t.Context(), note); !errors.Is(err, errDeaf) {
		t.Fatalf("end of the grace period: %v", err)
	}
	w.connect(t, "u", "b")
	if err := handleAll(); !errors.Is(err, errDeaf) {
		t.Fatalf("records: %v", err)
	}
	w.deaf = false
	came := w.records(t, w.after)[0] // the failed one; no other is needed
	if err := announcer.Handle(t.Context(), recordOf(came)); err != nil || w.transitions(t, "u") != "+-+" {
		t.Fatalf("announced %q: %v, %v", w.transitions(t, "u"), w.heard, err)
	}
	for range 4 {
		if err := handleAll(); err != nil {
			t.Fatal(err)
		}
	}
	if err := announcer.GraceOver(t.Context(), note); err != nil { // SQS delivers the note again
		t.Fatal(err)
	}
	if got := w.transitions(t, "u"); got != "+-+" || len(w.heard) != 3 {
		t.Errorf("announced %q: %v", got, w.heard)
	}
}

// TestAnnouncerDies proves that another invocation makes up for a function that died after deciding, or after
// publishing; in the second case there are two events, with one version.
func TestAnnouncerDies(t *testing.T) {
	t.Parallel()
	for _, direction := range []string{"online", "offline"} {
		for step, events := range map[int]int{0: 1, 1: 1, 2: 2} { // before deciding, publishing, marking
			for f, more := range map[fate]int{dieBefore: 0, dieAfter: 1} {
				w := newWorld(t)
				w.connect(t, "u", "a")
				if direction == "offline" {
					w.settle(t)
					w.disconnect(t, "u", "a")
					w.deliver(t)
					w.heard = nil
				}
				p := begin("announce", func(p *process) error {
					announcer := presence.NewAnnouncer(w.in(p), steppedWorld{w, p}, steppedWorld{w, p})
					if direction == "offline" {
						return announcer.GraceOver(context.Background(), w.graces[0])
					}
					for _, r := range w.records(t, w.after) {
						if err := announcer.Handle(context.Background(), recordOf(r)); err != nil {
							return err
						}
					}
					return nil
				}, nil)
				p.until("UpdateItem") // a coming user is verified first
				for range step {
					p.step(goOn)
				}
				p.step(f)
				p.finish()
				if !errors.Is(p.err, errDead) {
					t.Fatalf("%s, step %d: %v", direction, step, p.err)
				}
				w.settle(t)
				want := events
				if step == 1 {
					want += more // it had been published
				}
				if step == 2 {
					want -= more // it had been marked, so that no invocation publishes it again
				}
				if len(w.heard) != want || len(w.events(t, "u")) != 1 {
					t.Errorf("%s, step %d, fate %d: heard %v, want %d times", direction, step, f, w.heard, want)
				}
			}
		}
	}
}

// TestRemovalMendsPresence proves that the stream makes up for a function that died after removing a connection; the
// time of the removal is the last activity.
func TestRemovalMendsPresence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(t, "u", "a")
	w.settle(t)
	w.advance(time.Minute)
	if _, err := w.db.DeleteItem(t.Context(), &api.DeleteItemInput{
		TableName: new(tableName), Key: item{"pk": text("user#u"), "sk": text("conn#a")},
	}); err != nil {
		t.Fatal(err)
	}
	gone := w.Now()
	w.advance(time.Minute)
	w.settle(t)
	same(t, "status", w.statusWithin(t, "u"), presence.Status{User: "u", LastActivity: gone, OfflineSince: w.Now()})
	w.checkEvents(t, "u", false)
}

// TestForeignRecords proves that records of other items are ignored.
func TestForeignRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, sk := range []string{"other#1", "", "conn#a"} {
		keys := item{"pk": text("user#u"), "sk": text(sk)}
		if err := w.announcer().Handle(t.Context(), presence.Record{Keys: keys, New: keys}); err != nil {
			t.Errorf("%q: %v", sk, err)
		}
	}
	if err := w.announcer().Handle(t.Context(), presence.Record{}); err != nil {
		t.Error(err)
	}
	if len(w.heard)+len(w.graces) != 0 {
		t.Errorf("heard %v, notes %v", w.heard, w.graces)
	}
}
