package observability

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"heliograph/observability/catalogue"
)

// invoke is a plain invocation: ten metrics and three steps.
func invoke(ctx context.Context) error {
	for _, m := range []catalogue.Metric{
		catalogue.MessagesReceived, catalogue.PostsDelivered, catalogue.PostsDelivered, catalogue.PostsGone, catalogue.PostsFailed,
		catalogue.FollowUpsQueued, catalogue.ConnectionsClosed, catalogue.DeliveryLatency, catalogue.DeliveryLatency, catalogue.MessagesOffline,
	} {
		Add(ctx, m, 12)
	}
	for range 3 {
		if err := Step(ctx, "step", func(context.Context) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

func benchmarkInvocation(b *testing.B, f *Function, header string, h func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	wrapped := Wrap(f, ignoring(h))
	ctx = lambdaContext(ctx, "8476a536-e9f4-11e8-9739-2dfe598c3fcd", header)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = wrapped(ctx, struct{}{})
	}
}

// BenchmarkInvocation is what the wrapper costs an invocation that is not traced.
func BenchmarkInvocation(b *testing.B) {
	f := New("send", testSettings, io.Discard)
	benchmarkInvocation(b, f, strings.Replace(sampledTrace, "Sampled=1", "Sampled=0", 1), invoke)
}

// BenchmarkTracedInvocation is what it costs one that is, four subsegments included.
func BenchmarkTracedInvocation(b *testing.B) {
	f := New("send", testSettings, io.Discard)
	f.tracer = tracerTo(newDaemon(b).address())
	benchmarkInvocation(b, f, sampledTrace, invoke)
}

// BenchmarkLog is a log line with two ids in an invocation.
func BenchmarkLog(b *testing.B) {
	f := New("send", Settings{Stage: "test", LogLevel: slog.LevelInfo}, io.Discard)
	benchmarkInvocation(b, f, "", func(ctx context.Context) error {
		SetProperty(ctx, "connectionId", "L0SM9cOFvHcCIhw=")
		SetProperty(ctx, "user", HashUser("1234"))
		Log(ctx).Info("posted", "attempt", 1)
		return nil
	})
}
