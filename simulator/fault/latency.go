package fault

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Latency is a fixed time, or one drawn from a log-normal distribution, which fits the latencies of network services:
// many short ones, few long ones. Its text is "200ms", or "p50=4ms,p99=20ms".
type Latency struct {
	// P50 is the median; one in a hundred exceeds P99. If they are equal, nothing is drawn.
	P50, P99 time.Duration
}

// Fixed is a constant latency.
func Fixed(d time.Duration) *Latency { return &Latency{d, d} }

// maxLatency bounds a latency: a longer one is indistinguishable from no answer at all.
const maxLatency = time.Hour

// z99 is how many standard deviations the 99th percentile of a normal distribution lies above its mean.
const z99 = 2.3263478740408408

// Draw draws one latency. A log-normal distribution is unbounded, so it is cut at ten times its 99th percentile.
func (l Latency) Draw(random *rand.Rand) time.Duration {
	if l.P50 == l.P99 {
		return l.P50
	}
	sigma := math.Log(float64(l.P99)/float64(l.P50)) / z99
	drawn := float64(l.P50) * math.Exp(sigma*random.NormFloat64())
	return time.Duration(min(drawn, 10*float64(l.P99)))
}

// String formats the latency.
func (l Latency) String() string {
	if l.P50 == l.P99 {
		return l.P50.String()
	}
	return "p50=" + l.P50.String() + ",p99=" + l.P99.String()
}

// MarshalText formats the latency.
func (l Latency) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText parses the latency.
func (l *Latency) UnmarshalText(text []byte) error {
	parsed, err := parseLatency(string(text))
	if err != nil {
		return fmt.Errorf(`the latency %q is not understood: write a time, such as "200ms", or "p50=4ms,p99=20ms"`, text)
	}
	if parsed.P50 <= 0 || parsed.P99 < parsed.P50 || parsed.P99 > maxLatency {
		return fmt.Errorf("the latency %q must be over 0 and at most %v, and its p99 not under its p50", text, maxLatency)
	}
	*l = parsed
	return nil
}

func parseLatency(text string) (l Latency, err error) {
	if p50, p99, both := strings.Cut(text, ","); both {
		if l.P50, err = duration(p50, "p50="); err != nil {
			return l, err
		}
		l.P99, err = duration(p99, "p99=")
		return l, err
	}
	l.P50, err = duration(text, "")
	l.P99 = l.P50
	return l, err
}

func duration(text, prefix string) (time.Duration, error) {
	number, ok := strings.CutPrefix(strings.TrimSpace(text), prefix)
	if !ok {
		return 0, fmt.Errorf("%q is missing", prefix)
	}
	return time.ParseDuration(number)
}
