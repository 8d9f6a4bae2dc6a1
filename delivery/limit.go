package delivery

import (
	"container/list"
	"context"
	"sync"
	"time"

	"heliograph"
)

const (
	// limitFloor is the least number of posts at a time. A post takes some 15 ms, so four still make over 200 a
	// second. Fewer could all be taken by posts to clients that do not read, each of which lasts as long as the SDK's pauses.
	limitFloor = 4
	// limitRound is how long answers are gathered before they are judged. It is longer than a post that meets no
	// throttle, so that a cut has shown what it does before the next one.
	limitRound = 100 * time.Millisecond
	// limitShare is the share of throttled connections above which there are too many posts at a time. What is throttled
	// below it, the SDK's retries bring through.
	limitShare = 0.05
)

// limit bounds how many posts are made at a time by what API Gateway takes: additive increase, multiplicative decrease. It
// starts at its maximum. Turns are given in the order of asking.
//
// API Gateway answers 429 when the account's rate is used up, to any post; and when one client does not read what it is
// sent, which is no reason to make all others wait. It does not say which. So the limit counts connections rather than
// posts, and one alone proves nothing.
type limit struct {
	max int

	mu      sync.Mutex
	size    float64 // how many posts are allowed at a time; its whole part counts
	inUse   int
	waiting list.List // of chan struct{}, closed when its turn has come

	// Of the round under way: when it began, and the connections that were posted to, true for the throttled ones.
	began time.Time
	met   map[heliograph.ConnectionID]bool
}

// newLimit returns a limit of at most so many posts.
func newLimit(most int) *limit {
	return &limit{max: most, size: float64(most), met: map[heliograph.ConnectionID]bool{}}
}

// acquire waits for a turn, or returns the context's error if that ends first. Each turn has to be released.
func (l *limit) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if l.inUse < int(l.size) { // then no one is waiting: see admit
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

// leave gives up a place in the queue, or the turn if that has just come.
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

// release ends a turn in which a connection was posted to. throttled says whether API Gateway answered with a 429, even if
// a retry went through.
func (l *limit) release(id heliograph.ConnectionID, throttled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inUse--
	l.learn(id, throttled, time.Now())
	l.admit()
}

// admit gives free turns to those waiting.
func (l *limit) admit() {
	for l.inUse < int(l.size) && l.waiting.Len() > 0 {
		l.inUse++
		close(l.waiting.Remove(l.waiting.Front()).(chan struct{}))
	}
}

// learn adapts the size to the answer to one post: one more for each size's worth of posts that went through, half
// of it after a round in which too many were throttled.
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

// tooMany judges the round that has ended.
func (l *limit) tooMany() bool {
	throttled := 0
	for _, was := range l.met {
		if was {
			throttled++
		}
	}
	return throttled > 1 && float64(throttled) > limitShare*float64(len(l.met))
}
