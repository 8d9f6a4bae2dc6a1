package delivery

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/observability"
)

// roundTrip is the duration of every AWS call in these tests: delivery waits for round trips, not for the CPU.
const roundTrip = 15 * time.Millisecond

// batch is a mix of messages, and the most round trips that settling it may take.
type batch struct {
	name     string
	messages int
	devices  int    // per user
	fields   string // further fields of each message
	users    int    // if set, the number of users of each message
	failing  bool   // the first device of each user refuses
	trips    float64
}

// batches are the figures to hold: a sequential handler takes 40 round trips for the first batch.
var batches = []batch{
	{name: "one message", messages: 1, devices: 1, trips: 2},
	{name: "10 messages to 3 devices each", messages: 10, devices: 3, trips: 2},
	{name: "10 messages to 3 devices each, one of which fails", messages: 10, devices: 3, failing: true, trips: 3},
	{name: "10 messages with an Id", messages: 10, devices: 3, fields: `"Id":"1",`, trips: 3},
	{name: "10 messages with an Id and a receipt", messages: 10, devices: 3, fields: `"Id":"1","Receipt":true,`, trips: 4},
	{name: "100 devices", messages: 1, devices: 100, trips: 3},
	{name: "one message to 64 users", messages: 1, devices: 1, users: 64, trips: 2},
	{name: "one message to 1,000 users", messages: 1, devices: 1, users: 1000, trips: 32},
}

// invoke returns the invocation that settles a batch, in which each call takes one round trip on the bubble's clock.
func (c batch) invoke(fail func(...any)) func() time.Duration {
	slow := func(ctx context.Context) error {
		select {
		case <-time.After(roundTrip):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p, claims := newPresence(), newClaims()
	p.read = slow
	claims.call = func(ctx context.Context, _, _ string) error { return slow(ctx) }
	var records []Record
	for m := range c.messages {
		var users []string
		for u := range max(1, c.users) {
			user := heliograph.UserID(fmt.Sprintf("user%d-%d", m, u))
			users = append(users, fmt.Sprintf("%q", user))
			for device := range c.devices {
				p.connections[user] = append(p.connections[user], since(heliograph.ConnectionID(fmt.Sprintf("%s-%d", user, device)), time.Hour))
			}
		}
		body := fmt.Sprintf(`{%s"UserIds":[%s],"Body":"hello"}`, c.fields, strings.Join(users, ","))
		records = append(records, Record{ID: fmt.Sprint(m), Body: body, SentAt: time.Now()})
	}
	d := New(Config{
		Presence: p, Claims: claims, Receipts: &fakeReceipts{publish: slow}, Keys: testKeys{}, BroadcastRate: 500,
		Queue: &fakeQueue{send: func(ctx context.Context, _ *sqs.SendMessageInput) error { return slow(ctx) }},
		Poster: stub(func(ctx context.Context, id string) error {
			if err := slow(ctx); err != nil || !c.failing || !strings.HasSuffix(id, "-0") {
				return err
			}
			return context.DeadlineExceeded
		}),
	})
	f := observability.New("send", observability.Settings{Stage: "bench", TraceSampling: 1}, io.Discard)
	invoke := observability.Wrap(f, func(ctx context.Context, records []Record) (int, error) {
		return len(d.Deliver(ctx, records)), nil
	})
	return func() time.Duration {
		ctx, cancel := context.WithTimeout(lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{}), 30*time.Second)
		defer cancel()
		start := time.Now()
		if back, err := invoke(ctx, records); back > 0 || err != nil {
			fail(back, err)
		}
		return time.Since(start)
	}
}

// TestRoundTrips proves how many round trips batches take: exactly, since the bubble's clock moves only while every
// goroutine waits.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, c := range batches {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if got := c.invoke(t.Fatal)().Seconds() / roundTrip.Seconds(); got != c.trips {
					t.Errorf("%.2f round trips, want %g", got, c.trips)
				}
			})
		})
	}
}

// BenchmarkRoundTrips measures the same on the machine's clock: any time beyond the round trips is our own code's.
func BenchmarkRoundTrips(b *testing.B) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for _, c := range batches {
		if c.fields != "" {
			continue // the second run would be a duplicate
		}
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			invoke := c.invoke(b.Fatal)
			var took time.Duration
			for b.Loop() {
				took += invoke()
			}
			b.ReportMetric(took.Seconds()/float64(b.N)/roundTrip.Seconds(), "roundtrips/op")
		})
	}
}
