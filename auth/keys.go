package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"heliograph/observability"
	"heliograph/observability/catalogue"
)

const (
	// keysTTL is how long keys are used before the source is read again. So a new secret or key is known
	// everywhere after five minutes, without anybody telling the functions.
	keysTTL = 5 * time.Minute
	// renewPause is the least time between two reads of the source once there are keys: after a failed
	// refresh, and for tokens that no key has signed. Whoever sends forged tokens can't make Heliograph
	// hammer the source.
	renewPause = 30 * time.Second
	// firstPause is the same while there are no keys at all. It is short, since every request fails until
	// there are some.
	firstPause = time.Second
	// firstTimeout bounds the first read. It is longer than a refresh may take, for there is nothing to fall
	// back on, and a cold start's connections are slow to open.
	firstTimeout = 3 * time.Second
	// refreshTimeout bounds every later read, because a client is waiting.
	refreshTimeout = time.Second
)

// Keys are the keys of one family with the source that they are read from: see SecretKeys and PublishedKeys.
//
// They are read when first needed and kept in memory. After keysTTL they are read again, by the request that
// notices; if that fails, the last good ones stay in use, however old, and a warning is logged: a store that
// is away for an hour must not lock everybody out. There is no background goroutine, because Lambda freezes
// those. Safe for concurrent use: one request reads, the others wait for it.
type Keys struct {
	source     string   // names the source in errors and logs
	algorithms []string // the family: all values of alg that these keys may ever verify
	byID       bool     // whether a token's kid chooses the key
	load       func(context.Context) ([]key, error)
	now        func() time.Time

	mu       sync.Mutex
	good     *keyring  // the last good keys; nil until the first read succeeds
	failure  error     // why there are no good keys; nil if there are
	loadedAt time.Time // when good was read
	triedAt  time.Time // when the source was last asked
}

// key is one key of a source.
type key struct {
	id         string   // kid; empty for a secret
	algorithms []string // the algorithms it may verify: never one that fits its bytes but was not meant
	verify     jwt.VerificationKey
}

// keyring is what one read of the source gave. It never changes.
type keyring struct {
	keys []key
	byID bool
}

// wallClock is the clock without its monotonic reading, which may stand still while a function is frozen.
func wallClock() time.Time { return time.Now().Round(0) }

// current returns the keys to verify with. The error says that there are none and that the source can't be
// read; it is never a Rejection.
func (k *Keys) current(ctx context.Context) (*keyring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	sinceTry := now.Sub(k.triedAt)
	switch {
	case k.good == nil && k.failure != nil && sinceTry < firstPause:
		return nil, k.failure
	case k.good == nil:
		if err := k.read(ctx, firstTimeout); err != nil {
			return nil, err
		}
	case now.Sub(k.loadedAt) >= keysTTL && sinceTry >= renewPause:
		k.refresh(ctx)
	}
	return k.good, nil
}

// newer is for a token that old did not verify: it returns keys that are newer than old, or nil if there are
// none to be had now. Another request may just have read them; else the source is read, at most once in
// renewPause.
func (k *Keys) newer(ctx context.Context, old *keyring) *keyring {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.triedAt) >= renewPause {
		k.refresh(ctx)
	}
	if k.good == old {
		return nil
	}
	return k.good
}

// refresh reads the source and keeps the last good keys if that fails.
func (k *Keys) refresh(ctx context.Context) {
	if err := k.read(ctx, refreshTimeout); err != nil {
		observability.Add(ctx, catalogue.KeyRefreshFailures, 1)
		observability.Log(ctx).WarnContext(ctx, "keys not refreshed, the last good ones stay in use",
			"source", k.source, "ageSeconds", int(k.now().Sub(k.loadedAt).Seconds()), "error", err.Error())
	}
}

// read asks the source, within a time-out, and records what came.
func (k *Keys) read(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	k.triedAt = k.now()
	keys, err := observability.Trace(ctx, "read keys", k.load)
	if err != nil {
		err = fmt.Errorf("read the keys from %s: %w", k.source, err)
		if k.good == nil {
			k.failure = err
		}
		return err
	}
	k.good, k.failure, k.loadedAt = &keyring{keys: keys, byID: k.byID}, nil, k.triedAt
	return nil
}

// find is the parser's key function: the keys that may have signed a token. An algorithm outside the family
// never gets here.
func (r *keyring) find(t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		// RFC 7515, section 4.1.11: whoever does not understand a critical header must refuse the token.
		return nil, reject(ReasonMalformed)
	}
	if pss, ok := t.Method.(*jwt.SigningMethodRSAPSS); ok {
		// By default golang-jwt verifies a salt of any length; RFC 7518, section 3.5, wants the hash's.
		strict := *pss
		strict.VerifyOptions = nil // so that Options count, which are for signing
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

// wanted is the id of the key that a token names; empty if it names none, or if ids mean nothing here.
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
