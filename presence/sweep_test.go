package presence_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"heliograph"
	"heliograph/presence"
)

// lease is the lease used in these tests.
const lease = 15 * time.Minute

func (w *world) sweeper(options presence.SweepOptions) *presence.Sweeper {
	if options.Lease == 0 {
		options.Lease = lease
	}
	if options.Rate == 0 {
		options.Rate = 1000
	}
	return presence.NewSweeper(w.store, w.sockets, options)
}

// until is a context whose deadline, on the tests' clock, passes without any effect.
type until struct {
	context.Context
	deadline time.Time
}

func (u until) Deadline() (time.Time, bool) { return u.deadline, true }

// one is the only open connection of a user.
func (w *world) one(t tb, user heliograph.UserID) presence.Connection {
	t.Helper()
	connections, _, err := w.store.Connections(context.Background(), user)
	if err != nil || len(connections) != 1 {
		t.Fatalf("connections of %s: %v, %v", user, connections, err)
	}
	return connections[0]
}

// TestSweep proves that a connection whose lease has ended is renewed or closed as each case requires.
func TestSweep(t *testing.T) {
	t.Parallel()
	gone410 := &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusGone}}, Err: errors.New("gone"),
	}}
	tests := map[string]struct {
		connection presence.Connection
		ended      time.Duration // when the sweep runs, after the connect
		keep       bool
		dead       bool
		broken     error

		lease    time.Duration // the next lease's end, after the connect; 0: the connection is closed
		asked    bool
		deleted  bool
		activity time.Duration // the last activity of the user, who is offline then, after the connect
	}{
		"alive":                           {ended: time.Minute, lease: time.Minute + lease, asked: true},
		"not yet due":                     {ended: time.Minute - time.Second, lease: time.Minute},
		"dead":                            {ended: time.Minute, dead: true, asked: true},
		"dead, without the error's name":  {ended: time.Minute, broken: gone410, asked: true},
		"in trouble":                      {ended: time.Minute, broken: errors.New("throttled"), lease: 2 * time.Minute, asked: true},
		"alive, its token ends soon":      {connection: expiring(10 * time.Minute), ended: time.Minute, lease: 10 * time.Minute, asked: true},
		"alive, its token ends late":      {connection: expiring(time.Hour), ended: time.Minute, lease: time.Minute + lease, asked: true},
		"alive, may outlive its token":    {connection: expiring(10 * time.Minute), ended: time.Minute, keep: true, lease: time.Minute + lease, asked: true},
		"token expired":                   {connection: expiring(30 * time.Second), ended: time.Minute, deleted: true, activity: time.Minute},
		"token expired and dead":          {connection: expiring(30 * time.Second), ended: time.Minute, dead: true},
		"token expired, in trouble":       {connection: expiring(30 * time.Second), ended: time.Minute, broken: errors.New("throttled"), lease: 2 * time.Minute},
		"token expired, may outlive it":   {connection: expiring(30 * time.Second), ended: time.Minute, keep: true, lease: time.Minute + lease, asked: true},
		"alive, near the limit":           {ended: presence.MaxAge - time.Minute, lease: presence.MaxAge, asked: true},
		"past the limit, nobody is asked": {ended: presence.MaxAge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := test.connection
			c.User, c.ID = "u", "a"
			if err := w.store.Connect(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if !test.dead {
				w.sockets.open("a")
			}
			w.sockets.broken["a"] = test.broken
			w.advance(test.ended)
			if err := w.sweeper(presence.SweepOptions{KeepExpired: test.keep}).Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if asked, deleted := len(w.sockets.asked) > 0, len(w.sockets.deleted) > 0; asked != test.asked || deleted != test.deleted {
				t.Errorf("asked: %v, deleted: %v", asked, deleted)
			}
			if test.lease == 0 {
				same(t, "open", w.open(t, "u"), []heliograph.ConnectionID{})
				same(t, "status", w.statusWithin(t, "u"), presence.Status{User: "u", LastActivity: start.Add(test.activity), OfflineSince: w.Now()})
				return
			}
			same(t, "lease", w.one(t, "u").LeaseEnds, start.Add(test.lease).Truncate(time.Second))
			if !w.status(t, "u").Online {
				t.Error("the user is offline")
			}
		})
	}
}

// expiring is a connection whose token expires that long after the start.
func expiring(after time.Duration) presence.Connection {
	return presence.Connection{TokenExpires: start.Add(after).Truncate(time.Second)}
}

// TestSweepRemembersActivity proves that a ghost's last activity is when the gateway last reported it.
func TestSweepRemembersActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(t, "u", "a")
	w.sockets.open("a")
	active := start.Add(40 * time.Second)
	w.sockets.alive["a"] = active
	w.advance(time.Minute)
	w.sweep(t)
	same(t, "last active", w.one(t, "u").LastActiveAt, active)
	w.sockets.close("a")
	w.advance(lease)
	w.sweep(t)
	same(t, "status", w.statusWithin(t, "u"), presence.Status{User: "u", LastActivity: active, OfflineSince: w.Now()})
}

// TestSweepOrder proves that every run takes the oldest leases first, over all shards, and continues where the last one
// stopped.
func TestSweepOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const connections = 250 // more than a page of a shard, and a batch, can hold
	var want []heliograph.ConnectionID
	for i := range connections {
		id := heliograph.ConnectionID(fmt.Sprintf("c%03d", i))
		w.connect(t, heliograph.UserID(fmt.Sprint("u", i)), id)
		w.sockets.open(id)
		want = append(want, id)
		w.advance(time.Second)
	}
	w.advance(time.Minute)
	sweeper := w.sweeper(presence.SweepOptions{Rate: 50, Lease: time.Hour})
	for run := range 5 {
		// 1.2 s for 50 calls a second, and 2 s in reserve
		if err := sweeper.Sweep(until{t.Context(), w.Now().Add(1200*time.Millisecond + 2*time.Second)}); err != nil {
			t.Fatal(err)
		}
		got := slices.Sorted(slices.Values(w.sockets.asked)) // those of one moment are checked concurrently
		if len(got) != min(60*(run+1), connections) {
			t.Fatalf("%d were asked in %d runs", len(got), run+1)
		}
		same(t, fmt.Sprintf("asked in %d runs", run+1), got, want[:len(got)])
	}
}

// TestSweepRate proves that no second sees more calls than the rate, neither of GetConnection nor of both kinds
// together.
func TestSweepRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 60 {
		c := presence.Connection{User: "u", ID: heliograph.ConnectionID(fmt.Sprint("c", i))}
		if i%3 == 0 {
			c.TokenExpires = start
		}
		if err := w.store.Connect(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		w.sockets.open(c.ID)
	}
	w.advance(time.Minute)
	began := w.Now()
	if err := w.sweeper(presence.SweepOptions{Rate: 20}).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.sockets.times) != 60 || len(w.sockets.deleted) != 20 {
		t.Fatalf("%d calls, %d of them to delete", len(w.sockets.times), len(w.sockets.deleted))
	}
	if took := w.Now().Sub(began); took < 2900*time.Millisecond || took > 3*time.Second {
		t.Errorf("60 calls at 20 a second took %v", took)
	}
}

// TestSweepRateAfterPauses proves that time lost to the table is not recovered by calling faster.
func TestSweepRateAfterPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 300 { // three batches
		w.connect(t, "u", heliograph.ConnectionID(fmt.Sprint("c", i)))
	}
	w.advance(time.Minute)
	began := w.Now()
	store := presence.NewStore(slowTable{w.db, w.clock}, tableName, w)
	if err := presence.NewSweeper(store, w.sockets, presence.SweepOptions{Lease: lease, Rate: 100}).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := w.Now().Sub(began); took < 5900*time.Millisecond || took > 6*time.Second {
		t.Errorf("300 calls at 100 a second, with 3 s of pauses, took %v", took)
	}
}

// TestLeasedPassesOverWhatChanged proves that leases that the lagging index still lists, of connections that are gone
// or renewed, are skipped.
func TestLeasedPassesOverWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []heliograph.ConnectionID{"a", "b", "c", "d"} {
		w.connect(t, heliograph.UserID("user-"+id), id)
	}
	var due []presence.Lease
	for shard := range presence.Shards {
		found, err := w.store.Due(t.Context(), shard, start.Add(presence.FirstLease), presence.Lease{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		due = append(due, found...)
	}
	w.disconnect(t, "user-b", "b")
	if renewed, err := w.store.Renew(t.Context(), w.one(t, "user-c"), start.Add(time.Hour), time.Time{}); err != nil || !renewed {
		t.Fatal(renewed, err)
	}
	left, err := w.store.Leased(t.Context(), due)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range left {
		ids = append(ids, string(c.ID))
	}
	slices.Sort(ids)
	same(t, "leased", ids, []string{"a", "d"})
	if len(due) != 4 {
		t.Errorf("due: %v", due)
	}
}

// TestSweepTroubleGoesBack proves that a connection that can't be verified does not hold up the others: it moves to the
// back of the line.
func TestSweepTroubleGoesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 10 {
		id := heliograph.ConnectionID(fmt.Sprint("c", i))
		w.connect(t, heliograph.UserID(fmt.Sprint("u", i)), id)
		w.sockets.broken[id] = errors.New("forbidden")
	}
	w.advance(time.Second)
	w.connect(t, "ghost", "ghost")
	w.advance(time.Minute)
	sweeper := w.sweeper(presence.SweepOptions{Rate: 10})
	for range 2 {
		if err := sweeper.Sweep(until{t.Context(), w.Now().Add(time.Second + 2*time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	if w.status(t, "ghost").Online {
		t.Error("the ghost is still there, behind those in trouble")
	}
	for i := range 10 {
		w.one(t, heliograph.UserID(fmt.Sprint("u", i)))
	}
}

// TestRenewAfterClose proves that a connection that is renewed or closed while it is looked at stays so.
func TestRenewAfterClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(t, "u", "a")
	read := w.one(t, "u")
	w.disconnect(t, "u", "a")
	if renewed, err := w.store.Renew(t.Context(), read, start.Add(time.Hour), start); err != nil || renewed {
		t.Errorf("renewed a closed connection: %v, %v", renewed, err)
	}
	same(t, "open", w.open(t, "u"), []heliograph.ConnectionID{})

	w.connect(t, "u", "b")
	read = w.one(t, "u")
	for i, want := range []bool{true, false} {
		if renewed, err := w.store.Renew(t.Context(), read, start.Add(time.Hour), time.Time{}); err != nil || renewed != want {
			t.Errorf("renewal %d: %v, %v", i, renewed, err)
		}
	}
	if c := w.one(t, "u"); !c.LeaseEnds.Equal(start.Add(time.Hour).Truncate(time.Second)) || c.User != "u" || !c.ConnectedAt.Equal(start) {
		t.Errorf("renewed: %v", c)
	}
}

// TestSweepWithoutTable proves that a failure of the table is an error, after which all that is possible is done and
// the rest is still due.
func TestSweepWithoutTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 20 {
		w.connect(t, heliograph.UserID(fmt.Sprint("u", i)), heliograph.ConnectionID(fmt.Sprint("c", i)))
	}
	w.advance(time.Minute)
	flaky := &flakyTable{DynamoDB: w.db, failsAt: 16 + 20}
	broken := presence.NewSweeper(presence.NewStore(flaky, tableName, w), w.sockets, presence.SweepOptions{Lease: lease, Rate: 1000})
	if err := broken.Sweep(t.Context()); !errors.Is(err, errDead) {
		t.Errorf("sweep: %v", err)
	}
	w.converge(t)
	if users := w.listed(t, 0); len(users) != 0 {
		t.Errorf("online: %v", users)
	}
}

// TestCount proves that Count returns the sizes of the lists.
func TestCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 30 {
		w.connect(t, heliograph.UserID(fmt.Sprint("u", i%20)), heliograph.ConnectionID(fmt.Sprint("c", i)))
	}
	w.advance(time.Second)
	w.connect(t, "late", "late")
	for _, paged := range []bool{false, true} {
		store := w.store
		if paged {
			store = presence.NewStore(smallPages{w.db}, tableName, w)
		}
		counts, err := store.Count(t.Context(), start.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "counts", counts, presence.Counts{Connections: 31, Due: 30, Online: 21})
		counts, err = store.Count(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "counts without those due", counts, presence.Counts{Connections: 31, Online: 21})
	}
}
