package lambda

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestFrozenBetweenEvents proves that a function's process stands still between two events with Options.Freeze and
// keeps running without it, and that it answers the next event, warm, either way.
func TestFrozenBetweenEvents(t *testing.T) {
	t.Parallel()
	if !canFreeze {
		t.Skip("processes can't be stopped here: run the test on Linux or macOS")
	}
	progress := func(freeze bool) int {
		p, _ := newPlatform(t, Options{Freeze: freeze})
		f := create(t, p, "background")
		invoke(t, p, f, "{}")
		time.Sleep(300 * time.Millisecond) // the test measures what the function does meanwhile
		result := invoke(t, p, f, "{}")
		if result.InitDuration != 0 {
			t.Error("the second event met a cold environment")
		}
		count, err := strconv.Atoi(string(result.Payload))
		if err != nil {
			t.Fatal(err)
		}
		return count
	}
	// A ticker drops missed ticks, so a frozen process counts only the ticks during its events.
	frozen, free := progress(true), progress(false)
	if frozen > 20 || free < 50 {
		t.Errorf("in 300 ms the frozen function counted to %d, the other one to %d", frozen, free)
	}
}

// TestFrozenDiesWithItsPlatform proves that a stopped process does not outlive Close.
func TestFrozenDiesWithItsPlatform(t *testing.T) {
	t.Parallel()
	if !canFreeze {
		t.Skip("processes can't be stopped here: run the test on Linux or macOS")
	}
	p, _ := newPlatform(t, Options{Freeze: true})
	pid := strings.TrimSpace(string(invoke(t, p, create(t, p, "pid"), "{}").Payload))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + pid); err == nil {
		t.Errorf("the process %s is still there", pid)
	}
}

// TestAccountOfTen proves that an account with ten concurrent executions, like a new one, throttles the eleventh event,
// whichever functions hold the ten.
func TestAccountOfTen(t *testing.T) {
	t.Parallel()
	p, r := newPlatform(t, Options{Concurrency: 10, Environments: 10})
	busy := []Function{create(t, p, "sleep"), create(t, p, "sleep", func(c *Config) { c.Name = "other" })}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range 10 {
		go func() {
			_, _ = p.Invoke(ctx, Request{Function: busy[i%2].ARN, Payload: []byte(`{"Milliseconds":5000}`)})
		}()
	}
	for r.sum("ConcurrentExecutions") < 2*(1+2+3+4+5) {
		time.Sleep(time.Millisecond)
	}
	_, err := p.Invoke(t.Context(), Request{Function: create(t, p, "echo").ARN, Payload: []byte(`{}`)})
	if !throttled(err) || r.sum("Throttles") != 1 {
		t.Errorf("the eleventh event: %v, and %v throttles", err, r.sum("Throttles"))
	}
}
