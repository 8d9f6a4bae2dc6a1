package sleep_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"heliograph/simulator/internal/sleep"
)

// TestFor proves that a pause lasts as long as it should, and no longer than its context.
func TestFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                string
		pause, limit, lasts time.Duration
		open                bool
	}{
		{"to its end", time.Minute, time.Hour, time.Minute, true},
		{"cut short", time.Hour, time.Minute, time.Minute, false},
		{"none", -time.Second, time.Minute, 0, true},
		{"none, too late", 0, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				began := time.Now()
				if open := sleep.For(ctx, tt.pause); open != tt.open || time.Since(began) != tt.lasts {
					t.Errorf("%v after %v, want %v after %v", open, time.Since(began), tt.open, tt.lasts)
				}
			})
		})
	}
}
