package sqs

import "time"

// Clock is the queues' time source.
type Clock interface {
	Now() time.Time
	// After sends once on fired when d has passed. Call stop to cancel the wait.
	After(d time.Duration) (fired <-chan time.Time, stop func())
}

// systemClock is the computer's clock.
type systemClock struct{}

var _ Clock = systemClock{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}
