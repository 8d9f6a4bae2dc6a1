package e2e

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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

// figureThroughput measures how many messages a second get from the queue to sockets, with producers, functions, simulator
// and clients all on this machine.
func figureThroughput(t *testing.T) {
	const connections, batches, producers = 1000, 2000, 4
	_, endpoints := startStack(t)
	load := newLoad(t, endpoints)
	var arrived atomic.Int64
	done := make(chan struct{})
	var group errgroup.Group
	group.SetLimit(8)
	for i := range connections {
		group.Go(func() error {
			socket := load.connect(t, fmt.Sprint("user-", i))
			go func() {
				for {
					if _, _, err := socket.Read(context.Background()); err != nil {
						return
					}
					if arrived.Add(1) == batches*10 {
						close(done)
					}
				}
			}()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	group = errgroup.Group{}
	for producer := range producers {
		group.Go(func() error {
			for i := producer; i < batches; i += producers {
				if err := load.sendTen(t.Context(), i*10, connections); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%d of %d messages arrived", arrived.Load(), batches*10)
	}
	reportAtLeast(t, "messages a second, SQS to socket, 1,000 connections", batches*10/time.Since(began).Seconds(), 2000, "/s")
}
