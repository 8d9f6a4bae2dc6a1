package presence_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"heliograph"
	"heliograph/presence"
	"heliograph/simulator/dynamodb"
)

// TestPresenceConverges lets functions of two users interleave, die and get wrong answers at every call, loses
// $disconnects, repeats records and notes, and lets the topic be down. It proves that at all times a user with a
// connection is online, and handled changes have been announced. In the end, one lease and two sweeps later, everything
// stored and announced is true, and nothing was announced more often than necessary.
func TestPresenceConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{
			world: newWorld(t),
			owner: map[heliograph.ConnectionID]heliograph.UserID{}, gaveUp: map[heliograph.ConnectionID]bool{}, lanes: map[string]*lane{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"connect":   m.doConnect,
			"give up":   m.doGiveUp,
			"leave":     m.doLeave,
			"prune":     m.doPrune,
			"step":      m.doStep,
			"run":       m.doRun,
			"fail":      m.doFail,
			"handle":    m.doHandle,
			"grace":     m.doGrace,
			"pass time": m.doPassTime,
			"sweep":     m.doSweep,
			"topic":     m.doTopic,
			"":          m.check,
		})
		m.end(t)
	})
}

type machine struct {
	*world
	owner   map[heliograph.ConnectionID]heliograph.UserID // of every connection there ever was
	gaveUp  map[heliograph.ConnectionID]bool              // connections whose client went away before they were open
	running []*process
	lanes   map[string]*lane // by item: Lambda keeps the order of each item's records, and no other

	failed   int // announcers that did not end well
	overlaps int // pairs of announcers that worked at the same time
}

// lane tracks how far the records of one item have been handled.
type lane struct {
	handled dynamodb.Sequence
	handler *process // at most one works on an item's records
}

// itemOfRecord identifies the item of a record.
func itemOfRecord(r presence.Record) string {
	return textOf(r.Keys["pk"]) + " " + textOf(r.Keys["sk"])
}

// next are the records that may be handled now: the first unhandled one of each item, unless it is being handled.
func (m *machine) next(t tb) (next []dynamodb.Record) {
	seen := map[string]bool{}
	for _, r := range m.records(t, m.after) {
		item := itemOfRecord(recordOf(r))
		l := m.lanes[item]
		if l != nil && r.Sequence <= l.handled || seen[item] {
			continue
		}
		seen[item] = true
		if l == nil || l.handler == nil || l.handler.ended() {
			next = append(next, r)
		}
	}
	return next
}

func (m *machine) spawn(name string, work func(p *process) error, after func(error)) *process {
	p := begin(name, work, after)
	p.since = m.Now()
	m.running = append(m.running, p)
	return p
}

// pick draws one of the running processes.
func (m *machine) pick(t *rapid.T) *process {
	running := slices.DeleteFunc(slices.Clone(m.running), (*process).ended)
	if len(running) == 0 {
		t.Skip("nothing runs")
	}
	return rapid.SampledFrom(running).Draw(t, "process")
}

// doConnect connects a device. If its function does not succeed, the gateway refuses it.
func (m *machine) doConnect(t *rapid.T) {
	id := heliograph.ConnectionID(fmt.Sprintf("c%d", len(m.owner)))
	user := rapid.SampledFrom([]heliograph.UserID{"ann", "bob"}).Draw(t, "user")
	m.owner[id] = user
	m.spawn("connect "+string(id), func(p *process) error {
		return m.in(p).Connect(context.Background(), presence.Connection{User: user, ID: id})
	}, func(err error) {
		if err == nil && !m.gaveUp[id] {
			m.sockets.open(id)
		}
	})
}

// doGiveUp makes a client go away while its connection is being made. Its $disconnect, and the handling of the stream,
// may run at once, before the connect goes on.
func (m *machine) doGiveUp(t *rapid.T) {
	id := m.one(t, slices.DeleteFunc(slices.Sorted(maps.Keys(m.owner)), func(id heliograph.ConnectionID) bool {
		return m.gaveUp[id] || !m.connecting(id)
	}))
	m.gaveUp[id] = true
	p := m.disconnectLater(id)
	if rapid.Bool().Draw(t, "at once") {
		p.finish()
		m.catchUp(t)
	}
}

// catchUp handles everything in the stream, unless a batch is being handled.
func (m *machine) catchUp(t *rapid.T) {
	if m.deaf {
		return
	}
	for _, l := range m.lanes {
		if l.handler != nil && !l.handler.ended() {
			return
		}
	}
	m.deliver(t)
}

// connecting reports whether a connection's connect is still running.
func (m *machine) connecting(id heliograph.ConnectionID) bool {
	return slices.ContainsFunc(m.running, func(p *process) bool { return p.name == "connect "+string(id) && !p.ended() })
}

// doLeave closes a connection that is alive. Its $disconnect may never come.
func (m *machine) doLeave(t *rapid.T) {
	id := m.one(t, slices.Sorted(maps.Keys(m.sockets.alive)))
	m.sockets.close(id)
	if rapid.IntRange(0, 9).Draw(t, "lost") > 2 {
		m.disconnectLater(id)
	}
}

// doPrune closes a connection that is not alive, as delivery does, or a $disconnect that is repeated or late.
func (m *machine) doPrune(t *rapid.T) {
	dead := slices.DeleteFunc(slices.Sorted(maps.Keys(m.owner)), func(id heliograph.ConnectionID) bool {
		_, alive := m.sockets.alive[id]
		return alive || m.connecting(id)
	})
	m.disconnectLater(m.one(t, dead))
}

func (m *machine) one(t *rapid.T, ids []heliograph.ConnectionID) heliograph.ConnectionID {
	if len(ids) == 0 {
		t.Skip("there is no such connection")
	}
	return rapid.SampledFrom(ids).Draw(t, "connection")
}

func (m *machine) disconnectLater(id heliograph.ConnectionID) *process {
	return m.spawn("disconnect "+string(id), func(p *process) error {
		return m.in(p).Disconnect(context.Background(), m.owner[id], id, m.Now())
	}, nil)
}

func (m *machine) doStep(t *rapid.T) { m.pick(t).step(goOn) }

// doRun runs one process to its end.
func (m *machine) doRun(t *rapid.T) { m.pick(t).finish() }

// doFail makes a call fail in one of the possible ways.
func (m *machine) doFail(t *rapid.T) {
	m.pick(t).step(rapid.SampledFrom([]fate{dieBefore, dieAfter, refuse, lie, lose, late}).Draw(t, "fate"))
}

// announcerIn is the announcer as a process sees it.
func (m *machine) announcerIn(p *process) *presence.Announcer {
	return presence.NewAnnouncer(m.in(p), steppedWorld{m.world, p}, steppedWorld{m.world, p})
}

// steppedWorld turns publishing and queueing into steps of a process.
type steppedWorld struct {
	*world
	p *process
}

func (s steppedWorld) Publish(ctx context.Context, e presence.Event) error {
	_, err := call(s.p, "Publish", func() (struct{}, error) { return struct{}{}, s.world.Publish(ctx, e) })
	return err
}

func (s steppedWorld) Queue(ctx context.Context, g presence.Grace) error {
	_, err := call(s.p, "Queue", func() (struct{}, error) { return struct{}{}, s.world.Queue(ctx, g) })
	return err
}

// announce starts an announcer.
func (m *machine) announce(name string, work func(*presence.Announcer) error, after func(error)) *process {
	for _, p := range m.running {
		if p.announces && !p.ended() {
			m.overlaps++
		}
	}
	p := m.spawn(name, func(p *process) error { return work(m.announcerIn(p)) }, func(err error) {
		if err != nil {
			m.failed++
		}
		after(err)
	})
	p.announces = true
	return p
}

// doTopic takes the topic down, or brings it back.
func (m *machine) doTopic(t *rapid.T) {
	m.deaf = rapid.IntRange(0, 2).Draw(t, "down") == 0
}

// doHandle takes the next record of one of the items in the stream, while records of others may be under way. If
// handling fails, the record comes again, and some before it may, too.
func (m *machine) doHandle(t *rapid.T) {
	records := m.next(t)
	if len(records) == 0 {
		t.Skip("the stream is at its end")
	}
	next := rapid.SampledFrom(records).Draw(t, "record")
	item := itemOfRecord(recordOf(next))
	l := m.lanes[item]
	if l == nil {
		l = &lane{}
		m.lanes[item] = l
	}
	if rapid.IntRange(0, 19).Draw(t, "again") == 0 { // Lambda retries a whole batch if the function dies
		all := slices.DeleteFunc(m.records(t, ""), func(r dynamodb.Record) bool {
			return itemOfRecord(recordOf(r)) != item || r.Sequence > next.Sequence
		})
		next = rapid.SampledFrom(all).Draw(t, "from")
	}
	l.handler = m.announce("announce", func(a *presence.Announcer) error {
		return a.Handle(context.Background(), recordOf(next))
	}, func(err error) {
		if err == nil {
			l.handled = next.Sequence
			m.checkHandled(t, recordOf(next))
		}
	})
}

// doGrace takes a note off the queue; now and then it stays there for a second delivery.
func (m *machine) doGrace(t *rapid.T) {
	if len(m.graces) == 0 {
		t.Skip("the queue is empty")
	}
	i := rapid.IntRange(0, len(m.graces)-1).Draw(t, "note")
	g := m.graces[i]
	m.graces = slices.Delete(m.graces, i, i+1)
	again := rapid.IntRange(0, 4).Draw(t, "again") == 0
	m.announce("grace", func(a *presence.Announcer) error {
		return a.GraceOver(context.Background(), g)
	}, func(err error) {
		if err != nil || again {
			m.graces = append(m.graces, g)
		}
		if err == nil {
			m.checkGone(t, g)
		}
	})
}

// doPassTime lets time pass. A function that takes over 10 s is killed, and a connecting client is then refused.
func (m *machine) doPassTime(t *rapid.T) {
	m.advance(time.Duration(rapid.IntRange(1, 90_000).Draw(t, "milliseconds")) * time.Millisecond)
	for _, p := range m.running {
		if m.Now().Sub(p.since) > 10*time.Second {
			if !p.ended() {
				p.step(dieBefore)
			}
			p.land()
		}
	}
}

// doSweep sweeps now and then. Some of the sweep's calls to the table fail.
func (m *machine) doSweep(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "minute") > 0 {
		t.Skip("it is not time")
	}
	flaky := &flakyTable{DynamoDB: m.db, failsAt: rapid.IntRange(0, 60).Draw(t, "failing call")}
	sweeper := presence.NewSweeper(presence.NewStore(flaky, tableName, m), m.sockets, presence.SweepOptions{Lease: 2 * time.Minute, Rate: 1000})
	if err := sweeper.Sweep(context.Background()); err != nil && !errors.Is(err, errDead) {
		t.Errorf("sweep: %v", err)
	}
}

// check holds at all times: a live connection is stored, and its user is online.
func (m *machine) check(t *rapid.T) {
	for _, user := range []heliograph.UserID{"ann", "bob"} {
		connections, status, err := m.store.Connections(context.Background(), user)
		if err != nil {
			t.Fatalf("connections of %s: %v", user, err)
		}
		for id := range m.sockets.alive {
			stored := slices.ContainsFunc(connections, func(c presence.Connection) bool { return c.ID == id })
			if m.owner[id] == user && !(stored && status.Online) {
				t.Fatalf("%s of %s is alive; its item is stored: %v; the user is online: %v", id, user, stored, status.Online)
			}
		}
	}
}

// end lets everything settle, and checks all of it.
func (m *machine) end(t *rapid.T) {
	m.deaf = false
	for _, p := range m.running {
		p.finish()
		p.land()
		if errors.Is(p.err, errLoop) {
			t.Fatalf("%s: %v", p.name, p.err)
		}
	}
	m.converge(t)
	for _, user := range []heliograph.UserID{"ann", "bob"} {
		alive := []heliograph.ConnectionID{}
		for id := range m.sockets.alive {
			if m.owner[id] == user {
				alive = append(alive, id)
			}
		}
		slices.Sort(alive)
		open := append([]heliograph.ConnectionID{}, m.open(t, user)...)
		slices.Sort(open)
		same(t, "connections of "+string(user), open, alive)
		if online := m.status(t, user).Online; online != (len(alive) > 0) {
			t.Errorf("%s is online: %v, with connections %v", user, online, alive)
		}
		m.checkEvents(t, user, len(alive) > 0)
		m.checkDecisions(t, user)
	}
	m.checkRepeats(t)
}
