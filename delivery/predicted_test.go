package delivery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"heliograph"
	"heliograph/simulator/fault"
)

// coldStart is what Lambda adds to the first event of an environment: "from under 100 ms to over 1 second"
// (docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html). A program in Go, whose own init takes less than
// 40 ms, is among the fast ones.
var coldStart = fault.Latency{P50: 100 * time.Millisecond, P99: time.Second}

// clouds draws latencies from the distributions of `heliograph local --latency aws`.
type clouds struct {
	mu     sync.Mutex
	random *rand.Rand
	calls  int
}

// wait takes as long as a call.
func (c *clouds) wait(service fault.Service, action string) {
	for _, rule := range fault.Typical() {
		if rule.Service == service && rule.Action == action {
			c.pause(*rule.Latency)
			return
		}
	}
	panic("no typical latency of " + action)
}

func (c *clouds) pause(l fault.Latency) {
	c.mu.Lock()
	c.calls++
	d := l.Draw(c.random)
	c.mu.Unlock()
	time.Sleep(d)
}

// predicted is a user with devices on AWS.
func (c *clouds) predicted(devices int) *Deliverer {
	p := newPresence()
	p.read = func(context.Context) error { c.wait(fault.DynamoDB, "Query"); return nil }
	p.list = p.read
	for i := range devices {
		p.connections["user"] = append(p.connections["user"], since(heliograph.ConnectionID(fmt.Sprint("device", i)), time.Hour))
	}
	return New(Config{Presence: p, Poster: stub(c.post)})
}

func (c *clouds) post(context.Context, string) error {
	c.wait(fault.Connections, "PostToConnection")
	return nil
}

// TestPredictedLatency tells the time from a producer's SendMessage to the last device that the distributions of
// `--latency aws` give, with the real Deliverer in virtual time. It proves that a message takes two round trips after
// the queue, and that a hundred devices take not much longer than one.
func TestPredictedLatency(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		devices  int
		cold     bool
		p50, p99 time.Duration // at most
	}{
		{"1 device, warm", 1, false, 45 * time.Millisecond, 150 * time.Millisecond},
		{"1 device, cold", 1, true, 180 * time.Millisecond, 1200 * time.Millisecond},
		{"100 devices, warm", 100, false, 150 * time.Millisecond, 350 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const draws = 2000
				world := &clouds{random: rand.New(rand.NewPCG(1, 2))}
				d := world.predicted(c.devices)
				var took []time.Duration
				for range draws {
					began := time.Now()
					world.wait(fault.SQS, "SendMessage")
					world.wait(fault.SQS, "ReceiveMessage")
					if c.cold {
						world.pause(coldStart)
					}
					world.calls = 0
					if back := d.Deliver(t.Context(), []Record{{ID: "m", Body: `{"UserId":"user","Body":"hello"}`}}); len(back) > 0 {
						t.Fatalf("%v goes back", back)
					}
					if world.calls != 1+c.devices {
						t.Fatalf("%d calls, want a Query and %d posts", world.calls, c.devices)
					}
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				p50, p99 := took[draws/2], took[draws*99/100]
				t.Logf("predicted on AWS, %s: p50 %v, p99 %v", c.name, p50.Round(time.Millisecond), p99.Round(time.Millisecond))
				if p50 > c.p50 || p99 > c.p99 {
					t.Errorf("that is over %v and %v", c.p50, c.p99)
				}
			})
		})
	}
}

// TestPredictedBroadcast tells how long a broadcast to 100,000 users takes with these distributions, from its pace over
// fewer users.
func TestPredictedBroadcast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rate, functions, users, atMost int }{{500, 1, 2_000, 260}, {4000, 4, 8_000, 60}} {
		t.Run(fmt.Sprint(c.rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				world, crew, p := &clouds{random: rand.New(rand.NewPCG(1, 2))}, &crew{}, newPresence()
				p.read = func(context.Context) error { world.wait(fault.DynamoDB, "Query"); return nil }
				p.list = p.read
				took := crew.broadcast(t, p, c.rate, c.functions, c.users, world.post) * 100_000 / time.Duration(c.users)
				t.Logf("predicted on AWS, broadcast to 100,000 users, broadcastRate %d, %d functions: %v", c.rate, c.functions, took.Round(time.Second))
				if took > time.Duration(c.atMost)*time.Second || world.calls < 2*c.users {
					t.Errorf("want %d s at most, and a Query and a post for each of %d users; %d calls were made", c.atMost, c.users, world.calls)
				}
			})
		})
	}
}
