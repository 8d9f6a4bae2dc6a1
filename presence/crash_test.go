package presence_test

import (
	"context"
	"fmt"
	"math/bits"
	"testing"
	"time"

	"heliograph"
	"heliograph/presence"
)

// TestCrashes proves that a function that dies at any of its calls, or gets a wrong answer there, leaves nothing wrong
// for longer than a lease and two sweeps, with or without another device.
func TestCrashes(t *testing.T) {
	t.Parallel()
	fates := map[string]fate{"die before": dieBefore, "die after": dieAfter, "refuse": refuse, "lie": lie, "lose": lose, "late": late}
	for _, other := range []bool{false, true} {
		for _, operation := range []string{"connect", "disconnect"} {
			for name, f := range fates {
				t.Run(fmt.Sprintf("%s, %s, other device %v", operation, name, other), func(t *testing.T) {
					t.Parallel()
					steps := 0
					for crash(t, operation, f, steps, other) {
						steps++
					}
					if want := map[string]int{"connect": 2, "disconnect": 3}[operation]; steps < want {
						t.Errorf("the operation took %d calls only", steps)
					}
				})
			}
		}
	}
}

// crash makes an operation fail at one call, and checks the consequences. It reports whether the operation has that
// many calls.
func crash(t *testing.T, operation string, f fate, step int, other bool) bool {
	w := newWorld(t)
	truth := []heliograph.ConnectionID{}
	if other {
		w.connect(t, "1234", "other")
		w.sockets.open("other")
		truth = append(truth, "other")
	}
	var p *process
	if operation == "connect" {
		p = begin(operation, func(p *process) error {
			return w.in(p).Connect(context.Background(), presence.Connection{User: "1234", ID: "a"})
		}, nil)
	} else {
		w.connect(t, "1234", "a")
		p = begin(operation, func(p *process) error {
			return w.in(p).Disconnect(context.Background(), "1234", "a", start)
		}, nil)
	}
	for range step {
		p.step(goOn)
		if p.ended() {
			return false
		}
	}
	p.step(f)
	p.finish()
	if p.err == nil {
		t.Errorf("call %d failed, and nobody was told", step)
	}
	w.settle(t)
	p.land()
	w.converge(t) // a failed connect was refused, so the connection is not alive in either case
	same(t, fmt.Sprintf("open, after call %d", step), append([]heliograph.ConnectionID{}, w.open(t, "1234")...), truth)
	if online := w.status(t, "1234").Online; online != other {
		t.Errorf("after call %d: online is %v", step, online)
	}
	w.checkEvents(t, "1234", other)
	return true
}

// TestConnectDuringDisconnect proves that a presence read before another device connects is too old to act on.
func TestConnectDuringDisconnect(t *testing.T) {
	t.Parallel()
	for before := range 6 { // at each call of the disconnect, the other device connects
		w := newWorld(t)
		w.connect(t, "1234", "a")
		p := begin("disconnect", func(p *process) error {
			return w.in(p).Disconnect(context.Background(), "1234", "a", w.Now())
		}, nil)
		for range before {
			if !p.ended() {
				p.step(goOn)
			}
		}
		w.connect(t, "1234", "b")
		w.sockets.open("b")
		p.finish()
		if p.err != nil {
			t.Fatal(p.err)
		}
		same(t, "open", w.open(t, "1234"), []heliograph.ConnectionID{"b"})
		if !w.status(t, "1234").Online {
			t.Errorf("the disconnect stood before call %d, and the user is offline", before)
		}
		w.settle(t)
		w.checkEvents(t, "1234", true)
	}
}

// TestDisconnectTogether proves that two devices that leave at once, in every order of their calls, leave the user
// offline.
func TestDisconnectTogether(t *testing.T) {
	t.Parallel()
	const calls = 5 // delete, get, query, update, get; a disconnect that has to check again runs to its end
	w := newWorld(t)
	for order := range uint(1) << (2 * calls) {
		if bits.OnesCount(order) != calls {
			continue
		}
		user := heliograph.UserID(fmt.Sprintf("user%b", order))
		w.connect(t, user, "a")
		w.connect(t, user, "b")
		var ps []*process
		for _, id := range []heliograph.ConnectionID{"a", "b"} {
			ps = append(ps, begin(string(id), func(p *process) error {
				return w.in(p).Disconnect(context.Background(), user, id, w.Now())
			}, nil))
		}
		for bit := range 2 * calls {
			if p := ps[order>>bit&1]; !p.ended() {
				p.step(goOn)
			}
		}
		for _, p := range ps {
			p.finish()
		}
		if status := w.status(t, user); status.Online || !status.LastActivity.Equal(start) {
			t.Fatalf("order %b: %v", order, status)
		}
	}
}

// TestDisconnectBeforeConnect proves that the sweep finds the ghost of a disconnect that ran before its connect as soon
// as its first lease is over.
func TestDisconnectBeforeConnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.disconnect(t, "1234", "a")
	w.connect(t, "1234", "a")
	w.advance(presence.FirstLease - time.Second) // leases end on whole seconds
	w.sweep(t)
	if !w.status(t, "1234").Online {
		t.Error("the ghost was taken away before its lease was over")
	}
	w.advance(time.Second)
	w.sweep(t)
	same(t, "open", w.open(t, "1234"), []heliograph.ConnectionID{})
	same(t, "status", w.statusWithin(t, "1234"), presence.Status{User: "1234", LastActivity: start, OfflineSince: w.Now()})
	w.checkEvents(t, "1234", false)
}

// TestDisconnectDuringConnect proves that a client that gives up while its $connect runs does not stay online. Its
// $disconnect runs between the two writes, and no lease is left to end. If the stream's records are handled late, the
// deletion makes the user offline again. If they are handled before the second write, the Announcer finds that the user
// came without a connection, reverts that, and announces nothing.
func TestDisconnectDuringConnect(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before       func(t tb, w *world)
		late, prompt string // the announcements in the end
	}{
		"who never was here": {func(tb, *world) {}, "+-", ""},
		"who is away for less than the grace period": {func(t tb, w *world) {
			w.connect(t, "u", "old")
			w.settle(t)
			w.disconnect(t, "u", "old")
			w.deliver(t)
		}, "+-", "+-"},
		"who is away for longer": {func(t tb, w *world) {
			w.connect(t, "u", "old")
			w.settle(t)
			w.disconnect(t, "u", "old")
			w.settle(t)
		}, "+-+-", "+-"},
		"who is here": {func(t tb, w *world) {
			w.connect(t, "u", "old")
			w.sockets.open("old")
			w.settle(t)
		}, "+", "+"},
	}
	for name, test := range tests {
		for announced, want := range map[string]string{"late": test.late, "promptly": test.prompt} {
			t.Run(name+", announced "+announced, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				test.before(t, w)
				online := w.status(t, "u").Online
				p := w.beginConnect("u", "a")
				p.until("UpdateItem")
				w.disconnect(t, "u", "a")
				if announced == "promptly" {
					w.deliver(t)
				}
				p.finish()
				if p.err != nil || len(w.open(t, "u")) != len(w.sockets.alive) {
					t.Fatalf("connect: %v; open: %v", p.err, w.open(t, "u"))
				}
				w.settle(t) // no sweep, which could not help
				if got := w.status(t, "u").Online; got != online {
					t.Errorf("online: %v, want %v", got, online)
				}
				w.checkEvents(t, "u", online)
				if got := w.transitions(t, "u"); got != want || len(w.heard) != len(want) {
					t.Errorf("announced %q, want %q", got, want)
				}
			})
		}
	}
}

// TestConnectLandsLate proves that the write that makes a user online does no lasting harm if it lands when the
// function that made it is long dead, and the sweep has removed the connection.
func TestConnectLandsLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.beginConnect("u", "a")
	p.until("UpdateItem")
	p.step(late)
	p.finish()
	w.converge(t)
	if len(w.open(t, "u")) != 0 || w.status(t, "u").Online {
		t.Fatal("the sweep left a ghost")
	}
	p.land()
	if !w.status(t, "u").Online {
		t.Fatal("the write did not land, so this proves nothing")
	}
	w.settle(t)
	same(t, "status", w.statusWithin(t, "u"), presence.Status{User: "u", LastActivity: start, OfflineSince: w.Now()})
	w.checkEvents(t, "u", false)
}

// beginConnect starts a connect as a process.
func (w *world) beginConnect(user heliograph.UserID, id heliograph.ConnectionID) *process {
	return begin("connect "+string(id), func(p *process) error {
		return w.in(p).Connect(context.Background(), presence.Connection{User: user, ID: id})
	}, nil)
}

// TestTimeToLive proves that a connection that no function deleted is removed by the table itself, and the user goes
// offline with it.
func TestTimeToLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(t, "1234", "a")
	w.settle(t)
	w.advance(presence.MaxAge)
	w.table.ExpireDue(w.Now())
	if !w.status(t, "1234").Online {
		t.Error("the time to live came early")
	}
	w.advance(2 * time.Second)
	w.table.ExpireDue(w.Now())
	w.settle(t)
	same(t, "status", w.statusWithin(t, "1234"), presence.Status{User: "1234", LastActivity: start, OfflineSince: w.Now()})
	w.checkEvents(t, "1234", false)

	w.advance(presence.Memory + 2*time.Second)
	w.table.ExpireDue(w.Now())
	same(t, "status after half a year", w.status(t, "1234"), presence.Status{User: "1234"})
	w.settle(t)
	versions := w.events(t, "1234")
	w.connect(t, "1234", "b")
	w.settle(t)
	if now := w.events(t, "1234"); len(now) != len(versions)+1 || now[len(now)-1].Version <= versions[len(versions)-1].Version {
		t.Errorf("events: %v", now)
	}
}

// TestTimeToLiveOfPresence proves that a user who is back before the item expires keeps it while online.
func TestTimeToLiveOfPresence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(t, "1234", "a")
	w.disconnect(t, "1234", "a")
	w.advance(presence.Memory - time.Hour)
	w.connect(t, "1234", "b")
	w.advance(2 * time.Hour)
	w.table.ExpireDue(w.Now())
	if !w.status(t, "1234").Online || len(w.open(t, "1234")) != 1 {
		t.Error("the presence of a user who is online was taken away")
	}
}
