package e2e

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// figureLatency measures from the call of SendMessage to the arrival at the socket.
func figureLatency(t *testing.T) {
	const connections, rate, messages = 100, 50, 1000
	_, endpoints := startStack(t)
	load := newLoad(t, endpoints)
	arrived := make(chan time.Duration, messages)
	for i := range connections {
		socket := load.connect(t, fmt.Sprint("user-", i))
		go func() {
			for {
				_, message, err := socket.Read(context.Background())
				if err != nil {
					return
				}
				sent, err := strconv.ParseInt(string(message), 10, 64)
				if err != nil {
					panic(err)
				}
				arrived <- time.Since(time.Unix(0, sent))
			}
		}()
	}
	pace := time.NewTicker(time.Second / rate)
	defer pace.Stop()
	for i := range messages + rate { // the first second warms up
		<-pace.C
		go load.send(t, fmt.Sprint("user-", i%connections))
	}
	var took []float64
	for range messages + rate {
		select {
		case d := <-arrived:
			took = append(took, float64(d.Microseconds())/1000)
		case <-time.After(patience):
			t.Fatalf("%d of %d messages arrived", len(took), messages+rate)
		}
	}
	took = took[rate:]
	slices.Sort(took)
	report(t, "send to socket, 50/s, 100 connections, p50", took[len(took)/2], 15, "ms")
	report(t, "send to socket, 50/s, 100 connections, p99", took[len(took)*99/100], 75, "ms")
}

// figureThroughput measures how many messages per second go from the queue to sockets, with producers, functions,
// simulator and clients all on this machine.
func figureThroughput(t *testing.T) {
	took := throughput(t)
	reportAtLeast(t, "messages a second, SQS to socket, 1,000 connections", took, 2000, "/s")
}

// figureConcurrency measures the same for several settings of maxConcurrency: the default, and the most that a laptop
// can use.
func figureConcurrency(t *testing.T) {
	for _, concurrency := range []string{"3", "100"} {
		reportAtLeast(t, "messages a second, maxConcurrency "+concurrency, throughput(t, "--config", "maxConcurrency="+concurrency), 1000, "/s")
	}
}

// throughput returns the messages per second that reach 1,000 connections of a stack started with these arguments.
func throughput(t *testing.T, arguments ...string) float64 {
	t.Helper()
	const users, batches = 1000, 2000
	c := newCrowd(t, users, arguments...)
	took := c.deliver(t, batches, batches*10, c.batch)
	return batches * 10 / took.Seconds()
}

// figureAddressing measures the same for a mix of all ways to address a message, and the duration of a broadcast,
// which is paced.
func figureAddressing(t *testing.T) {
	const users, batches, arrivals = 1000, 500, 5 + 2 + 2*10 + 1 // arrivals of one batch
	c := newCrowd(t, users)
	ids := c.connections(t)
	took := c.deliver(t, batches, batches*arrivals, func(batch int) (bodies []string) {
		at := func(i int) int { return (batch*arrivals + i) % users }
		for i := range 5 {
			bodies = append(bodies, fmt.Sprintf(`{"UserId":"user-%d","Body":"one"}`, at(i)))
		}
		for i := range 2 {
			bodies = append(bodies, fmt.Sprintf(`{"ConnectionId":%q,"Body":"device"}`, ids[at(5+i)]))
			var ten []string
			for j := range 10 {
				ten = append(ten, fmt.Sprintf(`"user-%d"`, at(7+10*i+j)))
			}
			bodies = append(bodies, fmt.Sprintf(`{"UserIds":[%s],"Body":"several"}`, strings.Join(ten, ",")))
		}
		return append(bodies, fmt.Sprintf(`{"UserId":"user-%d","Body":"claimed","Id":"mix-%d","Receipt":true}`, at(27), batch))
	})
	reportAtLeast(t, "arrivals a second of messages addressed in all ways", batches*arrivals/took.Seconds(), 1000, "/s")
	took = c.deliver(t, 1, users, func(int) []string { return []string{`{"Broadcast":true,"Body":"to all"}`} })
	report(t, "broadcast to 1,000 users at 500 a second", took.Seconds(), 5, "s")
}

// crowd is a large number of users with a connection each, on a separate stack; each counts its messages.
type crowd struct {
	load
	users   int
	arrived *atomic.Int64
}

func newCrowd(t *testing.T, users int, arguments ...string) crowd {
	t.Helper()
	_, endpoints := startStack(t, arguments...)
	c := crowd{newLoad(t, endpoints), users, new(atomic.Int64)}
	var group errgroup.Group
	group.SetLimit(8)
	for i := range users {
		group.Go(func() error {
			socket := c.connect(t, fmt.Sprint("user-", i))
			go func() {
				for {
					if _, _, err := socket.Read(context.Background()); err != nil {
						return
					}
					c.arrived.Add(1)
				}
			}()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// batch returns ten messages to as many users.
func (c crowd) batch(number int) (bodies []string) {
	for i := range 10 {
		bodies = append(bodies, fmt.Sprintf(`{"UserId":"user-%d","Body":"message %d"}`, (number*10+i)%c.users, number*10+i))
	}
	return bodies
}

// connections returns the ids of the users' connections.
func (c crowd) connections(t *testing.T) []string {
	t.Helper()
	ids := make([]string, c.users)
	for i := range ids {
		key, err := c.connectionOf(t.Context(), fmt.Sprint("user-", i))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = strings.TrimPrefix(textOf(key["sk"]), "conn#")
	}
	return ids
}

// deliver sends batches of up to ten messages from four producers, and returns the time until all expected messages
// have arrived. It fails if more arrive.
func (c crowd) deliver(t *testing.T, batches, arrivals int, batch func(int) []string) time.Duration {
	t.Helper()
	const producers = 4
	before, began := c.arrived.Load(), time.Now()
	var group errgroup.Group
	for producer := range producers {
		group.Go(func() error {
			for i := producer; i < batches; i += producers {
				if err := c.sendAll(t.Context(), batch(i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(2 * time.Minute); c.arrived.Load()-before < int64(arrivals); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d of %d arrived", c.arrived.Load()-before, arrivals)
		}
	}
	took := time.Since(began)
	time.Sleep(100 * time.Millisecond)
	if got := c.arrived.Load() - before; got != int64(arrivals) {
		t.Errorf("%d arrived, %d were to", got, arrivals)
	}
	return took
}
