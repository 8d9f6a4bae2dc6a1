package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// bench is a verifier with everything around it that a test controls.
type bench struct {
	*Verifier
	*store
	*clock
}

func newBench(previous string, values map[string]string) bench {
	c, s := newClock(), newStore(values)
	return bench{NewVerifier(SecretKeys(s, parameter, previous, DefaultGrace, c.Now), Rules{Now: c.Now}), s, c}
}

// expect verifies a token and compares the verdict and the number of reads of the source since the start.
func (b bench) expect(t *testing.T, when string, token Token, want Reason, calls int) {
	t.Helper()
	_, err := b.Verify(context.Background(), token)
	if got := reasonOf(err); got != want {
		t.Errorf("%s: rejected for %q, want %q", when, got, want)
	}
	if got := b.Calls(); got != calls {
		t.Errorf("%s: the source was asked %d times, want %d", when, got, calls)
	}
}

// longLived are the claims of a token that outlives every test.
var longLived = with(map[string]any{"exp": start.AddDate(1, 0, 0).Unix()})

// TestKeysAreCached proves that keys are read when first needed, then once per TTL.
func TestKeysAreCached(t *testing.T) {
	t.Parallel()
	b := newBench("", map[string]string{parameter: secret})
	token := hs256(t, secret, longLived)
	if b.Calls() != 0 {
		t.Errorf("the source was asked before the first token")
	}
	b.expect(t, "malformed", "x", ReasonMalformed, 0)
	b.expect(t, "first", token, "", 1)
	b.Move(keysTTL - time.Second)
	b.expect(t, "before the TTL", token, "", 1)
	b.Move(time.Second)
	b.expect(t, "at the TTL", token, "", 2)
	b.expect(t, "right after", token, "", 2)
}

// TestUnknownSignatureReadsAgain proves that a token made with a new secret makes that secret known at once, but at
// most once in renewPause.
func TestUnknownSignatureReadsAgain(t *testing.T) {
	t.Parallel()
	b := newBench("", map[string]string{parameter: secret})
	before, after := hs256(t, secret, longLived), hs256(t, otherSecret, longLived)
	b.expect(t, "first", before, "", 1)
	b.Set(parameter, otherSecret)
	b.Move(renewPause - time.Second)
	b.expect(t, "within the pause", after, ReasonSignature, 1)
	b.Move(time.Second)
	b.expect(t, "after the pause", after, "", 2)
	b.expect(t, "the old one", before, ReasonSignature, 2)
	b.Move(renewPause)
	b.expect(t, "forged", hs256(t, strings.Repeat("x", 40), longLived), ReasonSignature, 3)
	for range 100 {
		b.expect(t, "forged, many times", hs256(t, strings.Repeat("x", 40), longLived), ReasonSignature, 3)
	}
	b.Move(renewPause)
	b.expect(t, "expired, signed with a key that is known",
		hs256(t, otherSecret, with(map[string]any{"exp": 1})), ReasonExpired, 3)
}

// TestRotation proves that tokens of both secrets pass during a rotation, and only those of the new one after it.
func TestRotation(t *testing.T) {
	t.Parallel()
	b := newBench(outgoing, map[string]string{parameter: otherSecret, outgoing: secret})
	before, after := hs256(t, secret, longLived), hs256(t, otherSecret, longLived)
	b.expect(t, "old secret", before, "", 2)
	b.expect(t, "new secret", after, "", 2)
	b.expect(t, "neither", hs256(t, strings.Repeat("x", 40), longLived), ReasonSignature, 2)
	// The deployment that ends the rotation removes the parameter before it replaces this function.
	b.Remove(outgoing)
	b.Move(keysTTL)
	b.expect(t, "old secret after the rotation", before, ReasonSignature, 4)
	b.expect(t, "new secret after the rotation", after, "", 4)
}

// TestSourceAwayWithLastGood proves that the last good keys stay in use while the source is unavailable, and that the
// source is not hammered.
func TestSourceAwayWithLastGood(t *testing.T) {
	t.Parallel()
	b := newBench("", map[string]string{parameter: secret})
	token := hs256(t, secret, longLived)
	b.expect(t, "first", token, "", 1)
	b.Fail(errors.New("away"))
	b.Move(keysTTL)
	log := invoke(t, func(ctx context.Context) {
		if _, err := b.Verify(ctx, token); err != nil {
			t.Errorf("with the last good keys: %v", err)
		}
	})
	for _, want := range []string{`"level":"WARN"`, "the last good ones stay in use", parameter, `"ageSeconds":300`, `"leftSeconds":3300`, "away", `"KeyRefreshFailures":1`, `"KeyTimeLeft":3300`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	b.expect(t, "within the pause", token, "", 2)
	b.expect(t, "forged, within the pause", hs256(t, otherSecret, longLived), ReasonSignature, 2)
	b.Move(renewPause)
	b.expect(t, "after the pause", token, "", 3)
	b.Move(DefaultGrace - keysTTL - renewPause - time.Second)
	b.expect(t, "just before the end", token, "", 4)
	b.Fail(nil)
	b.expect(t, "back, within the pause", token, "", 4)
	b.Move(renewPause)
	b.expect(t, "back", token, "", 5)
	b.Move(keysTTL - time.Second)
	b.expect(t, "the TTL counts from the good read", token, "", 5)
}

// TestKeysOfAFrozenFunction proves that a function that was frozen for longer than the grace reads the source before
// trusting its old keys, and that KeyTimeLeft reports them as expired.
func TestKeysOfAFrozenFunction(t *testing.T) {
	t.Parallel()
	b := newBench("", map[string]string{parameter: secret})
	token := hs256(t, secret, longLived)
	b.expect(t, "first", token, "", 1)
	b.Move(3 * DefaultGrace)
	b.expect(t, "the source answers", token, "", 2)
	b.Fail(errors.New("away"))
	b.Move(3 * DefaultGrace)
	for range 2 { // the refresh, and then a first read
		log := invoke(t, func(ctx context.Context) {
			if _, err := b.Verify(ctx, token); err == nil {
				t.Error("keys of three hours ago opened a door")
			}
		})
		if !strings.Contains(log, `"KeyTimeLeft":0`) {
			t.Errorf("the log lacks that the keys have ended:\n%s", log)
		}
		b.Move(firstPause)
	}
}

// TestSourceAwayWithoutLastGood proves that without any good keys the error is not a rejection, since no token can be
// judged.
func TestSourceAwayWithoutLastGood(t *testing.T) {
	t.Parallel()
	b := newBench("", map[string]string{parameter: secret})
	token, away := hs256(t, secret, longLived), errors.New("away")
	b.Fail(away)
	expectAway := func(when string, calls int) {
		t.Helper()
		_, err := b.Verify(context.Background(), token)
		if !errors.Is(err, away) || !strings.Contains(err.Error(), parameter) {
			t.Errorf("%s: Verify = %v, want the source's error, and the parameter's name", when, err)
		}
		if got := b.Calls(); got != calls {
			t.Errorf("%s: the source was asked %d times, want %d", when, got, calls)
		}
	}
	expectAway("first", 1)
	expectAway("within the pause", 1)
	b.expect(t, "no token", "", ReasonMissing, 1)
	b.Move(firstPause)
	expectAway("after the pause", 2)
	b.Fail(nil)
	b.Move(firstPause)
	b.expect(t, "back", token, "", 3)
}

// TestBadSecrets proves that a guessable secret is reported as a deployment mistake, not as the client's.
func TestBadSecrets(t *testing.T) {
	t.Parallel()
	short := secret[:MinSecretBytes-1]
	tests := map[string]struct {
		values map[string]string
		want   string
	}{
		"short":          {map[string]string{parameter: short, outgoing: secret}, parameter + ": the secret has 31 bytes"},
		"empty":          {map[string]string{parameter: "", outgoing: secret}, parameter + ": the secret has 0 bytes"},
		"missing":        {map[string]string{outgoing: secret}, "get parameter " + parameter},
		"one character":  {map[string]string{parameter: strings.Repeat("s", 64), outgoing: secret}, parameter + ": the secret repeats 1 bytes"},
		"one word":       {map[string]string{parameter: strings.Repeat("password", 8), outgoing: secret}, parameter + ": the secret repeats 8 bytes"},
		"previous short": {map[string]string{parameter: secret, outgoing: short}, outgoing + ": the secret has 31 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newBench(outgoing, test.values).Verify(context.Background(), hs256(t, secret, longLived))
			if err == nil || reasonOf(err) == ReasonSignature || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Verify = %v, want an error with %q", err, test.want)
			}
		})
	}
}

// TestShortSecretKeepsLastGood proves that the shortest allowed secret works, and that a bad one that follows does not
// displace it.
func TestShortSecretKeepsLastGood(t *testing.T) {
	t.Parallel()
	shortest := secret[:MinSecretBytes]
	b := newBench("", map[string]string{parameter: shortest})
	token := hs256(t, shortest, longLived)
	b.expect(t, "first", token, "", 1)
	b.Set(parameter, "short")
	b.Move(keysTTL)
	b.expect(t, "after a bad change", token, "", 2)
}

// blocking is a store that reports the time left of every call, and then times out.
type blocking struct{ deadlines chan time.Duration }

func (b blocking) GetParameter(ctx context.Context, _ *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, errors.New("no deadline")
	}
	b.deadlines <- time.Until(deadline)
	return nil, context.DeadlineExceeded
}

// TestReadsAreBounded proves that every read has a time-out, since a client is waiting: a longer one if there are no
// keys to fall back on.
func TestReadsAreBounded(t *testing.T) {
	t.Parallel()
	c, b := newClock(), blocking{make(chan time.Duration, 1)}
	k := SecretKeys(b, parameter, "", DefaultGrace, c.Now)
	expect := func(when string, atMost time.Duration) {
		t.Helper()
		if got := <-b.deadlines; got > atMost || got < atMost-time.Second/2 {
			t.Errorf("%s: the time-out is %v, want %v", when, got, atMost)
		}
	}
	if _, err := k.current(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("first read: %v", err)
	}
	expect("first read", callTimeout)
	k.good, k.loadedAt = &keyring{}, c.Now()
	c.Move(keysTTL)
	if ring, err := k.current(context.Background()); ring != k.good || err != nil {
		t.Errorf("refresh: %v, %v", ring, err)
	}
	expect("refresh", refreshTimeout)
}

// TestConcurrentReads proves that many simultaneous requests cause one read, and that a new key found by one of them
// serves all.
func TestConcurrentReads(t *testing.T) {
	t.Parallel()
	b := newBench("", map[string]string{parameter: secret})
	all := func(token Token) {
		t.Helper()
		var wait sync.WaitGroup
		errs, ready := make(chan error, 32), make(chan struct{})
		for range cap(errs) {
			wait.Go(func() {
				<-ready
				_, err := b.Verify(context.Background(), token)
				errs <- err
			})
		}
		close(ready)
		wait.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
	}
	for round := 1; round <= 20; round++ {
		current := fmt.Sprintf("%040d", round)
		b.Set(parameter, current)
		b.Move(renewPause)
		all(hs256(t, current, longLived))
		if got := b.Calls(); got != round {
			t.Fatalf("round %d: the source was asked %d times", round, got)
		}
	}
}
