package presence_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// emitted runs do as a function, and returns the metrics that it emitted.
func emitted(t *testing.T, function string, do func(context.Context) error) map[string]float64 {
	t.Helper()
	var printed bytes.Buffer
	f := observability.New(function, observability.Settings{Stage: "test"}, &printed)
	_, err := observability.Wrap(f, func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, do(ctx) })(t.Context(), struct{}{})
	if err != nil && !errors.Is(err, errDead) {
		t.Fatalf("%s: %v", function, err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(printed.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, m := range catalogue.All() {
			if v, ok := members[m.Name()].(float64); ok && !m.PerFunction() {
				values[m.Name()] = v
			}
		}
	}
	return values
}

// TestConnectionMetrics proves that each connection is counted once when it opens and once when it closes, on whichever
// path, by the function that closes it and not by one that finds it closed.
func TestConnectionMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connect := func(ctx context.Context) error {
		return w.store.Connect(ctx, presence.Connection{User: "u", ID: "a"})
	}
	disconnect := func(ctx context.Context) error { return w.store.Disconnect(ctx, "u", "a", w.Now()) }
	same(t, "connect", emitted(t, "connect", connect), map[string]float64{"ConnectionsOpened": 1})
	same(t, "disconnect", emitted(t, "disconnect", disconnect), map[string]float64{"ConnectionsClosed": 1})
	same(t, "disconnect again", emitted(t, "disconnect", disconnect), map[string]float64{})

	refused := presence.NewStore(refusingUpdates{w.db}, tableName, w)
	same(t, "a connect that fails", emitted(t, "connect", func(ctx context.Context) error {
		if err := refused.Connect(ctx, presence.Connection{User: "u", ID: "b"}); err == nil {
			t.Error("the connect did not fail")
		}
		return nil
	}), map[string]float64{})
	same(t, "open", w.open(t, "u"), []heliograph.ConnectionID{})
}

// TestAnnouncerMetrics proves that the announcer counts the events it publishes, those it holds back, and the
// connections closed by the table's time to live.
func TestAnnouncerMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	settle := func(ctx context.Context) error {
		for _, r := range w.records(t, w.after) {
			if err := w.announcer().Handle(ctx, recordOf(r)); err != nil {
				return err
			}
			w.after = r.Sequence
		}
		for _, g := range w.graces {
			if err := w.announcer().GraceOver(ctx, g); err != nil {
				return err
			}
		}
		w.graces = nil
		return nil
	}
	w.connect(t, "u", "a")
	same(t, "comes", emitted(t, "announce", settle), map[string]float64{"UsersCameOnline": 1})
	w.disconnect(t, "u", "a")
	w.connect(t, "u", "b")
	same(t, "is back", emitted(t, "announce", settle), map[string]float64{"EventsHeldBack": 1})
	w.advance(presence.MaxAge + 2*time.Second)
	w.table.ExpireDue(w.Now())
	settled := emitted(t, "announce", settle)
	w.settle(t)
	same(t, "time to live", settled, map[string]float64{"ConnectionsClosed": 1})
	w.checkEvents(t, "u", false)
}

// TestSweepMetrics proves that a sweep reports its work and the sizes of the index's lists.
func TestSweepMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connect := func(id heliograph.ConnectionID, expires time.Time, alive bool) {
		c := presence.Connection{User: heliograph.UserID("user-" + id), ID: id, TokenExpires: expires}
		if err := w.store.Connect(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if alive {
			w.sockets.open(id)
		}
	}
	for i := range 3 {
		connect(heliograph.ConnectionID(fmt.Sprint("alive", i)), time.Time{}, true)
	}
	connect("dead", time.Time{}, false)
	connect("expired", start, true)
	connect("expired-and-dead", start, false)
	connect("in-trouble", time.Time{}, true)
	w.sockets.broken["in-trouble"] = errors.New("throttled")
	w.advance(30 * time.Second)
	connect("late", time.Time{}, true)
	w.advance(30 * time.Second)
	same(t, "sweep", emitted(t, "sweep", w.sweeper(presence.SweepOptions{}).Sweep), map[string]float64{
		"LeasesRenewed": 3, "ConnectionsClosed": 3, "ConnectionsExpired": 1,
		"ActiveConnections": 8, "OnlineUsers": 8, "SweepBacklog": 0, // as they were before
	})

	w.advance(time.Hour)
	same(t, "sweep without time", emitted(t, "sweep", func(ctx context.Context) error {
		return w.sweeper(presence.SweepOptions{Rate: 1}).Sweep(until{ctx, w.Now().Add(2*time.Second + 1500*time.Millisecond)})
	}), map[string]float64{
		"LeasesRenewed": 1, "ActiveConnections": 5, "OnlineUsers": 5, "SweepBacklog": 3,
	})
}
