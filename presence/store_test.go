package presence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"heliograph"
	"heliograph/cost"
	"heliograph/presence"
)

// TestConnect proves that a connection keeps everything that it was opened with, and is visible at once.
func TestConnect(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	given := presence.Connection{
		User: "1234", ID: "L0SM9cOFvHcCIhw=", ConnectedAt: start.Add(-time.Second), TokenExpires: start.Add(time.Hour).Truncate(time.Second),
		SourceIP: "192.0.2.1", UserAgent: strings.Repeat("ü", 200),
	}
	if err := f.store.Connect(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	want := given
	want.LeaseEnds = start.Add(presence.FirstLease).Truncate(time.Second)
	want.UserAgent = strings.Repeat("ü", presence.MaxUserAgent/2)
	connections, status, err := f.store.Connections(t.Context(), "1234")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "connections", connections, []presence.Connection{want})
	same(t, "status", status, presence.Status{User: "1234", Online: true, LastActivity: start})
	same(t, "status read alone", f.status(t, "1234"), status)
	same(t, "online list", f.listed(t, 0), []heliograph.UserID{"1234"})
}

// TestConnectWithoutTime proves that ConnectedAt defaults to now; a time from the gateway takes precedence.
func TestConnectWithoutTime(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.connect(t, "1234", "a")
	connections, _, err := f.store.Connections(t.Context(), "1234")
	if err != nil || len(connections) != 1 || !connections[0].ConnectedAt.Equal(start) {
		t.Errorf("connections: %v, %v", connections, err)
	}
}

// TestInvalidIDs proves that ids that can't be stored are refused with a typed error before anything is written.
func TestInvalidIDs(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	long := strings.Repeat("x", heliograph.MaxUserID+1)
	calls := map[string]func(context.Context) error{
		"connect without user": func(ctx context.Context) error { return f.store.Connect(ctx, presence.Connection{ID: "a"}) },
		"connect without id":   func(ctx context.Context) error { return f.store.Connect(ctx, presence.Connection{User: "u"}) },
		"connect, long user": func(ctx context.Context) error {
			return f.store.Connect(ctx, presence.Connection{User: heliograph.UserID(long), ID: "a"})
		},
		"connect, long id": func(ctx context.Context) error {
			return f.store.Connect(ctx, presence.Connection{User: "u", ID: heliograph.ConnectionID(long)})
		},
		"disconnect without user": func(ctx context.Context) error { return f.store.Disconnect(ctx, "", "a", start) },
		"disconnect without id":   func(ctx context.Context) error { return f.store.Disconnect(ctx, "u", "", start) },
		"connections, not UTF-8": func(ctx context.Context) error {
			_, _, err := f.store.Connections(ctx, "\xff")
			return err
		},
		"statuses, long user": func(ctx context.Context) error {
			_, err := f.store.Statuses(ctx, []heliograph.UserID{"u", heliograph.UserID(long)})
			return err
		},
	}
	for name, call := range calls {
		if _, ok := errors.AsType[*presence.InvalidError](call(t.Context())); !ok {
			t.Errorf("%s: %v, want an InvalidError", name, call(t.Context()))
		}
	}
	if used := f.table.Usage(); used.Table.Write != 0 {
		t.Errorf("%v write units were used", used.Table.Write)
	}
}

// TestLongestIDs proves that the longest allowed ids and texts fit the table and its index.
func TestLongestIDs(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	user := heliograph.UserID(strings.Repeat("ü", heliograph.MaxUserID/2))
	f.connect(t, user, heliograph.ConnectionID(strings.Repeat("c", 128)))
	same(t, "online list", f.listed(t, 0), []heliograph.UserID{user})
	if open := f.open(t, user); len(open) != 1 {
		t.Errorf("open: %v", open)
	}
}

// TestTwoDevices proves that a user is online while any one device is left, and offline from the end of the last.
func TestTwoDevices(t *testing.T) {
	t.Parallel()
	for _, order := range [][]heliograph.ConnectionID{{"a", "b"}, {"b", "a"}} {
		f := setUp(t)
		f.connect(t, "1234", "a")
		f.connect(t, "1234", "b")
		f.connect(t, "other", "c")
		f.advance(time.Second)

		f.disconnect(t, "1234", order[0])
		same(t, "open", f.open(t, "1234"), order[1:])
		same(t, "status", f.status(t, "1234"), presence.Status{User: "1234", Online: true, LastActivity: f.Now()})

		f.advance(time.Second)
		left := f.Now()
		f.disconnect(t, "1234", order[1])
		f.advance(time.Second)
		same(t, "open", f.open(t, "1234"), []heliograph.ConnectionID{})
		same(t, "status", f.statusWithin(t, "1234"), presence.Status{User: "1234", LastActivity: left, OfflineSince: left})
		same(t, "online list", f.listed(t, 0), []heliograph.UserID{"other"})
		_, status, err := f.store.Connections(t.Context(), "1234")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "status with the connections", status, presence.Status{User: "1234", LastActivity: left, OfflineSince: left})
	}
}

// TestDisconnectAgain proves that a repeated or late disconnect changes nothing.
func TestDisconnectAgain(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.connect(t, "1234", "a")
	f.disconnect(t, "1234", "a")
	left := f.statusWithin(t, "1234")
	f.advance(time.Minute)
	f.disconnect(t, "1234", "a")
	same(t, "status", f.statusWithin(t, "1234"), left)

	f.connect(t, "1234", "b")
	f.disconnect(t, "1234", "a")
	same(t, "open", f.open(t, "1234"), []heliograph.ConnectionID{"b"})
	if !f.statusWithin(t, "1234").Online {
		t.Error("the late disconnect of one connection closed another")
	}
}

// TestLastActivityNeverGoesBack proves that the last activity is that of the connection that lived longest, in whatever
// order they are found dead.
func TestLastActivityNeverGoesBack(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.connect(t, "1234", "a")
	f.disconnect(t, "1234", "a")
	f.connect(t, "1234", "ghost")
	if err := f.store.Disconnect(t.Context(), "1234", "ghost", start.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	same(t, "status", f.statusWithin(t, "1234"), presence.Status{User: "1234", LastActivity: start, OfflineSince: start})
}

// TestLimit proves that a connection past its limit is not open, even before it is deleted, and does not keep its user
// online.
func TestLimit(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for i := range 10 { // more than are read at once
		f.connect(t, "1234", heliograph.ConnectionID(fmt.Sprintf("old%d", i)))
	}
	f.advance(presence.MaxAge - time.Second)
	f.connect(t, "1234", "young")
	f.disconnect(t, "1234", "young")
	if len(f.open(t, "1234")) != 10 || !f.status(t, "1234").Online {
		t.Errorf("before the limit: %v, %v", f.open(t, "1234"), f.status(t, "1234"))
	}
	f.connect(t, "1234", "young")
	f.advance(time.Second)
	same(t, "open at the limit", f.open(t, "1234"), []heliograph.ConnectionID{"young"})
	f.disconnect(t, "1234", "young")
	same(t, "status", f.statusWithin(t, "1234"), presence.Status{User: "1234", LastActivity: f.Now(), OfflineSince: f.Now()})
}

// TestManyConnections proves that all connections of a user are found, however many pages they take.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	paged := presence.NewStore(smallPages{f.db}, tableName, f)
	var want []heliograph.ConnectionID
	for i := range 25 {
		id := heliograph.ConnectionID(fmt.Sprintf("c%02d", i))
		want = append(want, id)
		f.connect(t, "1234", id)
	}
	connections, status, err := paged.Connections(t.Context(), "1234")
	if err != nil {
		t.Fatal(err)
	}
	var got []heliograph.ConnectionID
	for _, c := range connections {
		got = append(got, c.ID)
	}
	same(t, "connections", got, want)
	if !status.Online {
		t.Error("the presence, which comes after the connections, was not read")
	}
}

// TestOnlineWithin proves that OnlineWithin depends on the status alone.
func TestOnlineWithin(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status presence.Status
		want   bool
	}{
		"unknown":     {presence.Status{}, false},
		"online":      {presence.Status{Online: true, LastActivity: start}, true},
		"9 s ago":     {presence.Status{OfflineSince: start.Add(-9 * time.Second)}, true},
		"10 s":        {presence.Status{OfflineSince: start.Add(-10 * time.Second)}, false},
		"ahead":       {presence.Status{OfflineSince: start.Add(time.Second)}, true}, // clocks differ
		"lost unseen": {presence.Status{LastActivity: start.Add(-time.Hour), OfflineSince: start.Add(-time.Second)}, true},
		"seen later":  {presence.Status{LastActivity: start, OfflineSince: start.Add(-time.Minute)}, false},
	}
	for name, test := range tests {
		if got := test.status.OnlineWithin(10*time.Second, start); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestStatuses proves that Statuses keeps the order, drops duplicates and reports unknown users as offline.
func TestStatuses(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.connect(t, "on", "a")
	f.connect(t, "off", "b")
	f.disconnect(t, "off", "b")
	f.advance(time.Minute)
	got, err := f.store.Statuses(t.Context(), []heliograph.UserID{"off", "nobody", "on", "off"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "statuses", got, []presence.Status{
		{User: "off", LastActivity: start}, {User: "nobody"}, {User: "on", Online: true, LastActivity: f.Now()},
	})
	got, err = f.store.Statuses(t.Context(), nil)
	if err != nil || len(got) != 0 {
		t.Errorf("statuses of none: %v, %v", got, err)
	}
}

// TestStatusesOfMany proves that all users are answered for if they exceed one batch and the table leaves out keys.
func TestStatusesOfMany(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	var users []heliograph.UserID
	for i := range 250 {
		users = append(users, heliograph.UserID(fmt.Sprintf("u%03d", i)))
	}
	f.connect(t, "u000", "a")
	f.connect(t, "u249", "b")
	busy := &busyTable{DynamoDB: f.db, serves: 40}
	got, err := presence.NewStore(busy, tableName, f).Statuses(t.Context(), users)
	if err != nil {
		t.Fatal(err)
	}
	online := slices.DeleteFunc(slices.Clone(got), func(s presence.Status) bool { return !s.Online })
	if len(got) != 250 || len(online) != 2 || online[0].User != "u000" || online[1].User != "u249" {
		t.Errorf("%d statuses, online: %v", len(got), online)
	}
	same(t, "keys asked for", busy.asked, []int{100, 60, 20, 100, 60, 20, 50, 10})
	if !f.Now().After(start) {
		t.Error("the table was asked again without a pause")
	}
}

// TestStatusesOfBusyTable proves that a table that leaves out every key is an error after some tries, not an answer.
func TestStatusesOfBusyTable(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	busy := &busyTable{DynamoDB: f.db}
	got, err := presence.NewStore(busy, tableName, f).Statuses(t.Context(), []heliograph.UserID{"u"})
	if err == nil || len(busy.asked) < 2 || f.Now().Sub(start) > 4*time.Second {
		t.Errorf("%v, %v after %d tries in %v", got, err, len(busy.asked), f.Now().Sub(start))
	}
}

// TestCost proves that each operation costs exactly this many capacity units: fewer would mean a read that is not
// consistent. No connect takes more than 4 write units, no disconnect more than 4 and 2 read units, no page more than 2
// read units plus a half for each shard that it crosses.
func TestCost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	op := func(do func(f *fixture) error) func(t tb, f *fixture) {
		return func(t tb, f *fixture) {
			if err := do(f); err != nil {
				t.Fatalf("%v", err)
			}
		}
	}
	tests := map[string]struct {
		before func(t tb, f *fixture)
		do     func(t tb, f *fixture)
		want   cost.Units
	}{
		"connect": {nil, func(t tb, f *fixture) { f.connect(t, "u", "a") }, cost.ConnectFirst},
		"second device": {
			func(t tb, f *fixture) { f.connect(t, "u", "a") }, func(t tb, f *fixture) { f.connect(t, "u", "b") }, cost.ConnectAnother,
		},
		"disconnect": {
			func(t tb, f *fixture) { f.connect(t, "u", "a") }, func(t tb, f *fixture) { f.disconnect(t, "u", "a") }, cost.DisconnectLast,
		},
		"disconnect of one of two": {
			func(t tb, f *fixture) {
				f.connect(t, "u", "a")
				f.connect(t, "u", "b")
				f.advance(presence.FirstLease)
			},
			func(t tb, f *fixture) { f.disconnect(t, "u", "a") }, cost.DisconnectOne,
		},
		"disconnect while another is new": { // a page reload: one more, to raise the epoch
			func(t tb, f *fixture) {
				f.connect(t, "u", "a")
				f.advance(presence.FirstLease)
				f.connect(t, "u", "b")
			},
			func(t tb, f *fixture) { f.disconnect(t, "u", "a") }, cost.DisconnectEarly,
		},
		"status":      {nil, func(t tb, f *fixture) { f.status(t, "u") }, cost.OneStatus},
		"connections": {nil, func(t tb, f *fixture) { f.open(t, "u") }, cost.FindConnections},
		"page of 100": {
			func(t tb, f *fixture) { f.population(t, 480) }, // 30 a shard: it crosses three
			op(func(f *fixture) error { _, err := f.store.Online(ctx, 100, ""); return err }), cost.PageOf100,
		},
		"count": { // under 4 KB each: leases due, leases not due and users online of each shard
			func(t tb, f *fixture) { f.population(t, 320) },
			op(func(f *fixture) error { _, err := f.store.Count(ctx, f.Now()); return err }), cost.SweepOfNothing,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			if test.before != nil {
				test.before(t, f)
			}
			before := f.units()
			test.do(t, f)
			after := f.units()
			if got := (cost.Units{Read: after[0] - before[0], Write: after[1] - before[1]}); got != test.want {
				t.Errorf("took %+v units, want %+v", got, test.want)
			}
		})
	}
}

// units are the read and write units that the table has consumed.
func (f *fixture) units() [2]float64 {
	used := f.table.Usage()
	index := used.Indexes[presence.Index]
	return [2]float64{used.Table.Read + index.Read, used.Table.Write + index.Write}
}

// population connects that many users, with ids of realistic length.
func (f *fixture) population(t tb, n int) {
	t.Helper()
	for i := range n {
		f.connect(t, heliograph.UserID(fmt.Sprintf("b9d6b2a4-0000-4000-8000-%012d", i)), heliograph.ConnectionID(fmt.Sprintf("L0SM9cO%07dw=", i)))
	}
}
