package auth

import (
	"context"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// traffic sends tokens to authorizers all the time.
type traffic struct {
	t       *testing.T
	server  *throttling
	offered atomic.Pointer[[]Token] // the good tokens that clients have now
	forged  Token
	served  atomic.Int64
	refused atomic.Int64
	wait    sync.WaitGroup
}

func (l *traffic) offer(tokens ...Token) { l.offered.Store(&tokens) }

// start starts authorizers; each serves a client every 10 s on average, until stop is called. One token of five is
// forged, and makes an authorizer read its keys again.
func (l *traffic) start(authorizers int, previous string) (stop func()) {
	ctx, cancel := context.WithCancel(l.t.Context())
	for range authorizers {
		l.wait.Go(func() {
			for v := l.server.authorizer(previous); ctx.Err() == nil; time.Sleep(rand.N(20 * time.Second)) {
				l.serve(v)
			}
		})
	}
	return cancel
}

func (l *traffic) serve(v *Verifier) {
	ctx, cancel := invocation(l.t)
	defer cancel()
	if rand.N(5) == 0 {
		if _, err := v.Verify(ctx, l.forged); reasonOf(err) != ReasonSignature {
			l.t.Errorf("a forged token: %v", err)
		}
		return
	}
	tokens := *l.offered.Load()
	l.served.Add(1)
	if _, err := v.Verify(ctx, tokens[rand.N(len(tokens))]); err != nil && l.refused.Add(1) < 5 {
		l.t.Errorf("at %v: %v", time.Now(), err)
	}
}

// documentedWait is how long docs/operating.md has an operator wait before tokens are signed with the new secret.
func documentedWait(t *testing.T) time.Duration {
	t.Helper()
	page, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Then wait (\d+) minutes`).FindSubmatch(page)
	if found == nil {
		t.Fatal("docs/operating.md does not say how long to wait during a rotation")
	}
	return must(time.ParseDuration(string(found[1]) + "m"))
}

// TestRotationUnderLoad proves that the rotation of docs/operating.md refuses no client: with 180 authorizers whose
// keys are of every age, with forged tokens among the good ones, and an SSM that throttles.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	pause := documentedWait(t)
	synctest.Test(t, func(t *testing.T) {
		before, after := lasting(t, secret), lasting(t, otherSecret)
		l := &traffic{t: t, server: newThrottling(map[string]string{parameter: secret}), forged: lasting(t, strings.Repeat("x", 20)+otherSecret)}
		l.offer(before)
		stop := l.start(150, "")
		time.Sleep(time.Minute)

		l.server.set(outgoing, secret) // step 1: new functions, which read both parameters
		stop()
		stopFirst := l.start(150, outgoing)
		var stops []func()
		for range 30 { // more, as traffic grows, the last of them just before the change
			time.Sleep(10 * time.Second)
			stops = append(stops, l.start(1, outgoing))
		}
		time.Sleep(time.Second)

		l.server.set(parameter, otherSecret) // step 2
		time.Sleep(pause)
		l.offer(before, after)
		time.Sleep(6 * time.Minute)

		l.offer(after) // step 3
		l.server.set(outgoing, "")
		time.Sleep(time.Minute)
		stopFirst()
		for _, stop := range stops {
			stop()
		}
		stop = l.start(150, "")
		time.Sleep(keysTTL + time.Minute)
		stop()
		l.wait.Wait()
		t.Logf("%d of %d good tokens were refused", l.refused.Load(), l.served.Load())
	})
}
