package observability

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"

	"heliograph/observability/catalogue"
)

// TestConcurrency proves that a handler may add, log and set properties from many goroutines: nothing is
// lost and no two lines mix, even where the writer beneath takes them byte by byte.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	const workers, rounds = 8, 50
	out := &byteWriter{}
	f := New("send", testSettings, out)
	f.tracer = nil
	_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := range rounds {
					Add(ctx, catalogue.PostsDelivered, 1)
					Add(ctx, catalogue.DeliveryLatency, float64(i))
					SetProperty(ctx, fmt.Sprint("worker", w), fmt.Sprint(i))
					Log(ctx).Info("round", "i", i)
					if i%10 == 0 {
						from(ctx).flush() // as the deadline's timer does
					}
				}
			})
		}
		wg.Wait()
		return nil
	}))(context.Background(), struct{}{})
	logs, metrics := decodeLines(t, out.Bytes())
	delivered, latencies := 0.0, 0
	for raw := range bytes.Lines(out.Bytes()) {
		if !bytes.HasPrefix(raw, []byte(`{"_aws"`)) {
			continue
		}
		for _, m := range declaredMetrics(t, raw) {
			switch m.name {
			case "PostsDelivered":
				delivered += m.values[0]
			case "DeliveryLatency":
				latencies += len(m.values)
			}
		}
	}
	if delivered != workers*rounds || latencies != workers*rounds || len(logs) != workers*rounds || len(metrics) < 2 {
		t.Errorf("%v posts, %d latencies and %d log lines of %d", delivered, latencies, len(logs), workers*rounds)
	}
}

// byteWriter writes byte by byte and lets others in between.
type byteWriter struct{ bytes.Buffer }

var _ io.Writer = (*byteWriter)(nil)

func (w *byteWriter) Write(p []byte) (int, error) {
	for _, b := range p {
		w.WriteByte(b)
		if b == ',' {
			runtime.Gosched()
		}
	}
	return len(p), nil
}

// TestInvocationsShareNothing proves that two invocations at once keep their values, ids and loggers
// apart.
func TestInvocationsShareNothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	var both sync.WaitGroup
	both.Add(2)
	h := Wrap(f, func(ctx context.Context, id string) (struct{}, error) {
		SetProperty(ctx, "connectionId", id)
		Add(ctx, catalogue.PostsDelivered, 1)
		both.Done()
		both.Wait() // the other one is as far
		Log(ctx).Info(id)
		return struct{}{}, nil
	})
	var wg sync.WaitGroup
	for _, id := range []string{"a", "b"} {
		wg.Go(func() { _, _ = h(lambdaContext(context.Background(), "r-"+id, ""), id) })
	}
	wg.Wait()
	logs, metrics := decodeLines(t, out.Bytes())
	for _, l := range append(logs, metrics...) {
		if l["requestId"] != "r-"+l["connectionId"].(string) {
			t.Errorf("ids are mixed up in %v", l)
		}
	}
	for _, l := range metrics {
		if l["PostsDelivered"] != 1.0 {
			t.Errorf("values are mixed up in %v", l)
		}
	}
	if len(logs) != 2 || len(metrics) != 2 {
		t.Errorf("%d log lines and %d metric lines, not 2 and 2", len(logs), len(metrics))
	}
}
