package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heliograph/local"
	"heliograph/simulator/fault"
	"heliograph/simulator/iam"
)

var slow = flag.Bool("slow", false, "run also the tests that wait for minutes: for sweeps, and for all attempts of a message")

// breakable is a separate stack for the tests in this file, because a fault affects every test on its stack.
type breakable struct {
	reached
	sim  *local.Stack
	logs *safeBuffer
}

var (
	started     atomic.Pointer[breakable] // nil until a test needs it
	startBroken = sync.OnceValues(func() (*breakable, error) {
		b := &breakable{logs: new(safeBuffer)}
		var err error
		if b.sim, err = startLocal(context.Background(), b.logs); err != nil {
			return nil, err
		}
		started.Store(b)
		b.Endpoints = b.sim.Endpoints()
		b.config, err = b.AWSConfig(context.Background())
		return b, err
	})
)

// broken returns the stack that was started for faults, nil if there is none yet.
func broken() *breakable { return started.Load() }

func closeBroken() error {
	if b := broken(); b != nil {
		return b.sim.Close()
	}
	return nil
}

func (b *breakable) logTail() string {
	if b == nil {
		return "none\n"
	}
	return b.logs.tail(64 << 10)
}

// denied lists the calls that were refused because a permission is missing.
func (b *breakable) denied() []string {
	if b == nil {
		return nil
	}
	return b.sim.Denied()
}

// used reports whether the functions of this stack needed a permission of the shared one. The resources have different
// ARNs, so only role and action are compared.
func (b *breakable) used(p iam.Permission) bool {
	return b != nil && !slices.ContainsFunc(b.sim.UnusedPermissions(), func(unused iam.Permission) bool {
		return unused.Role == p.Role && unused.Action == p.Action
	})
}

// breaks returns the stack to a test that injects faults.
func breaks(t *testing.T) *breakable {
	t.Helper()
	if own == nil {
		t.Skip("only the simulator can be broken on purpose")
	}
	b, err := startBroken()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// inject adds a fault until the test ends, and returns a function that counts its hits.
func (b *breakable) inject(t *testing.T, r fault.Rule) (hits func() int) {
	t.Helper()
	id, err := b.sim.Faults().Add(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.sim.Faults().Remove(id) }) // the test may have done so itself
	return func() int {
		for _, f := range b.sim.Faults().List() {
			if f.ID == id {
				return f.Hits
			}
		}
		return 0
	}
}

// connect opens a user's only connection, and also returns its id.
func (b *breakable) connect(t *testing.T, user string) (device, string) {
	t.Helper()
	d := b.connectWith(t, tokenFor(t, user))
	return d, b.waitForConnections(t, user, 1)[0]
}

// TestFaults breaks the stack in the ways that AWS breaks, and proves that the promises hold for each. Tests whose
// faults affect the whole stack run one by one; those that break a single connection run in parallel after them.
func TestFaults(t *testing.T) {
	t.Parallel()
	b := breaks(t)
	t.Run("SSM is down", b.parametersAreDown)
	t.Run("connect is throttled", b.connectIsThrottled)
	t.Run("SNS is down", b.topicsAreDown)
	t.Run("SNS is down when somebody goes", b.topicsAreDownForGoing)
	t.Run("announce is killed", b.announceIsKilled)
	t.Run("the table's answers get lost", b.answersGetLost)
	t.Run("a stream delivers twice", b.streamDeliversTwice)
	t.Run("a queue delivers twice", b.queueDeliversTwice)
	t.Run("send is killed", b.sendIsKilled)
	t.Run("send is killed late", b.sendIsKilledLate)
	t.Run("a writer of kept messages dies", b.writerDies)
	t.Run("for one connection", func(t *testing.T) {
		t.Run("posts fail", b.postsFail)
		t.Run("a post takes too long", b.postTakesTooLong)
		t.Run("a post's answer gets lost", b.postAnswerGetsLost)
		t.Run("a forged follow-up", b.forgedFollowUp)
		t.Run("a dead letter is redriven", b.redriven)
		t.Run("a disconnect is lost", b.disconnectIsLost)
		t.Run("a disconnect is late", b.disconnectIsLate)
		t.Run("every attempt fails", b.everyAttemptFails)
		t.Run("a ghost is swept", b.ghostIsSwept)
	})
}

// parametersAreDown: an authorizer that has read the secret keeps using it; one that starts without it fails with an
// error, not with a refusal, and recovers when the secret can be read again.
func (b *breakable) parametersAreDown(t *testing.T) {
	user := newUser()
	b.connect(t, user)
	hits := b.inject(t, fault.Rule{Service: fault.SSM, Caller: "*-authorizer", Down: true})
	b.connectWith(t, tokenFor(t, user))
	// Every authorizer process so far has the secret. They are killed one by one.
	eventually(t, "an authorizer starts without the secret", func(context.Context) (bool, error) {
		b.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-authorizer", Kill: true, Count: 1})
		if got := b.handshake(t, user); got != http.StatusInternalServerError {
			return false, fmt.Errorf("connecting while the authorizer is killed: %d", got)
		}
		before := hits()
		got := b.handshake(t, user)
		asked := hits() > before
		if asked && got != http.StatusInternalServerError && got != http.StatusSwitchingProtocols {
			return false, fmt.Errorf("connecting while the authorizer can't read the secret: %d", got)
		}
		return asked && got == http.StatusInternalServerError, nil
	})
	b.sim.Faults().Clear()
	// Without any keys the authorizer asks for them once a second at most.
	eventually(t, "the authorizer has read the secret", func(context.Context) (bool, error) {
		return b.handshake(t, user) == http.StatusSwitchingProtocols, nil
	})
}

// handshake tries to connect a user, and returns the status of the answer.
func (b *breakable) handshake(t *testing.T, user string) int {
	t.Helper()
	socket, response, err := b.dial(within(t), tokenFor(t, user))
	if err == nil {
		_ = socket.CloseNow() // only the admission matters
		return http.StatusSwitchingProtocols
	}
	if response == nil {
		t.Fatalf("connecting: %v", err)
	}
	return response.StatusCode
}

// patiently waits longer than patience, for the few conditions that need it.
func patiently(t *testing.T, limit time.Duration, holds func() bool) {
	t.Helper()
	late := time.After(limit)
	for !holds() {
		select {
		case <-late:
			t.Fatalf("not within %v", limit)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
