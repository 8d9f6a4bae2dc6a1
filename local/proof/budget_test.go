package proof

import (
	"context"
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"heliograph"
	"heliograph/simulator/cloudwatch/alarm"
)

var seed = flag.Uint64("seed", 1, "of the random traffic of the false-page budget")

// TestHealthyTrafficPagesNobody is the false-page budget: no page in a day that includes everything that happens to a
// healthy stack. It also proves that the same alarms notice five failed posts in a hundred within ten minutes. With
// -short, the alarms are evaluated only every five minutes.
func TestHealthyTrafficPagesNobody(t *testing.T) {
	t.Parallel()
	d, err := deployed()
	if err != nil {
		t.Fatal(err)
	}
	for _, posts := range []float64{1, 100, 2000} {
		t.Run(fmt.Sprintf("%v posts a second", posts), func(t *testing.T) {
			t.Parallel()
			t.Logf("-seed %d", *seed)
			w, traffic := newWorld(t, d), newTraffic(d, *seed, posts)
			traffic.rejecting = 0.0005
			for i := range 24 * 60 {
				w.feed(traffic.usual(i))
				if !testing.Short() || i%5 == 0 {
					w.look(d, i)
				}
			}
			t.Logf("within a day there were the tickets %v", w.tickets())
			w.told, traffic.rejecting, traffic.failing = nil, 0, 0.05
			if !w.until("send-failures", alarm.Alarming, 10*time.Minute-d.held("send-failures"), traffic.healthy) {
				t.Errorf("failing posts are not seen: %s", w.alarm("send-failures-ratio").Reason)
			}
			w.wait(d.held("send-failures"), traffic.healthy)
			if !slices.Contains(w.told, "pages ALARM send-failures") {
				t.Errorf("failing posts page nobody; the topics were told %v", w.told)
			}
		})
	}
}

// look evaluates the alarms. No alarm that pages may fire.
func (w *world) look(d *deployment, i int) {
	w.engine.Evaluate(context.Background(), w.now)
	for name, a := range d.alarms {
		if a.Severity != "page" {
			continue
		}
		if got := w.alarm(name); got.State == alarm.Alarming && got.Since.Equal(w.now) {
			w.t.Errorf("%s pages at minute %d: %s", name, i, got.Reason)
		}
	}
}

// tickets counts the tickets of each alarm.
func (w *world) tickets() map[string]int {
	count := map[string]int{}
	for _, what := range w.told {
		if name, is := strings.CutPrefix(what, "tickets ALARM "); is {
			count[name]++
		}
	}
	return count
}

// usual is a minute of a day on which nothing is wrong and much happens: two deployments, a reconnect storm, a client
// that doesn't notice that its token has expired, keys that once can't be read, a short burst of 429.
func (t *traffic) usual(i int) minute {
	m := t.healthy()
	for _, event := range []struct {
		from, minutes int
		happens       func(m minute, since int)
	}{
		{6 * 60, 3, t.reconnects},
		{10 * 60, 2, t.deploys},
		{12 * 60, 6 * 60, func(m minute, _ int) { m.set("TokensRejected", m.sum("TokensRejected")+12) }},
		{15 * 60, 2, t.deploys},
		{18 * 60, 1, func(m minute, _ int) { m.set("KeyRefreshFailures", 1); m.set("KeyTimeLeft", 0) }},
		{20 * 60, 2, func(m minute, _ int) { m.set("PostsThrottled", math.Round(0.2*m.sum("PostsDelivered"))) }},
	} {
		if since := i - event.from; since >= 0 && since < event.minutes {
			event.happens(m, since)
		}
	}
	return m
}

// reconnects is a storm: half of the clients lose their connection at once and are back within three minutes. Lambda
// and the table take a minute to follow.
func (t *traffic) reconnects(m minute, since int) {
	again := math.Round(t.connections / 2 / 3)
	for _, name := range []string{"ConnectCount", "TokensAccepted", "ConnectionsOpened", "Invocations authorizer", "Invocations connect", "Invocations disconnect"} {
		m.set(name, m.sum(name)+again)
	}
	m.set("ActiveConnections", math.Round(t.connections*(0.5+0.5*float64(since+1)/3)))
	m.count("PostsFailed", m.sum("PostsFailed")+t.events(m.sum("PostsDelivered")/1000))
	if since == 0 {
		m.set("Throttles connect", 3)
		m.set("WriteThrottleEvents", 20)
		m.set("SuccessfulRequestLatency PutItem", 150)
	}
}

// deploys restarts all functions: some messages are late, some queries slow, and the queue grows for a while.
func (t *traffic) deploys(m minute, _ int) {
	m.set("DeliveriesOnTime", math.Round(0.8*m.sum("DeliveriesOnTime")))
	slowQueries(0.3)(m, false)
	m.set("ApproximateAgeOfOldestMessage send", 15)
	m.set("IteratorAge announce", 8000)
	for _, name := range heliograph.Functions() {
		m.set("Duration "+name, t.times(400)...)
	}
}

// BenchmarkEvaluation measures an evaluation of all alarms after a day of traffic, in processor time, so that other
// work on the machine does not count.
func BenchmarkEvaluation(b *testing.B) {
	d, err := deployed()
	if err != nil {
		b.Fatal(err)
	}
	w, traffic := newWorld(b, d), newTraffic(d, 1, 100)
	for i := range 24 * 60 {
		w.feed(traffic.usual(i))
	}
	start := cpu(b)
	for b.Loop() {
		w.engine.Evaluate(context.Background(), w.now)
	}
	b.ReportMetric((cpu(b)-start).Seconds()*1000/float64(b.N), "cpu-ms/op")
}

// cpu is the processor time used by this process.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
