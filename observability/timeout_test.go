package observability

import (
	"context"
	"strings"
	"testing"
	"time"

	"heliograph/observability/catalogue"
)

// TestTimeOut proves that an invocation that is about to be killed leaves everything behind: its debug lines, one line that
// names the place, its metrics with DeadlinesMissed, and its trace, with what was open as in progress. And where it ends
// in time after all, the trace is sent again, complete.
func TestTimeOut(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	out := &lockedBuffer{}
	f := New("send", testSettings, out)
	f.tracer = tracerTo(d.address())
	ctx, cancel := context.WithTimeout(context.Background(), beforeDeadline+50*time.Millisecond)
	defer cancel()
	var early []segment
	_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
		Log(ctx).Debug("on the way")
		_ = Step(ctx, "done", func(context.Context) error { return nil })
		return Step(ctx, "outer", func(ctx context.Context) error {
			return Step(ctx, "inner", func(context.Context) error {
				for deadline := time.Now().Add(5 * time.Second); !strings.Contains(string(out.Bytes()), "DeadlinesMissed"); {
					if time.Sleep(5 * time.Millisecond); time.Now().After(deadline) {
						t.Fatal("no line was written in 5 s")
					}
				}
				for len(early) == 0 {
					early = d.segments(t)
				}
				return nil
			})
		})
	}))(lambdaContext(ctx, "r-1", sampledTrace), struct{}{})
	logs, metrics := decodeLines(t, out.Bytes())
	if len(logs) != 2 || logs[0]["message"] != "on the way" || logs[1]["place"] != "inner" || logs[1]["why"] != "timeout" {
		t.Errorf("the log lines are %v", logs)
	}
	if metrics[0]["DeadlinesMissed"] != 1.0 {
		t.Errorf("the metric lines are %v", metrics)
	}
	root := early[0]
	if !root.InProgress || root.End != 0 || root.Annotations["place"] != "inner" || len(root.Subsegments) != 2 {
		t.Fatalf("the root in progress is %+v", root)
	}
	done, outer := root.Subsegments[0], root.Subsegments[1]
	if done.InProgress || !outer.InProgress || len(outer.Subsegments) != 1 || !outer.Subsegments[0].InProgress {
		t.Errorf("in progress are %+v and %+v", done, outer)
	}
	late := d.segments(t)
	if len(late) != 1 || late[0].ID != root.ID || late[0].InProgress || late[0].Annotations["outcome"] != "ok" {
		t.Errorf("in the end came %+v", late)
	}
}

// TestTimeOutUntraced proves that the place is known without a trace, too, and is the function itself outside of steps.
func TestTimeOutUntraced(t *testing.T) {
	t.Parallel()
	for place, steps := range map[string][]string{"send": nil, "second": {"first", "second"}} {
		out := &lockedBuffer{}
		f := New("send", testSettings, out)
		_, inv := f.begin(context.Background())
		for _, name := range steps {
			inv.enter(name)
		}
		inv.leave(inv.enter("done"))
		inv.rescue("timeout")
		if logs, _ := decodeLines(t, out.Bytes()); len(logs) != 1 || logs[0]["place"] != place {
			t.Errorf("in %v the lines are %v", steps, logs)
		}
	}
}

// TestKeptLines proves that lines below the level are written if the invocation fails, by an error or by an answer that
// it counts as one, newest 20 KB only, and otherwise not; and that a sample of invocations writes them anyway.
func TestKeptLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		sampling float64
		h        func(context.Context) error
		want     int // debug lines
	}{
		{"good", 0, func(context.Context) error { return nil }, 0},
		{"error", 0, func(context.Context) error { return errTest }, 2},
		{"answered", 0, func(ctx context.Context) error { Add(ctx, catalogue.HandlerErrors, 1); return nil }, 2},
		{"many", 0, func(ctx context.Context) error {
			for range 1000 {
				Log(ctx).Debug("again")
			}
			return errTest
		}, 0},
		{"sampled", 1, func(context.Context) error { return nil }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := &lockedBuffer{}
			f := New("send", Settings{Stage: "test", LogSampling: c.sampling}, out)
			_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
				Log(ctx).Debug("first")
				Log(ctx).With("n", 2).Debug("second")
				return c.h(ctx)
			}))(lambdaContext(context.Background(), "r-1", ""), struct{}{})
			logs, _ := decodeLines(t, out.Bytes())
			debug, bytes := 0, 0
			for _, l := range logs {
				if l["level"] == "DEBUG" {
					debug++
				}
			}
			if bytes = len(out.Bytes()); c.name == "many" {
				if bytes > maxKept+2000 || debug < 50 || logs[0]["message"] != "again" {
					t.Errorf("%d lines and %d bytes were written, the first is %v", debug, bytes, logs[0])
				}
			} else if debug != c.want {
				t.Errorf("%d debug lines: %v", debug, logs)
			}
		})
	}
}
