package presence_test

import (
	"context"
	"testing"
	"time"

	"heliograph/presence"
)

// What goes on behind the requests costs capacity units, too: a word about each transition, and the sweep. The first
// word about a coming is 2 write units, like one about a going; what is heard twice, or of a second device, is none.
func TestCostBehindRequests(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	comes := func(t tb, w *world) { w.connect(t, "u", "a") }
	tests := map[string]struct {
		before, do  func(t tb, w *world)
		read, write float64
	}{
		"announce who comes": {comes, func(t tb, w *world) { w.settle(t) }, 1, 2}, // after a look for the connection
		"announce who is back within the grace period": { // and one look for each time that the user went
			func(t tb, w *world) {
				comes(t, w)
				w.settle(t)
				w.disconnect(t, "u", "a")
				w.deliver(t)
				w.connect(t, "u", "b")
			},
			func(t tb, w *world) { w.settle(t) }, 1, 1,
		},
		"announce who goes": { // after one more look for connections that may be left
			func(t tb, w *world) { comes(t, w); w.settle(t); w.disconnect(t, "u", "a") },
			func(t tb, w *world) { w.settle(t) }, 1, 2,
		},
		"a second device": {
			func(t tb, w *world) { comes(t, w); w.settle(t); w.connect(t, "u", "b") },
			func(t tb, w *world) { w.settle(t) }, 0, 0,
		},
		"renew a lease": {
			comes, func(t tb, w *world) {
				if ok, err := w.store.Renew(ctx, w.one(t, "u"), w.Now().Add(time.Hour), w.Now()); err != nil || !ok {
					t.Fatalf("renew: %t, %v", ok, err)
				}
			}, 1, 3, // 1 to read the connection beforehand
		},
		"a sweep with nothing due": { // one look at each shard, then the two counts of each
			func(t tb, w *world) { comes(t, w); w.settle(t) }, func(t tb, w *world) { w.sweep(t) }, 16*0.5 + 2*16*0.5, 0,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.before(t, w)
			before := w.units()
			test.do(t, w)
			after := w.units()
			if read, write := after[0]-before[0], after[1]-before[1]; read != test.read || write != test.write {
				t.Errorf("took %v read units and %v write units, want %v and %v", read, write, test.read, test.write)
			}
		})
	}
}

// The gauge count reads the index and nothing else, so its cost grows with what the index has: at most 1.4 read units
// for 100 entries, of connections and of users online, and no more than half of one more for each of its counts.
func TestCostOfCount(t *testing.T) {
	t.Parallel()
	const users = 1000 // with a connection each
	f := setUp(t)
	f.population(t, users)
	before := f.units()
	counts, err := f.store.Count(context.Background(), time.Time{})
	if err != nil || counts.Connections != users || counts.Online != users {
		t.Fatalf("count: %+v, %v", counts, err)
	}
	const most = 2*users*1.4/100 + 2*presence.Shards*0.5
	if read := f.units()[0] - before[0]; read > most || read < most/2 {
		t.Errorf("took %v read units, want at most %v", read, most)
	}
}
