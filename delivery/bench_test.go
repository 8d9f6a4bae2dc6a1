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

	"heliograph/observability"
	"heliograph/presence"
)

// benchmarkDeliver measures one invocation with records for users with devices, all of them delivered, per
// delivered post. SDK calls cost nothing here: what is left is our own code, from the record to the settled
// record, within an invocation whose trace is not sampled.
func benchmarkDeliver(b *testing.B, records, devices, bytes int) {
	p := newPresence()
	var batch []Record
	for i := range records {
		user := presence.UserID(fmt.Sprint("user", i))
		for c := range devices {
			p.connections[user] = append(p.connections[user], since(presence.ConnectionID(fmt.Sprintf("%s-%d", user, c)), time.Hour))
		}
		body, _ := json.Marshal(map[string]string{"UserId": string(user), "Body": strings.Repeat("x", bytes)})
		batch = append(batch, Record{ID: fmt.Sprint(i), Body: string(body), SentAt: time.Now()})
	}
	d := New(Config{Presence: p, Poster: stub(func(context.Context, string) error { return nil })})
	f := observability.New("send", observability.Settings{Stage: "bench", TraceSampling: 1}, io.Discard)
	invoke := observability.Wrap(f, func(ctx context.Context, batch []Record) (int, error) {
		return len(d.Deliver(ctx, batch)), nil
	})
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "r"})
	ctx, cancel := context.WithTimeout(ctx, time.Hour) // as every invocation has a deadline
	defer cancel()
	slog.SetDefault(slog.New(slog.DiscardHandler))

	b.ReportAllocs()
	for b.Loop() {
		if failed, err := invoke(ctx, batch); failed > 0 || err != nil {
			b.Fatal(failed, err)
		}
	}
	posts := float64(b.N * records * devices)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/posts, "ns/post")
}

func BenchmarkDeliver(b *testing.B) {
	for _, c := range []struct{ records, devices, bytes int }{{1, 1, 100}, {10, 1, 100}, {10, 3, 100}, {1, 100, 100}, {10, 1, 10_000}} {
		b.Run(fmt.Sprintf("records=%d/devices=%d/bytes=%d", c.records, c.devices, c.bytes), func(b *testing.B) {
			benchmarkDeliver(b, c.records, c.devices, c.bytes)
		})
	}
}
