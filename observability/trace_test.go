package observability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	testTraceID  = "1-5e1b4151-5ac6c58f1234567890abcdef"
	sampledTrace = "Root=" + testTraceID + ";Parent=53995c3f42cd8ad8;Sampled=1"
)

// traceOf calls a handler once in a sampled trace, and returns what the daemon got and how the call ended.
func traceOf(t testing.TB, h func(context.Context) error) (root segment, end string) {
	t.Helper()
	d := newDaemon(t)
	var out bytes.Buffer
	f := d.function(t, testSettings, &out)
	end = ended(func() error {
		_, err := Wrap(f, ignoring(h))(lambdaContext(context.Background(), "r-1", sampledTrace), struct{}{})
		return err
	})
	all := d.segments(t)
	if len(all) != 1 {
		t.Fatalf("%d documents, not one: %+v", len(all), all)
	}
	return all[0], end
}

// TestTrace proves what one traced invocation looks like to X-Ray: a subsegment of Lambda's segment,
// annotated, with a subsegment per step below it.
func TestTrace(t *testing.T) {
	t.Parallel()
	before := float64(time.Now().UnixMilli()) / 1000
	root, _ := traceOf(t, func(ctx context.Context) error {
		Annotate(ctx, "batch size", strings.Repeat("é", 2000))
		Annotate(ctx, "user", "jane@example.com")
		return Step(ctx, "find connections", func(ctx context.Context) error {
			Annotate(ctx, "found", "2")
			return Step(ctx, "query", func(context.Context) error { return nil })
		})
	})
	if root.Name != "send" || root.Type != "subsegment" || root.TraceID != testTraceID || root.ParentID != "53995c3f42cd8ad8" {
		t.Errorf("the root is %+v", root)
	}
	if root.Start < before || root.End < root.Start || root.Fault {
		t.Errorf("the root lasts from %v to %v, fault %v", root.Start, root.End, root.Fault)
	}
	want := map[string]any{
		"stage": "test", "outcome": "ok", "coldStart": true,
		"batch_size": strings.Repeat("é", 1000), "user": HashUser("jane@example.com"),
	}
	if diff := cmp.Diff(want, root.Annotations); diff != "" {
		t.Error(diff)
	}
	if len(root.Subsegments) != 1 || len(root.Subsegments[0].Subsegments) != 1 {
		t.Fatalf("the tree is %+v", root)
	}
	step := root.Subsegments[0]
	if step.Name != "find connections" || step.Annotations["found"] != "2" || step.Subsegments[0].Name != "query" {
		t.Errorf("the step is %+v", step)
	}
}

// TestOutcome proves how each ending of a handler is annotated, that only failures are faults, and that
// tracing changes no ending.
func TestOutcome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, outcome, message, end string
		h                           func(context.Context) error
	}{
		{"ok", "ok", "", "returned <nil>", func(context.Context) error { return nil }},
		{"error", "error", "*errors.errorString: no such luck", "returned no such luck", func(context.Context) error { return errTest }},
		{"panic", "panic", "panic: panic: boom", "panicked with boom", func(context.Context) error { return explode() }},
		{"annotated", "partial", "", "returned <nil>", func(ctx context.Context) error {
			Annotate(ctx, "outcome", "partial")
			return nil
		}},
		{"annotated error", "rejected", "*errors.errorString: no such luck", "returned no such luck", func(ctx context.Context) error {
			Annotate(ctx, "outcome", "rejected")
			return errTest
		}},
		{"annotated, then panic", "panic", "panic: panic: boom", "panicked with boom", func(ctx context.Context) error {
			Annotate(ctx, "outcome", "partial")
			return explode()
		}},
		{"annotated step", "ok", "", "returned <nil>", func(ctx context.Context) error {
			return Step(ctx, "step", func(ctx context.Context) error { Annotate(ctx, "outcome", "gone"); return nil })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root, end := traceOf(t, c.h)
			if root.Annotations["outcome"] != c.outcome || root.Fault != (c.message != "") || root.message() != c.message || end != c.end {
				t.Errorf("outcome %v, fault %v, message %q, end %q", root.Annotations["outcome"], root.Fault, root.message(), end)
			}
		})
	}
}

// TestPanicInStep proves that a panic in a step ends its span, which shows where it was, and that the span around it
// refers to it.
func TestPanicInStep(t *testing.T) {
	t.Parallel()
	root, end := traceOf(t, func(ctx context.Context) error {
		return Step(ctx, "step", func(context.Context) error { return explode() })
	})
	if end != "panicked with boom" || len(root.Subsegments) != 1 {
		t.Fatalf("it %s, the root is %+v", end, root)
	}
	inner := root.Subsegments[0]
	if inner.message() != "panic: panic: boom" || inner.Cause.Exceptions[0].Stack[0].Label != "explode" {
		t.Errorf("the step shows %+v", inner.Cause)
	}
	if root.Cause.Ref != inner.Cause.Exceptions[0].ID {
		t.Errorf("the root shows %+v, not the id of the step's exception", root.Cause)
	}
}

// TestGoexitInStep proves that a step which ends its goroutine, as t.FailNow does, still ends its span.
func TestGoexitInStep(t *testing.T) {
	t.Parallel()
	root, end := traceOf(t, func(ctx context.Context) error {
		return Step(ctx, "step", func(context.Context) error { runtime.Goexit(); return nil })
	})
	if end != "exited" || !root.Fault || !root.Subsegments[0].Fault {
		t.Errorf("it %s, the root is %+v", end, root)
	}
}

// TestNotTraced proves that nothing is sent where the trace is not sampled, or left out by our own
// share, or not known; and that steps are done all the same.
func TestNotTraced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		share  float64
	}{
		"not sampled":   {strings.Replace(sampledTrace, "Sampled=1", "Sampled=0", 1), 1},
		"undecided":     {strings.Replace(sampledTrace, "Sampled=1", "Sampled=?", 1), 1},
		"no decision":   {"Root=" + testTraceID, 1},
		"no parent":     {"Root=" + testTraceID + ";Sampled=1", 1},
		"no trace":      {"Parent=53995c3f42cd8ad8;Sampled=1", 1},
		"no header":     {"", 1},
		"no such thing": {";;=;Root;Sampled=1", 1},
		"left out":      {sampledTrace, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t)
			var out bytes.Buffer
			f := d.function(t, Settings{Stage: "test", TraceSampling: c.share}, &out)
			steps := 0
			_, err := Wrap(f, ignoring(func(ctx context.Context) error {
				Annotate(ctx, "outcome", "partial")
				return Step(ctx, "step", func(context.Context) error { steps++; return errTest })
			}))(lambdaContext(context.Background(), "r-1", c.header), struct{}{})
			if !errors.Is(err, errTest) || steps != 1 {
				t.Errorf("the step was done %d times, error %v", steps, err)
			}
			if all := d.segments(t); len(all) != 0 {
				t.Errorf("%d documents were sent", len(all))
			}
		})
	}
}

// TestTraceHeader proves how Lambda's header is read, whatever the order of its parts.
func TestTraceHeader(t *testing.T) {
	t.Parallel()
	want := traceHeader{root: testTraceID, parent: "53995c3f42cd8ad8", sampled: true}
	for _, header := range []string{
		sampledTrace,
		"Sampled=1;Parent=53995c3f42cd8ad8;Root=" + testTraceID,
		" Root=" + testTraceID + " ; Parent=53995c3f42cd8ad8; Sampled=1 ; Lineage=1:a87bd80c:0;Self=1-2-3",
	} {
		if got := traceHeaderOf(lambdaContext(context.Background(), "", header)); got != want {
			t.Errorf("%q is read as %+v", header, got)
		}
	}
}

// TestShare proves that all functions of one trace decide alike, that a larger share keeps what a smaller
// one kept, and that the share is about what was asked for.
func TestShare(t *testing.T) {
	t.Parallel()
	const n = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	kept := map[float64]int{0: 0, 0.05: 0, 0.5: 0, 1: 0}
	for range n {
		h := traceHeader{fmt.Sprintf("1-%08x-%024x", random.Uint32(), random.Uint64()), "53995c3f42cd8ad8", true}
		other := traceHeader{h.root, "0000000000000001", true}
		for share := range kept {
			if h.recorded(share) {
				kept[share]++
			}
			if h.recorded(share) != other.recorded(share) || (h.recorded(share) && !h.recorded(1)) {
				t.Fatalf("functions disagree on %s", h.root)
			}
		}
	}
	for share, k := range kept {
		if deviation := math.Abs(float64(k)/n - share); deviation > 0.015 {
			t.Errorf("of a share of %v, %d of %d were kept", share, k, n)
		}
	}
	if kept[0] != 0 || kept[1] != n {
		t.Errorf("a share of 0 kept %d, a share of 1 kept %d of %d", kept[0], kept[1], n)
	}
}

// TestManySteps proves that an invocation with many failed steps, side by side, loses none of them: no
// datagram grows beyond what UDP carries.
func TestManySteps(t *testing.T) {
	t.Parallel()
	const steps = 199
	d := newDaemon(t)
	_ = d.conn.SetReadBuffer(8 << 20)
	var out bytes.Buffer
	f := d.function(t, testSettings, &out)
	_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
		var wg sync.WaitGroup
		for i := range steps {
			wg.Go(func() {
				_ = Step(ctx, fmt.Sprint("step ", i), func(context.Context) error {
					return fmt.Errorf("%s: %w", strings.Repeat("long ", 200), errTest)
				})
			})
		}
		wg.Wait()
		return nil
	}))(lambdaContext(context.Background(), "r-1", sampledTrace), struct{}{})
	names := map[string]bool{}
	for _, s := range d.segments(t) {
		collect(s, names)
	}
	if len(names) != steps+1 {
		t.Errorf("%d of %d spans arrived", len(names), steps+1)
	}
}

// collect notes the names of a segment and of all that is below it.
func collect(s segment, names map[string]bool) {
	names[s.Name] = true
	for _, below := range s.Subsegments {
		collect(below, names)
	}
}

// TestNoDaemon proves that an invocation does not care whether anybody takes its trace.
func TestNoDaemon(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	var out bytes.Buffer
	f := d.function(t, testSettings, &out)
	_ = d.conn.Close()
	h := Wrap(f, ignoring(func(ctx context.Context) error {
		return Step(ctx, "step", func(context.Context) error { return nil })
	}))
	for range 3 {
		if _, err := h(lambdaContext(context.Background(), "r-1", sampledTrace), struct{}{}); err != nil {
			t.Error(err)
		}
	}
}

// TestBrokenSDK proves that a panic inside of the tracing library costs the trace and nothing else.
func TestBrokenSDK(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	f.tracer = &xrayTracer{func([]byte) { panic("broken") }}
	calls := 0
	_, err := Wrap(f, ignoring(func(ctx context.Context) error {
		Annotate(ctx, "outcome", "partial")
		return Step(ctx, "step", func(context.Context) error { calls++; return nil })
	}))(lambdaContext(context.Background(), "r-1", sampledTrace), struct{}{})
	if err != nil || calls != 1 {
		t.Errorf("the step was done %d times, error %v", calls, err)
	}
}

// TestTracingEnvironment proves that the daemon's address comes from the environment, that a bad one
// turns tracing off with a warning, and that the SDK can be disabled. It sets variables of the process.
func TestTracingEnvironment(t *testing.T) {
	d := newDaemon(t)
	for _, c := range []struct {
		name, address, disabled string
		documents, warnings     int
	}{
		{"plain address", d.address().String(), "", 1, 0},
		{"both protocols", fmt.Sprintf("tcp:%s udp:%s", d.address(), d.address()), "", 1, 0},
		{"bad address", "nowhere", "", 0, 1},
		{"disabled", d.address().String(), "true", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_XRAY_DAEMON_ADDRESS", c.address)
			t.Setenv("AWS_XRAY_SDK_DISABLED", c.disabled)
			var out bytes.Buffer
			f := New("send", testSettings, &out)
			if on := f.tracer != nil; on != (c.documents > 0) {
				t.Errorf("tracing is on: %v", on)
			}
			h := Wrap(f, ignoring(func(context.Context) error { return nil }))
			if _, err := h(lambdaContext(context.Background(), "r-1", sampledTrace), struct{}{}); err != nil {
				t.Error(err)
			}
			logs, _ := decodeLines(t, out.Bytes())
			if all := d.segments(t); len(all) != c.documents || len(logs) != c.warnings {
				t.Errorf("%d documents and the log lines %v", len(all), logs)
			}
		})
	}
}

// TestUntracedIsFree proves that a step of an invocation that is not traced costs no allocation.
func TestUntracedIsFree(t *testing.T) {
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
		nothing := func(context.Context) error { return nil }
		if n := testing.AllocsPerRun(100, func() { _ = Step(ctx, "step", nothing); Annotate(ctx, "found", "2") }); n != 0 {
			t.Errorf("%v allocations", n)
		}
		return nil
	}))(lambdaContext(context.Background(), "r-1", strings.Replace(sampledTrace, "Sampled=1", "Sampled=0", 1)), struct{}{})
}
