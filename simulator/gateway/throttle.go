package gateway

import (
	"sync"
	"time"
)

// bucket is a token bucket, as API Gateway throttles: rate tokens a second flow in, up to burst.
type bucket struct {
	rate, burst float64

	mu     sync.Mutex
	tokens float64
	filled time.Time
}

// newBucket makes a full bucket. A rate under 0 means no limit.
func newBucket(rate float64, burst int) *bucket {
	return &bucket{rate: rate, burst: float64(burst), tokens: float64(burst)}
}

// take takes a token, or says that there is none.
func (b *bucket) take() bool {
	if b == nil || b.rate < 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !b.filled.IsZero() {
		b.tokens = min(b.burst, b.tokens+b.rate*now.Sub(b.filled).Seconds())
	}
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
