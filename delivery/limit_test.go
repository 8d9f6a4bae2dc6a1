package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
)

// takeTurns takes turns that must be free.
func takeTurns(t *testing.T, l *limit, turns int) {
	t.Helper()
	for range turns {
		if !l.free() {
			t.Fatalf("no turn is free: %d of %v are in use", l.inUse, l.size)
		}
		if err := l.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *limit) free() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inUse < int(l.size)
}

func connectionOf(n int) heliograph.ConnectionID { return heliograph.ConnectionID(fmt.Sprint(n)) }

// answers ends posts that took 15 ms each, with as many in parallel as there are turns. Every n-th was throttled; n =
// 0 means none.
func answers(t *testing.T, l *limit, posts, n int) {
	t.Helper()
	for done := 0; done < posts; {
		atOnce := min(int(l.size), posts-done)
		takeTurns(t, l, atOnce)
		time.Sleep(15 * time.Millisecond)
		for range atOnce {
			done++
			l.release(connectionOf(done), n > 0 && done%n == 0)
		}
	}
}

// TestLimitBounds proves that there are exactly as many turns as the limit allows.
func TestLimitBounds(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 3, 64} {
		l := newLimit(most)
		takeTurns(t, l, most)
		if l.free() {
			t.Errorf("%d: one more is free", most)
		}
		l.release("a", false)
		takeTurns(t, l, 1)
		if l.free() {
			t.Errorf("%d: one more is free after a release", most)
		}
	}
}

// TestLimitAdapts proves how the limit follows the answers: it is halved after a round with too many 429s, at most
// once a round, stays between the floor and the maximum, and recovers with successful posts.
func TestLimitAdapts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		do       func(*testing.T, *limit)
		from, to float64 // bounds of the limit afterwards
	}{
		{"all goes through", func(t *testing.T, l *limit) { answers(t, l, 5000, 0) }, 64, 64},
		{"429s of the round under way", func(t *testing.T, l *limit) { answers(t, l, 64, 1) }, 64, 64},
		{"a burst of them", func(t *testing.T, l *limit) { answers(t, l, 640, 1) }, 32, 32},
		{"a storm", func(t *testing.T, l *limit) { answers(t, l, 5000, 1) }, limitFloor, limitFloor},
		{"one in 20", func(t *testing.T, l *limit) { answers(t, l, 5000, 21) }, 64, 64},
		{"one in 10", func(t *testing.T, l *limit) { answers(t, l, 5000, 10) }, limitFloor, 20},
		{"recovery in about a second", func(t *testing.T, l *limit) {
			answers(t, l, 5000, 1)
			start := time.Now()
			for l.size < 63 {
				answers(t, l, int(l.size), 0)
			}
			if took := time.Since(start); took < 500*time.Millisecond || took > 1500*time.Millisecond {
				t.Errorf("recovered after %v", took)
			}
		}, 63, 64},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimit(64)
				test.do(t, l)
				if l.size < test.from || l.size > test.to {
					t.Errorf("the limit is %v, want %v to %v", l.size, test.from, test.to)
				}
			})
		})
	}
}

// TestLimitOfLess proves that a maximum below the floor replaces the floor.
func TestLimitOfLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(2)
		if answers(t, l, 1000, 1); l.size != 2 {
			t.Errorf("the limit is %v, want 2", l.size)
		}
	})
}

// TestLimitShrinks proves that after a cut below the turns in use no turn is granted until enough have ended.
func TestLimitShrinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(16)
		takeTurns(t, l, 16)
		l.release("a", true)
		l.release("b", true)
		time.Sleep(limitRound)
		for inUse := 13; inUse >= 8; inUse-- {
			if l.release("c", true); l.free() {
				t.Fatalf("a turn is free with %d in use of %v", l.inUse, l.size)
			}
		}
		if l.release("c", true); l.size != 8 || !l.free() {
			t.Errorf("no turn is free with %d in use of %v", l.inUse, l.size)
		}
	})
}

// TestLimitFair proves that turns are granted in the order of asking, even if a caller asks just when a turn becomes
// free.
func TestLimitFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(1)
		takeTurns(t, l, 1)
		var order []int
		for i := range 50 {
			go func() {
				if l.acquire(t.Context()) == nil {
					order = append(order, i) // only one goroutine has the turn at a time
					l.release("a", false)
				}
			}()
			synctest.Wait()
		}
		l.release("a", false)
		synctest.Wait()
		var want []int
		for i := range 50 {
			want = append(want, i)
		}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// TestLimitContext proves that a waiting caller leaves when its context ends, and takes no turn.
func TestLimitContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(1)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.acquire(over); !errors.Is(err, context.Canceled) {
			t.Errorf("a turn was free, but the time over: %v", err)
		}
		takeTurns(t, l, 1)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		l.release("a", false)
		if !l.free() {
			t.Error("a turn is lost")
		}
	})
}

// TestLimitTurnAndContextAtOnce proves that a turn granted just as the context ends is not lost.
func TestLimitTurnAndContextAtOnce(t *testing.T) {
	t.Parallel()
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			l := newLimit(1)
			takeTurns(t, l, 1)
			ctx, cancel := context.WithCancel(t.Context())
			for range 3 {
				go func() {
					if l.acquire(ctx) == nil {
						l.release("a", false)
					}
				}()
			}
			synctest.Wait()
			go cancel()
			l.release("a", false)
			synctest.Wait()
			if !l.free() || l.inUse != 0 || l.waiting.Len() != 0 {
				t.Fatalf("%d in use, %d wait", l.inUse, l.waiting.Len())
			}
		})
	}
}

// TestLimitTurnComesTooLate proves that a turn granted to a caller whose time is up, but who has not left yet, goes
// to the next one.
func TestLimitTurnComesTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(1)
		takeTurns(t, l, 1)
		turn := make(chan struct{})
		place := l.waiting.PushBack(turn) // as acquire does
		next := make(chan error)
		go func() { next <- l.acquire(t.Context()) }()
		synctest.Wait()
		l.release("a", false)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.leave(over, turn, place); !errors.Is(err, context.Canceled) {
			t.Errorf("left with %v", err)
		}
		if err := <-next; err != nil || l.inUse != 1 {
			t.Errorf("the next one: %v, with %d in use", err, l.inUse)
		}
	})
}

// TestLimitCountsConnections proves that a round is judged by the number of connections that met a 429 in it, however
// often, and whatever else they met.
func TestLimitCountsConnections(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		throttled, total int // number of connections
		posts            int // posts to each
		want             float64
	}{
		{"one alone", 1, 1, 100, 64},
		{"one of two", 1, 2, 100, 64},
		{"both", 2, 2, 2, 32},
		{"two of 50", 2, 50, 2, 64},
		{"three of 50", 3, 50, 2, 32},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimit(64)
				for post := range test.posts {
					for c := range test.total {
						takeTurns(t, l, 1)
						l.release(connectionOf(c), c < test.throttled && post == 0)
					}
				}
				time.Sleep(limitRound)
				takeTurns(t, l, 1)
				if l.release("one more", true); l.size != test.want {
					t.Errorf("the limit is %v, want %v", l.size, test.want)
				}
			})
		})
	}
}

// gatewayModel accepts a number of posts per second, and a tenth of that at once. It answers each in about 15 ms.
type gatewayModel struct {
	rate float64

	mu                    sync.Mutex
	tokens                float64
	last                  time.Time
	taken, refused, given int // posts accepted, 429s, and deliveries given up
}

// post takes a token from a bucket that refills at the model's rate, and reports whether there was one.
func (g *gatewayModel) post() bool {
	time.Sleep(10*time.Millisecond + rand.N(10*time.Millisecond))
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.tokens, g.last = min(g.rate/10, g.tokens+now.Sub(g.last).Seconds()*g.rate), now
	if g.tokens < 1 {
		g.refused++
		return false
	}
	g.tokens--
	g.taken++
	return true
}

// retried posts as the SDK does, with pauses like newRetryer's, and reports whether the post succeeded and whether it
// met a 429.
func retried(post func() bool) (through, throttled bool) {
	for attempt := 1; ; attempt++ {
		if post() {
			return true, attempt > 1
		}
		if attempt == sdkAttempts {
			return false, true
		}
		time.Sleep(rand.N(firstPause << attempt))
	}
}

// storm has 100 workers post as fast as the limit lets them, for 20 s.
func (g *gatewayModel) storm(ctx context.Context, l *limit) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var workers sync.WaitGroup
	for range 100 {
		workers.Go(func() {
			for l.acquire(ctx) == nil {
				through, throttled := retried(g.post)
				l.release(connectionOf(rand.N(1000)), throttled)
				g.mu.Lock()
				if !through {
					g.given++
				}
				g.mu.Unlock()
			}
		})
	}
	workers.Wait()
}

// TestLimitInAStorm proves, on a model of a gateway that accepts less than all turns could post, that the limit
// settles near the gateway's rate: most of that rate is used, and few posts are given up. With the maximum number of
// parallel posts, 71, 47, 27 and 12 % of the requests were 429s, and at 200 a second a third of the posts was given
// up.
func TestLimitInAStorm(t *testing.T) {
	t.Parallel()
	for rate, most := range map[float64]float64{200: 0.25, 500: 0.15, 1000: 0.1, 2000: 0.08} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &gatewayModel{rate: rate}
				g.storm(t.Context(), newLimit(maxPosts))
				used := float64(g.taken) / 20 / rate
				refused := float64(g.refused) / float64(g.refused+g.taken)
				given := float64(g.given) / float64(g.given+g.taken)
				t.Logf("%.0f %% used, %.1f %% of requests throttled, %.2f %% of deliveries given up", 100*used, 100*refused, 100*given)
				if used < 0.75 || refused > most || given > 0.02 {
					t.Errorf("%.0f %% used, %.1f %% of requests throttled, %.2f %% of deliveries given up", 100*used, 100*refused, 100*given)
				}
			})
		})
	}
}

// TestLimitWithOneSlowClient proves that a client that does not read, so that each post to it gets a 429, takes only
// the turns for its own posts: the limit stays unchanged, whether the client is one of many or one of few.
func TestLimitWithOneSlowClient(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ clients, least int }{ // least posts per second to the other clients
		{40, 2000}, {5, 400}, {2, 100},
	} {
		t.Run(fmt.Sprint("one of ", test.clients), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, g := newLimit(maxPosts), &gatewayModel{rate: 100_000}
				var posts atomic.Int64
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				var workers sync.WaitGroup
				for range 100 {
					workers.Go(func() {
						for l.acquire(ctx) == nil {
							client := int(posts.Add(1)) % test.clients
							_, throttled := retried(func() bool { return g.post() && client > 0 })
							l.release(connectionOf(client), throttled)
						}
					})
				}
				workers.Wait()
				others := int(posts.Load()) / test.clients * (test.clients - 1) / 20
				t.Logf("%d posts to others a second", others)
				if others < test.least || l.size != maxPosts {
					t.Errorf("%d posts to others a second, want %d at least; %v at a time", others, test.least, l.size)
				}
			})
		})
	}
}
