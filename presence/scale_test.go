package presence_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"heliograph/presence"
)

var figures = flag.Bool("figures", false, "measure presence at full scale: a sweep of 1,000,000 connections, a storm of 100,000")

// scale is the size of a scale test: all of it with -figures, otherwise a hundredth.
func scale() (n, rate int) {
	if *figures {
		return 1_000_000, 2000
	}
	return 10_000, 20
}

// TestSweepAtScale proves that at scale, each connection is verified in time, within the rate, and the gauges are
// emitted each minute, whether leases end evenly or all at once.
func TestSweepAtScale(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ended   func(i, n int) time.Duration // how long ago, as of the first sweep
		minutes int                          // a lease, and the delay of the sweep
	}{
		"evenly":      {func(i, n int) time.Duration { return -lease * time.Duration(i) / time.Duration(n) }, 20},
		"all at once": {func(int, int) time.Duration { return 0 }, 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, rate := scale()
				m := newManyConnections(n, func(i int) time.Duration { return test.ended(i, n) })
				most := 0
				for range test.minutes {
					began := time.Now()
					gauges := m.sweep(t, rate)
					if gauges["ActiveConnections"] != float64(n) || gauges["OnlineUsers"] != float64(n) {
						t.Fatalf("after %v the gauges are %v", time.Since(m.start), gauges)
					}
					most = max(most, m.due)
					time.Sleep(time.Minute - time.Since(began))
				}
				late := m.longest
				bound := 2 * time.Duration(float64(most)/float64(rate)*float64(time.Second))
				if late > bound || m.looks < n {
					t.Errorf("a connection was verified %v after the end of its lease, want at most %v; %d looks", late, bound, m.looks)
				}
				if perSecond := slices.Max(m.perSecond); float64(perSecond) > math.Ceil(float64(rate)*1.02) {
					t.Errorf("%d calls in a second, at a rate of %d", perSecond, rate)
				}
				if workers := max(64, rate/8); m.mostAtOnce > workers {
					t.Errorf("%d looks at once, want at most %d", m.mostAtOnce, workers)
				}
				t.Logf("%d connections, %d a second: at most %d due; verified at most %v after the end of a lease (bound %v); most in a second %d, at once %d",
					n, rate, most, late.Round(time.Second), bound, slices.Max(m.perSecond), m.mostAtOnce)
			})
		})
	}
}

// sweep is one run, as on Lambda: within 50 s. It returns the metrics.
func (m *manyConnections) sweep(t *testing.T, rate int) map[string]float64 {
	m.due = 0
	store := presence.NewStore(m, tableName, nil)
	sweeper := presence.NewSweeper(store, m, presence.SweepOptions{Lease: lease, Rate: rate})
	return emitted(t, "sweep", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Second)
		defer cancel()
		return sweeper.Sweep(ctx)
	})
}

// TestLeanTable proves that the table of many connections answers the sweep as the simulator's does.
func TestLeanTable(t *testing.T) {
	t.Parallel()
	const n = 700
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		f.now = time.Now()
		m := newManyConnections(n, func(i int) time.Duration { return time.Duration(i%40-20) * time.Second })
		for i := range n {
			f.put(t, m.item(i))
		}
		for i := range n / 2 {
			c := m.item(i * 2)
			for _, db := range []presence.DynamoDB{m, f.db} {
				renewed, err := presence.NewStore(db, tableName, nil).Renew(t.Context(), decoded(c), time.Now().Add(time.Minute), time.Time{})
				if err != nil || !renewed {
					t.Fatalf("renew: %v, %v", renewed, err)
				}
				if renewed, err = presence.NewStore(db, tableName, nil).Renew(t.Context(), decoded(c), time.Now().Add(time.Minute), time.Time{}); err != nil || renewed {
					t.Fatalf("renew what was renewed: %v, %v", renewed, err)
				}
			}
		}
		at := m.start
		read := func(db presence.DynamoDB) (leases []presence.Lease, connections []presence.Connection, counts presence.Counts) {
			store := presence.NewStore(db, tableName, nil)
			for shard := range presence.Shards {
				for after := (presence.Lease{}); ; after = leases[len(leases)-1] {
					page, err := store.Due(t.Context(), shard, at, after, 4)
					if err != nil {
						t.Fatal(err)
					}
					if leases = append(leases, page...); len(page) == 0 {
						break
					}
				}
			}
			connections, err := store.Leased(t.Context(), leases)
			if err != nil {
				t.Fatal(err)
			}
			if counts, err = store.Count(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			counts.Online = 0 // the simulator's table holds no presence here
			return leases, connections, counts
		}
		leases, connections, counts := read(m)
		wantLeases, wantConnections, wantCounts := read(f.db)
		same(t, "due", leases, wantLeases)
		same(t, "leased", connections, wantConnections)
		same(t, "counts", counts, wantCounts)
		if len(leases) < n/5 {
			t.Errorf("only %d are due", len(leases))
		}
	})
}

func connectionName(i int) string { return fmt.Sprintf("L0SM%07d=", i) }
