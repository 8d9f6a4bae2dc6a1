package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"heliograph"
	"heliograph/observability"
)

// delivering returns an invocation with records for users with devices, all of which are delivered. SDK calls cost
// nothing here: only our own code is measured, from the record to the settled record, within an invocation whose
// trace is not sampled.
func delivering(records, devices, bytes int) func() error {
	p := newPresence()
	var batch []Record
	for i := range records {
		user := heliograph.UserID(fmt.Sprint("user", i))
		for c := range devices {
			p.connections[user] = append(p.connections[user], since(heliograph.ConnectionID(fmt.Sprintf("%s-%d", user, c)), time.Hour))
		}
		body, _ := json.Marshal(map[string]string{"UserId": string(user), "Body": strings.Repeat("x", bytes)})
		batch = append(batch, Record{ID: fmt.Sprint(i), Body: string(body), SentAt: time.Now()})
	}
	d := New(Config{Presence: p, Poster: stub(func(context.Context, string) error { return nil })})
	f := observability.New("send", observability.Settings{Stage: "bench", TraceSampling: 1}, io.Discard)
	invoke := observability.Wrap(f, func(ctx context.Context, batch []Record) (int, error) {
		return len(d.Deliver(ctx, batch)), nil
	})
	return func() error {
		ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "r"})
		ctx, cancel := context.WithTimeout(ctx, time.Hour) // every invocation has a deadline
		defer cancel()
		back, err := invoke(ctx, batch)
		if err == nil && back > 0 {
			err = fmt.Errorf("%d records go back", back)
		}
		return err
	}
}

func BenchmarkDeliver(b *testing.B) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for _, c := range []struct{ records, devices, bytes int }{{1, 1, 100}, {10, 1, 100}, {10, 3, 100}, {1, 100, 100}, {10, 1, 10_000}} {
		b.Run(fmt.Sprintf("records=%d/devices=%d/bytes=%d", c.records, c.devices, c.bytes), func(b *testing.B) {
			invoke := delivering(c.records, c.devices, c.bytes)
			b.ReportAllocs()
			for b.Loop() {
				if err := invoke(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.records*c.devices), "ns/post")
		})
	}
}
