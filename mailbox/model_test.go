package mailbox

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	simulated "heliograph/simulator/dynamodb"
)

var (
	seed = flag.Uint64("seed", 0, "run the model with this seed alone")
	runs = flag.Int("runs", 2000, "how many interleavings the model tries")
)

// TestModel proves order and gaps. Writers keep messages for one user while devices resume, all of them step by step in a random
// order. At each call a function may die before or after it, be throttled, or lose its answer; its last write may come late. SQS
// delivers records twice, clocks differ by up to a minute, and time passes in leaps. The oracle knows what stands at each
// position. Every device then has received every message that was kept after its cursor, each at one position, in the same
// order as all others, unless it was told to load its state anew, and that only if something was lost.
func TestModel(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), uint64(*runs)
	if *seed > 0 {
		first, last = *seed, *seed
	} else if testing.Short() {
		last = 100
	}
	base := uint64(0)
	if *seed == 0 {
		base = uint64(time.Now().UnixNano()) % 1_000_000_000
		t.Logf("seeds %d to %d: go test ./mailbox -run TestModel -seed N", base+first, base+last)
	}
	for n := first; n <= last && !t.Failed(); n++ {
		run(t, base+n)
	}
}

// model is one interleaving.
type model struct {
	*testing.T
	seed     uint64
	random   *rand.Rand
	table    *simulated.Table
	db       Table
	at       time.Time
	actors   []*actor
	devices  []*device
	kept     map[string]expiring // of messages whose writer knows that they are kept, by id and cursor
	shortest time.Duration       // for which a message is kept
	late     []func()            // writes that come after their function has died
}

// expiring is a message that was kept.
type expiring struct {
	cursor string
	at     time.Time
}

// device is a client's library: it keeps order and drops copies.
type device struct {
	name    string
	cursor  string // as the device stores it
	handled []string
	resumes []resumed
}

// resumed is one resume of a device.
type resumed struct {
	from, to string // cursors
	reset    bool
	at       time.Time
}

// covers reports whether a resume was to bring what stands at a cursor.
func (r resumed) covers(cursor string) bool {
	box, _, _ := strings.Cut(r.to, ".")
	return strings.HasPrefix(cursor, box+".") && PositionOf(cursor) <= PositionOf(r.to) && (!strings.HasPrefix(r.from, box+".") || PositionOf(cursor) > PositionOf(r.from))
}

// actor is a function's invocation. It waits for a turn before each call.
type actor struct {
	name    string
	skew    time.Duration
	began   time.Time
	turn    chan fate
	waiting chan bool // true before a call, false at the end
	tame    bool      // nothing goes wrong
}

type fate int

const (
	goOn fate = iota
	dieBefore
	dieAfter
	dieLate // the call is under way, and arrives later
	refuse
	lose
)

var (
	errThrottled = errors.New("throttled")
	errLost      = errors.New("no answer")
)

func run(t *testing.T, seed uint64) {
	m := &model{T: t, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), at: start, kept: map[string]expiring{}}
	m.table, m.db = database(m, func() time.Time { return m.at })
	m.shortest = []time.Duration{time.Second, time.Minute, 24 * time.Hour}[m.random.IntN(3)]
	for i := range 1 + m.random.IntN(3) {
		m.devices = append(m.devices, &device{name: fmt.Sprint("device ", i)})
	}
	for range 10 + m.random.IntN(60) {
		m.step()
	}
	for len(m.actors) > 0 {
		m.resume(m.random.IntN(len(m.actors)))
	}
	m.arrive()
	for _, d := range m.devices {
		m.begin("the last resume of "+d.name, true, func(a *actor) { m.comeBack(a, d) })
		for len(m.actors) > 0 {
			m.resume(0)
		}
		m.check(d)
	}
}

// Fatalf names the seed.
func (m *model) Fatalf(format string, args ...any) {
	m.Helper()
	m.T.Fatalf("seed %d: "+format, append([]any{m.seed}, args...)...)
}

// step begins something, lets someone go on, or lets time pass.
func (m *model) step() {
	switch n := m.random.IntN(10); {
	case n < 2:
		m.write()
	case n < 3:
		d := m.devices[m.random.IntN(len(m.devices))]
		m.begin("resume of "+d.name, false, func(a *actor) { m.comeBack(a, d) })
	case n < 4:
		m.pass()
	case len(m.actors) > 0:
		m.resume(m.random.IntN(len(m.actors)))
	}
}

// pass lets time pass: moments as a rule, and sometimes so long that no function outlives it.
func (m *model) pass() {
	if m.random.IntN(8) > 0 {
		m.at = m.at.Add(time.Duration(m.random.IntN(3000)) * time.Millisecond)
		return
	}
	for len(m.actors) > 0 {
		m.resume(m.random.IntN(len(m.actors)))
	}
	m.at = m.at.Add(30 * time.Second)
	m.arrive()
	m.at = m.at.Add([]time.Duration{time.Minute, 10 * time.Minute, 3 * time.Hour, 12 * 24 * time.Hour}[m.random.IntN(4)])
	m.table.ExpireDue(m.at)
}

// arrive lets late writes arrive.
func (m *model) arrive() {
	for _, write := range m.late {
		write()
	}
	m.late = nil
}

// write keeps a message, as often as SQS delivers its record.
func (m *model) write() {
	id := fmt.Sprint("m", m.random.IntN(1000))
	keep := m.shortest * time.Duration(1+m.random.IntN(3))
	for range 1 + m.random.IntN(8)/7 {
		m.begin("keep "+id, false, func(a *actor) {
			expires := m.at.Add(a.skew + keep)
			cursor, err := m.store(a).Keep(context.Background(), "1234", Message{ID: id, Body: id, Expires: expires})
			if err == nil {
				m.kept[fmt.Sprint(id, "@", cursor)] = expiring{cursor, expires}
			}
		})
	}
}

// store is the store as an actor sees it.
func (m *model) store(a *actor) *Store {
	s := NewStore(&turns{m.db, m, a}, tableName, roomy, func() time.Time { return m.at.Add(a.skew) })
	s.sleep = func(context.Context, time.Duration) error { return nil }
	return s
}

// begin begins an invocation, which waits for its first turn.
func (m *model) begin(name string, tame bool, do func(*actor)) {
	a := &actor{name: name, began: m.at, turn: make(chan fate), waiting: make(chan bool), tame: tame}
	a.skew = time.Duration(m.random.IntN(121)-60) * time.Second
	go func() {
		defer func() { a.waiting <- false }()
		do(a)
	}()
	m.follow(a)
}

// follow waits until an actor waits for its turn or has ended.
func (m *model) follow(a *actor) {
	i := slices.Index(m.actors, a)
	switch waits := <-a.waiting; {
	case waits && i < 0:
		m.actors = append(m.actors, a)
	case !waits && i >= 0:
		m.actors = slices.Delete(m.actors, i, i+1)
	}
}

// resume gives an actor its turn. A function lives for 30 seconds.
func (m *model) resume(i int) {
	a, f := m.actors[i], goOn
	switch {
	case a.tame:
	case m.at.Sub(a.began) > 30*time.Second:
		f = dieBefore
	case m.random.IntN(6) == 0:
		f = fate(1 + m.random.IntN(5))
	}
	a.turn <- f
	m.follow(a)
}

// comeBack resumes a device: it handles what it has missed, in order, and stores its cursor with each page, then that of live.
func (m *model) comeBack(a *actor, d *device) {
	cursor, seen := d.cursor, []Kept(nil)
	live, err := m.store(a).Since(context.Background(), "1234", cursor, func(page []Kept) error {
		seen = append(seen, page...)
		return nil
	})
	if err != nil || d.cursor != cursor { // it has failed, or another resume of the device was faster
		return
	}
	if live.Reset && !m.somethingLost(cursor, live.Cursor) {
		m.Errorf("seed %d: %s is reset from %q to %s for nothing", m.seed, d.name, cursor, live.Cursor)
	}
	for _, kept := range seen {
		d.handled = append(d.handled, fmt.Sprint(kept.ID, "@", kept.Cursor))
	}
	d.cursor = live.Cursor
	d.resumes = append(d.resumes, resumed{cursor, live.Cursor, live.Reset, m.at})
}

// somethingLost reports whether a device may be told to load its state anew: the mailbox is another, or a message between
// the two positions may have expired by the clock that is furthest ahead, or a position there has no message that anybody
// knows of.
func (m *model) somethingLost(from, to string) bool {
	box, _, _ := strings.Cut(from, ".")
	other, _, _ := strings.Cut(to, ".")
	missed, known, r := PositionOf(to), int64(0), resumed{from: from, to: to}
	if box == other {
		missed -= PositionOf(from)
	}
	for _, one := range m.kept {
		if r.covers(one.cursor) && m.at.Before(one.at.Add(-apart)) {
			known++
		}
	}
	return box != other && box != none || m.at.Sub(start) > 6*24*time.Hour || known < missed
}

// check compares what a device has handled with what was kept.
func (m *model) check(d *device) {
	box, _, _ := strings.Cut(d.cursor, ".")
	last := int64(0)
	for _, one := range d.handled {
		_, cursor, _ := strings.Cut(one, "@")
		if mailbox, _, _ := strings.Cut(cursor, "."); mailbox != box {
			continue
		}
		if PositionOf(cursor) <= last {
			m.Fatalf("%s handled position %d after %d", d.name, PositionOf(cursor), last)
		}
		last = PositionOf(cursor)
	}
	for one, kept := range m.kept {
		for _, r := range d.resumes {
			excused := r.reset || r.from == "" && !r.at.Before(kept.at.Add(-apart))
			if r.covers(kept.cursor) && !excused && !slices.Contains(d.handled, one) {
				m.Fatalf("%s never received %s, which counts until %v; its resumes were %+v", d.name, one, kept.at, d.resumes)
			}
		}
	}
	for _, other := range m.devices {
		for _, one := range other.handled {
			id, cursor, _ := strings.Cut(one, "@")
			for _, mine := range d.handled {
				if ours, at, _ := strings.Cut(mine, "@"); at == cursor && ours != id {
					m.Fatalf("%s has %s, and %s has %s", other.name, one, d.name, mine)
				}
			}
		}
	}
}

// apart is how far two clocks differ.
const apart = 2 * time.Minute

// turns is the table as an actor sees it: each call waits for its turn, and has its fate.
type turns struct {
	Table
	m *model
	a *actor
}

func take[In, Out any](t *turns, in In, call func(context.Context, In, ...func(*dynamodb.Options)) (Out, error)) (out Out, err error) {
	t.a.waiting <- true
	f := <-t.a.turn
	if f == dieBefore || f == dieLate {
		if f == dieLate {
			t.m.late = append(t.m.late, func() { _, _ = call(context.Background(), in) })
		}
		runtime.Goexit()
	}
	if f == refuse {
		return out, errThrottled
	}
	out, err = call(context.Background(), in)
	switch f {
	case dieAfter:
		runtime.Goexit()
	case lose:
		var none Out
		return none, errLost
	}
	return out, err
}

func (t *turns) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return take(t, in, t.Table.GetItem)
}

func (t *turns) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return take(t, in, t.Table.PutItem)
}

func (t *turns) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return take(t, in, t.Table.Query)
}

func (t *turns) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return take(t, in, t.Table.UpdateItem)
}
