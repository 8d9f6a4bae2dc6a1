package delivery

import (
	"container/list"
	"context"
	"sync"
	"time"

	"heliograph"
)

const (
	// limitFloor is the smallest limit. A post takes some 15 ms, so four still make over 200 a second. With
	// fewer, posts to clients that do not read could take every turn, each lasting as long as the SDK's pauses.
	limitFloor = 4
	// limitRound is how long answers are gathered before they are judged. It is longer than an unthrottled post, so
	// that the effect of a cut shows before the next one.
	limitRound = 100 * time.Millisecond
	// limitShare is the share of throttled connections above which there are too many parallel posts. Below it, the
	// SDK's retries get throttled posts through.
	limitShare = 0.05
)

// limit bounds the number of parallel posts to a level that API Gateway accepts: additive increase, multiplicative
// decrease. It starts at its maximum. Turns are granted in the order of asking.
//
// API Gateway answers 429 to any post when the account's rate is used up, but also when a single client does not read
// its messages, which is no reason to slow down all the others. It does not say which. So the limit counts
// connections rather than posts, and a single connection proves nothing.
type limit struct {
	max int

	mu      sync.Mutex
	size    float64 // number of parallel posts allowed; the fraction is dropped
	inUse   int
	waiting list.List // of chan struct{}, closed when its turn has come

	// The round under way: when it began, and the connections posted to, true for throttled ones.
	began time.Time
	met   map[heliograph.ConnectionID]bool
}

// newLimit returns a limit with the given maximum.
func newLimit(most int) *limit {
	return &limit{max: most, size: float64(most), met: map[heliograph.ConnectionID]bool{}}
}

// acquire waits for a turn, or returns the context's error if that ends first. Each turn must be released.
func (l *limit) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if l.inUse < int(l.size) { // no caller is waiting then: see admit
		l.inUse++
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	place := l.waiting.PushBack(turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return l.leave(ctx, turn, place)
	}
}

// leave gives up a place in the queue, or the turn if it has just come.
func (l *limit) leave(ctx context.Context, turn chan struct{}, place *list.Element) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-turn:
		l.inUse--
		l.admit()
	default:
		l.waiting.Remove(place)
	}
	return ctx.Err()
}

// release ends a turn that posted to a connection. throttled reports whether API Gateway answered with a 429, even if
// a retry succeeded.
func (l *limit) release(id heliograph.ConnectionID, throttled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inUse--
	l.learn(id, throttled, time.Now())
	l.admit()
}

// admit gives free turns to waiting callers.
func (l *limit) admit() {
	for l.inUse < int(l.size) && l.waiting.Len() > 0 {
		l.inUse++
		close(l.waiting.Remove(l.waiting.Front()).(chan struct{}))
	}
}

// learn adapts the size to the answer to one post: it grows by one for each size's worth of successful posts, and is
// halved after a round with too many throttled connections.
func (l *limit) learn(id heliograph.ConnectionID, throttled bool, now time.Time) {
	if now.Sub(l.began) >= limitRound {
		if l.tooMany() {
			l.size = max(float64(min(limitFloor, l.max)), l.size/2)
		}
		clear(l.met)
		l.began = now
	}
	l.met[id] = l.met[id] || throttled
	if !throttled {
		l.size = min(float64(l.max), l.size+1/l.size)
	}
}

// tooMany reports whether too many connections were throttled in the round that has ended.
func (l *limit) tooMany() bool {
	throttled := 0
	for _, was := range l.met {
		if was {
			throttled++
		}
	}
	return throttled > 1 && float64(throttled) > limitShare*float64(len(l.met))
}
