package observability

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"heliograph/observability/catalogue"
)

var tenMetrics = []catalogue.Metric{
	catalogue.MessagesReceived, catalogue.PostsDelivered, catalogue.PostsThrottled, catalogue.PostsGone, catalogue.PostsFailed,
	catalogue.FollowUpsQueued, catalogue.ConnectionsClosed, catalogue.DeliveryLatency, catalogue.MessagesExpired, catalogue.MessagesOffline,
}

// invoke is a plain invocation: ten metrics and three steps.
func invoke(ctx context.Context) error {
	for _, m := range tenMetrics {
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
	start := cpu(b)
	for b.Loop() {
		_, _ = wrapped(ctx, struct{}{})
	}
	perOp(b, start)
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

// BenchmarkEncoder is one metric line of ten metrics, as every invocation writes one.
func BenchmarkEncoder(b *testing.B) {
	p := page{
		at: time.Now(), stage: "prod", function: "send",
		properties: []property{{"requestId", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"}, {"traceId", testTraceID}},
	}
	var all []series
	for _, m := range catalogue.All()[:10] {
		all = append(all, newSeries(m, 12))
	}
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		p.write(io.Discard, all)
	}
	perOp(b, start)
}

// BenchmarkInvocationWithLine is what the wrapper costs an invocation with ten metrics and a log line, not traced.
func BenchmarkInvocationWithLine(b *testing.B) {
	f := New("send", Settings{Stage: "test", LogLevel: slog.LevelInfo}, io.Discard)
	benchmarkInvocation(b, f, strings.Replace(sampledTrace, "Sampled=1", "Sampled=0", 1), func(ctx context.Context) error {
		for _, m := range tenMetrics {
			Add(ctx, m, 12)
		}
		Log(ctx).Info("posted", "attempt", 1)
		return nil
	})
}

// BenchmarkMetrics is what an invocation costs that does nothing but count: bench/compare sets it beside another library.
func BenchmarkMetrics(b *testing.B) {
	f := New("send", testSettings, io.Discard)
	benchmarkInvocation(b, f, strings.Replace(sampledTrace, "Sampled=1", "Sampled=0", 1), func(ctx context.Context) error {
		for _, m := range tenMetrics {
			Add(ctx, m, 12)
		}
		return nil
	})
}

// BenchmarkSpan is a span below another one, up to and including its datagram's share.
func BenchmarkSpan(b *testing.B) {
	f := New("send", Settings{Stage: "test", TraceSampling: 1}, io.Discard)
	f.tracer = tracerTo(newDaemon(b).address())
	h := Wrap(f, ignoring(func(ctx context.Context) error {
		for range 100 {
			_ = Step(ctx, "step", func(context.Context) error { return nil })
		}
		return nil
	}))
	ctx := lambdaContext(context.Background(), "r-1", sampledTrace)
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		_, _ = h(ctx, struct{}{})
	}
	b.ReportMetric(float64(cpu(b)-start)/float64(b.N)/100, "cpu-ns/span")
}

// cpu is the processor time of this process. On a machine that does other things, too, it says more than the clock.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func perOp(b *testing.B, start time.Duration) {
	b.ReportMetric(float64(cpu(b)-start)/float64(b.N), "cpu-ns/op")
}
