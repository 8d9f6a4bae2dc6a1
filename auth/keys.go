package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"heliograph/observability"
	"heliograph/observability/catalogue"
)

const (
	// keysTTL is how long keys are used before the source is read again. So a new secret or key is in use everywhere
	// within five minutes, without any notification of the functions.
	keysTTL = 5 * time.Minute
	// renewPause is the minimum time between two reads of the source once there are keys: after a failed refresh, and
	// for tokens that no key has signed. It keeps forged tokens from making Heliograph hammer the source.
	renewPause = 30 * time.Second
	// firstPause is the same while there are no keys. It is short, since every request fails until there are some.
	firstPause = time.Second
	// firstTimeout bounds the first read, repeats of throttled requests included. It is longer than refreshTimeout, since
	// there are no keys to fall back on: 300 authorizers that start at once share SSM's 40 reads a second.
	firstTimeout = 8 * time.Second
	// refreshTimeout bounds every later read, since a client is waiting.
	refreshTimeout = time.Second
)

// DefaultGrace is how old the last good keys may get while the source does not answer, unless configured otherwise.
const DefaultGrace = time.Hour

// refusal is the error of a source that definitely has no keys any more, as opposed to one that can't be read now or by
// this function: a denied read may be a policy's mistake, and says nothing about the keys.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

func refused(err error) error { return &refusal{err} }

// Keys are the keys of one family together with their source: see SecretKeys and PublishedKeys.
//
// They are read when first needed and kept in memory. After keysTTL, the request that notices reads them again. If that
// fails, a warning is logged and the last good keys stay in use until they are as old as grace, so that an outage of
// the store does not lock every user out. If the source answers that there are no keys any more, it is asked again after
// renewPause, and a second such answer ends them: a withdrawn secret opens nothing for much longer than keysTTL. There
// is no background goroutine, because Lambda freezes those. Keys are safe for concurrent use: one request reads, the
// others wait for it.
type Keys struct {
	source     string   // names the source in errors and logs
	algorithms []string // the family: every alg that these keys may verify
	byID       bool     // whether a token's kid chooses the key
	load       func(context.Context, asking) ([]key, error)
	grace      time.Duration // how old keys may get while the source can't be read
	now        func() time.Time

	mu       sync.Mutex
	good     *keyring  // the last good keys; nil before the first successful read, and after they have expired
	failure  error     // why the last read failed; nil if it succeeded
	refusals int       // how many reads since the last good one were refused
	loadedAt time.Time // when good was read
	triedAt  time.Time // when the source was last asked
}

// key is one key of a source.
type key struct {
	id         string   // the kid; empty for secrets
	algorithms []string // the algorithms it may verify: never one that fits its bytes but was not meant
	verify     jwt.VerificationKey
}

// keyring is the result of one read of the source. It is immutable.
type keyring struct {
	keys []key
	byID bool
}

// wallClock is the clock without its monotonic reading, which may stop while a function is frozen.
func wallClock() time.Time { return time.Now().Round(0) }

// current returns the keys to verify with. An error means that there are none and that the source can't be read; it is
// never a Rejection.
func (k *Keys) current(ctx context.Context) (*keyring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	sinceTry := now.Sub(k.triedAt)
	switch {
	case k.good == nil && k.failure != nil && sinceTry < firstPause:
		return nil, k.failure
	case k.left() == 0: // none yet, or older than grace: after a freeze, or if grace is no longer than keysTTL
		k.read(ctx, firstTimeout, patiently)
	case (now.Sub(k.loadedAt) >= keysTTL || k.refusals > 0) && sinceTry >= renewPause:
		k.refresh(ctx)
	}
	if k.failure != nil && k.left() == 0 {
		k.good = nil
	}
	if k.good == nil {
		return nil, k.failure
	}
	return k.good, nil
}

// left is how long the last good keys remain in use if the source keeps failing as it does.
func (k *Keys) left() time.Duration {
	if k.good == nil || k.refusals > 1 {
		return 0
	}
	left := max(0, k.grace-k.now().Sub(k.loadedAt))
	if k.refusals == 1 {
		return min(left, renewPause) // until the confirming read
	}
	return left
}

// newer serves a token that old did not verify: it returns keys newer than old, or nil if none are available now.
// Another request may just have read them; otherwise it reads the source, at most once in renewPause.
func (k *Keys) newer(ctx context.Context, old *keyring) *keyring {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.good != nil && k.now().Sub(k.triedAt) >= renewPause {
		k.refresh(ctx)
	}
	if k.good == old {
		return nil
	}
	return k.good
}

// refresh reads the source while there are keys. If that fails, they remain in use for a while.
func (k *Keys) refresh(ctx context.Context) {
	k.read(ctx, refreshTimeout, once)
	if k.failure == nil {
		return
	}
	observability.Add(ctx, catalogue.KeyRefreshFailures, 1)
	observability.Log(ctx).WarnContext(ctx, "keys not refreshed, the last good ones stay in use for a while",
		"source", k.source, "ageSeconds", int(k.now().Sub(k.loadedAt).Seconds()), "leftSeconds", int(k.left().Seconds()),
		"error", k.failure.Error())
}

// read reads the source, within a time-out, and records the result.
func (k *Keys) read(ctx context.Context, timeout time.Duration, ask asking) {
	ctx, cancel := within(ctx, timeout)
	defer cancel()
	k.triedAt = k.now()
	keys, err := observability.Trace(ctx, "read keys", func(ctx context.Context) ([]key, error) { return k.load(ctx, ask) })
	if err != nil {
		k.failure = fmt.Errorf("read the keys from %s: %w", k.source, err)
		if _, answered := errors.AsType[*refusal](err); answered {
			k.refusals++
		}
		observability.Add(ctx, catalogue.KeyTimeLeft, k.left().Seconds())
		return
	}
	k.good, k.failure, k.refusals, k.loadedAt = &keyring{keys: keys, byID: k.byID}, nil, 0, k.triedAt
}

// find is the parser's key function: it returns the keys that may have signed a token. An algorithm outside the family
// never gets here.
func (r *keyring) find(t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		// RFC 7515, section 4.1.11: a critical header that is not understood invalidates the token.
		return nil, reject(ReasonMalformed)
	}
	if pss, ok := t.Method.(*jwt.SigningMethodRSAPSS); ok {
		// By default golang-jwt accepts a salt of any length; RFC 7518, section 3.5, requires the hash's.
		strict := *pss
		strict.VerifyOptions = nil // so that Options count, which are otherwise for signing
		t.Method = &strict
	}
	id, err := r.wanted(t)
	if err != nil {
		return nil, err
	}
	var known bool
	var set jwt.VerificationKeySet
	for _, k := range r.keys {
		if id != "" && k.id != id {
			continue
		}
		known = true
		if slices.Contains(k.algorithms, t.Method.Alg()) {
			set.Keys = append(set.Keys, k.verify)
		}
	}
	switch {
	case !known:
		return nil, reject(ReasonUnknownKey)
	case len(set.Keys) == 0:
		return nil, reject(ReasonAlgorithm)
	}
	return set, nil
}

// wanted is the id of the key that a token names; empty if it names none, or if these keys have no ids.
func (r *keyring) wanted(t *jwt.Token) (string, error) {
	value, ok := t.Header["kid"]
	if !r.byID || !ok {
		return "", nil
	}
	id, ok := value.(string)
	if !ok {
		return "", reject(ReasonMalformed)
	}
	return id, nil
}
