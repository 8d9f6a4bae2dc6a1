package observability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/observability/catalogue"
)

var errTest = errors.New("no such luck")

// TestKinds proves how the values of one invocation become one line: counters are summed, observations
// kept, of a gauge the last counts; what was never added is not there.
func TestKinds(t *testing.T) {
	t.Parallel()
	_, metrics, err := run(t, context.Background(), func(ctx context.Context) error {
		Add(ctx, catalogue.PostsDelivered, 1)
		Add(ctx, catalogue.DeliveryLatency, 12.5)
		Add(ctx, catalogue.PostsDelivered, 2)
		Add(ctx, catalogue.DeliveryLatency, 30)
		Add(ctx, catalogue.OnlineUsers, 7)
		Add(ctx, catalogue.OnlineUsers, 5)
		Add(ctx, catalogue.PostsFailed, 0)
		return nil
	})
	if err != nil || len(metrics) != 1 {
		t.Fatalf("%d metric lines, error %v", len(metrics), err)
	}
	delete(metrics[0], "_aws")
	want := line{
		"Stage": "test", "Function": "send", "ColdStarts": 1.0,
		"PostsDelivered": 3.0, "DeliveryLatency": []any{12.5, 30.0}, "OnlineUsers": 5.0, "PostsFailed": 0.0,
	}
	if diff := cmp.Diff(want, metrics[0]); diff != "" {
		t.Error(diff)
	}
}

// TestDimensions proves for every metric that it is written with exactly the dimensions and the unit
// that it declares.
func TestDimensions(t *testing.T) {
	t.Parallel()
	for _, m := range catalogue.All() {
		t.Run(m.Name(), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			f := newUntraced("send", testSettings, &out)
			f.warm.Store(true)
			_, _ = Wrap(f, ignoring(func(ctx context.Context) error { Add(ctx, m, 2); return nil }))(context.Background(), struct{}{})
			want := []declaredMetric{{m.Name(), string(m.Unit()), strings.Join(m.Dimensions(), ","), []float64{2}}}
			if diff := cmp.Diff(want, declaredMetrics(t, out.Bytes()), cmp.AllowUnexported(declaredMetric{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFlushWhateverHappens proves that metrics are written, the failure counted and logged once, and the
// outcome passed on, on each way a handler can end.
func TestFlushWhateverHappens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		ending func() error
		failed bool
		logged string
	}{
		{"returns", func() error { return nil }, false, ""},
		{"fails", func() error { return errTest }, true, "no such luck"},
		{"panics", func() error { panic("at the disco") }, true, "panic: at the disco"},
		{"panics with an error", func() error { panic(errTest) }, true, "panic: no such luck"},
		{"panics with nil", func() error { panic(nil) }, true, "panic: panic called with nil argument"},
		{"dereferences nil", func() error { var p *property; p.key = ""; return nil }, true, "panic: runtime error: invalid memory address or nil pointer dereference"},
		{"exits its goroutine", func() error { runtime.Goexit(); return nil }, true, "the handler's goroutine ended without returning"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			f := newUntraced("send", testSettings, &out)
			direct := ended(c.ending)
			wrapped := ended(func() error {
				_, err := Wrap(f, ignoring(func(ctx context.Context) error {
					Add(ctx, catalogue.PostsFailed, 3)
					return c.ending()
				}))(context.Background(), struct{}{})
				return err
			})
			if direct != wrapped {
				t.Errorf("the handler %s, the wrapped one %s", direct, wrapped)
			}
			logs, metrics := decodeLines(t, out.Bytes())
			checkEnd(t, logs, metrics, c.failed, c.logged)
		})
	}
}

// checkEnd checks the lines of an invocation that added PostsFailed 3.
func checkEnd(t *testing.T, logs, metrics []line, failed bool, logged string) {
	t.Helper()
	if len(metrics) != 1 || metrics[0]["PostsFailed"] != 3.0 {
		t.Fatalf("the metric lines are %v", metrics)
	}
	if _, counted := metrics[0]["HandlerErrors"]; counted != failed {
		t.Errorf("HandlerErrors is %v", metrics[0]["HandlerErrors"])
	}
	switch {
	case !failed && len(logs) != 0:
		t.Errorf("a good invocation logged %v", logs)
	case failed && len(logs) != 1:
		t.Errorf("a failed invocation has %d log lines: %v", len(logs), logs)
	case failed && (textOf(logs[0]["error"]) != logged || logs[0]["level"] != "ERROR"):
		t.Errorf("the failure's line is %v", logs[0])
	}
}

// textOf is the text of a logged error.
func textOf(logged any) string {
	object, _ := logged.(map[string]any)
	text, _ := object["message"].(string)
	return text
}

// ended calls do in a goroutine of its own and says how that ended.
func ended(do func() error) string {
	how := make(chan string, 1)
	go func() {
		end := "exited"
		defer func() {
			if p := recover(); p != nil {
				end = fmt.Sprintf("panicked with %v", p)
			}
			how <- end
		}()
		end = fmt.Sprintf("returned %v", do())
	}()
	return <-how
}

// TestPanicStack proves that the log points at the line that panicked, also through nested spans.
func TestPanicStack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	ended(func() error {
		_, err := Wrap(f, ignoring(func(context.Context) error {
			defer func() { panic(recover()) }()
			return explode()
		}))(context.Background(), struct{}{})
		return err
	})
	logs, _ := decodeLines(t, out.Bytes())
	stack, _ := logs[0]["stack"].([]any)
	if len(stack) == 0 || !strings.Contains(fmt.Sprint(stack[0]), "observability.explode ") {
		t.Errorf("the innermost frame is not where it panicked: %v", stack)
	}
}

//go:noinline
func explode() error { panic("boom") }

// TestColdStart proves that the first invocation of a function is counted as its cold start, and no
// other, even though it failed.
func TestColdStart(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	h := Wrap(f, func(_ context.Context, err error) (struct{}, error) { return struct{}{}, err })
	for _, err := range []error{errTest, nil, errTest} {
		_, _ = h(context.Background(), err)
	}
	logs, metrics := decodeLines(t, out.Bytes())
	if len(metrics) != 2 || metrics[0]["ColdStarts"] != 1.0 || metrics[1]["ColdStarts"] != nil {
		t.Errorf("the metric lines are %v", metrics)
	}
	if logs[0]["coldStart"] != true || logs[1]["coldStart"] != nil {
		t.Errorf("the log lines are %v", logs)
	}
}

// TestDeadline proves that what was added is written half a second before the deadline, and what comes
// later in a second line, and that nothing of the invocation is left when it ends.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		out := &lockedBuffer{}
		f := New("send", testSettings, out)
		f.tracer = nil
		_, err := Wrap(f, ignoring(func(ctx context.Context) error {
			Add(ctx, catalogue.PostsDelivered, 1)
			time.Sleep(2499 * time.Millisecond)
			synctest.Wait()
			if early := out.Bytes(); len(early) > 0 {
				t.Errorf("written too early: %s", early)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if _, metrics := decodeLines(t, out.Bytes()); len(metrics) != 1 || metrics[0]["PostsDelivered"] != 1.0 {
				t.Errorf("half a second before the deadline: %v", metrics)
			}
			Add(ctx, catalogue.PostsDelivered, 4)
			return nil
		}))(ctx, struct{}{})
		logs, metrics := decodeLines(t, out.Bytes())
		if err != nil || len(metrics) != 2 || metrics[1]["PostsDelivered"] != 4.0 || metrics[1]["ColdStarts"] != nil {
			t.Errorf("in the end: %v, error %v", metrics, err)
		}
		if len(logs) != 1 || logs[0]["level"] != "WARN" {
			t.Errorf("the log lines are %v", logs)
		}
	})
}

// lockedBuffer can be read while others write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *lockedBuffer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *lockedBuffer) Bytes() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.b.Bytes())
}

// TestNothingOutlivesAnInvocation proves that the deadline's timer is gone when the handler returns, and
// that the timer's own goroutine is waited for if it runs just then. (synctest fails a test whose
// goroutines are left over; here it also proves that no line comes late.)
func TestNothingOutlivesAnInvocation(t *testing.T) {
	t.Parallel()
	for _, work := range []time.Duration{0, 500 * time.Millisecond, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			out := &slowBuffer{}
			f := New("send", testSettings, out)
			f.tracer = nil
			_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
				Add(ctx, catalogue.PostsDelivered, 1)
				time.Sleep(work)
				return nil
			}))(ctx, struct{}{})
			atEnd := len(out.Bytes())
			time.Sleep(time.Minute)
			synctest.Wait()
			if late := out.Bytes()[atEnd:]; len(late) > 0 {
				t.Errorf("written after the end: %s", late)
			}
		})
	}
}

// slowBuffer takes its time, as a pipe does that nobody reads.
type slowBuffer struct{ lockedBuffer }

func (w *slowBuffer) Write(p []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return w.lockedBuffer.Write(p)
}

// TestLateValuesAreNobodys proves that a goroutine that outlives its invocation adds nothing to the
// next.
func TestLateValuesAreNobodys(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	var first context.Context
	h := Wrap(f, ignoring(func(ctx context.Context) error {
		if first == nil {
			first = ctx
			return nil
		}
		Add(first, catalogue.PostsFailed, 1)
		SetProperty(first, "connectionId", "first")
		Add(ctx, catalogue.PostsGone, 1)
		return nil
	}))
	for range 2 {
		_, _ = h(context.Background(), struct{}{})
	}
	_, metrics := decodeLines(t, out.Bytes())
	if len(metrics) != 2 || metrics[1]["PostsFailed"] != nil || metrics[1]["connectionId"] != nil || metrics[1]["PostsGone"] != 1.0 {
		t.Errorf("the metric lines are %v", metrics)
	}
}

// TestOutsideOfAnInvocation proves that domain code never has to check: without a wrapped handler
// everything does nothing, but Trace does the work.
func TestOutsideOfAnInvocation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	Add(ctx, catalogue.PostsFailed, 1)
	SetProperty(ctx, "connectionId", "c")
	Annotate(ctx, "outcome", "ok")
	Log(ctx).Error("unheard")
	if Log(ctx).Enabled(ctx, 12) {
		t.Error("the logger outside of an invocation is enabled")
	}
	if err := Step(ctx, "step", func(context.Context) error { return errTest }); !errors.Is(err, errTest) {
		t.Errorf("Trace returned %v", err)
	}
}

// TestProperties proves that ids are root members and log attributes, and never dimensions.
func TestProperties(t *testing.T) {
	t.Parallel()
	ctx := lambdaContext(context.Background(), "r-1", "Root=1-5e1b4151-5ac6c58f1234567890abcdef;Parent=53995c3f42cd8ad8;Sampled=1")
	logs, metrics, _ := run(t, ctx, func(ctx context.Context) error {
		SetProperty(ctx, "connectionId", "before")
		SetProperty(ctx, "connectionId", "L0SM9cOFvHcCIhw=")
		SetProperty(ctx, "userId", "jane@example.com")
		SetProperty(ctx, "ColdStarts", "many")
		return errTest
	})
	want := map[string]any{
		"requestId": "r-1", "traceId": "1-5e1b4151-5ac6c58f1234567890abcdef", "connectionId": "L0SM9cOFvHcCIhw=",
		"userId": HashUser("jane@example.com"), "property_ColdStarts": "many",
	}
	for key, value := range want {
		if logs[0][key] != value || metrics[0][key] != value {
			t.Errorf("%s is %v on the log line and %v on the metric line, not %v", key, logs[0][key], metrics[0][key], value)
		}
	}
	if metrics[0]["ColdStarts"] != 1.0 {
		t.Errorf("ColdStarts became %v", metrics[0]["ColdStarts"])
	}
}

// TestPropertiesAreBounded proves that properties can't make a line too large.
func TestPropertiesAreBounded(t *testing.T) {
	t.Parallel()
	_, metrics, _ := run(t, context.Background(), func(ctx context.Context) error {
		for i := range 1000 {
			SetProperty(ctx, fmt.Sprint("key", i), strings.Repeat("x", 10_000))
		}
		return nil
	})
	if n := len(metrics[0]); n > maxProperties+4 {
		t.Errorf("the line has %d members", n)
	}
}

// TestBadValues proves that what CloudWatch does not take, and the metric that is not declared, are dropped with a
// warning and spoil nothing else.
func TestBadValues(t *testing.T) {
	t.Parallel()
	logs, metrics, _ := run(t, context.Background(), func(ctx context.Context) error {
		Add(ctx, catalogue.DeliveryLatency, math.NaN())
		Add(ctx, catalogue.DeliveryLatency, math.Inf(1))
		Add(ctx, catalogue.Metric{}, 1)
		Add(ctx, catalogue.PostsDelivered, 1)
		return nil
	})
	if len(metrics) != 1 || metrics[0]["DeliveryLatency"] != nil || metrics[0]["PostsDelivered"] != 1.0 {
		t.Errorf("the metric lines are %v", metrics)
	}
	if len(logs) != 3 || logs[0]["level"] != "WARN" || logs[2]["metric"] != "none" {
		t.Errorf("the log lines are %v", logs)
	}
}
