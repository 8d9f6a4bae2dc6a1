package lambda

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"heliograph/simulator/wire"
)

// TestBeforeMayRefuse proves that the hook's error becomes the answer, and that the function never runs.
func TestBeforeMayRefuse(t *testing.T) {
	t.Parallel()
	refusal := &wire.Error{Code: "ServiceException", Status: 500}
	p, r := newPlatform(t, Options{Before: func(_ context.Context, f Function) (Kill, error) {
		if f.Name != "f-pid" {
			t.Errorf("asked about %s", f.Name)
		}
		return nil, refusal
	}})
	f := create(t, p, "pid")
	if _, err := p.Invoke(t.Context(), Request{Function: f.ARN}); !errors.Is(err, refusal) {
		t.Errorf("the error is %v, want the hook's", err)
	}
	if n := r.sum("Invocations"); n != 0 {
		t.Errorf("%v invocations are counted", n)
	}
}

// TestBeforeMayKill proves that a function marked for killing never succeeds, whether it is still working at that
// moment or would have answered before; and that the hook learns the function's usual duration.
func TestBeforeMayKill(t *testing.T) {
	t.Parallel()
	for behaviour, after := range map[string]time.Duration{"hang": 20 * time.Millisecond, "pid": time.Hour} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			var usually time.Duration
			p, r := newPlatform(t, Options{Before: func(context.Context, Function) (Kill, error) {
				return func(usual time.Duration) time.Duration { usually = usual; return after }, nil
			}})
			result := invoke(t, p, create(t, p, behaviour), `{}`)
			if !strings.Contains(string(result.Payload), "Runtime exited with error: signal: killed") {
				t.Errorf("the answer is %q, %s", result.FunctionError, result.Payload)
			}
			if usually <= 0 || r.sum("Errors") != 1 {
				t.Errorf("it usually takes %v; %v errors are counted", usually, r.sum("Errors"))
			}
		})
	}
}

// TestUsualDuration proves that a function's usual duration is that of its last run.
func TestUsualDuration(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	f := create(t, p, "pid")
	took := invoke(t, p, f, `{}`).Duration
	internal, err := p.find(f.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.usual(internal); got != took {
		t.Errorf("it usually takes %v, and took %v", got, took)
	}
}
