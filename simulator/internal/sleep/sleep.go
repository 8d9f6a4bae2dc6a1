// Package sleep pauses goroutines of the simulator, which have to end when a stack is closed or a caller gives up.
package sleep

import (
	"context"
	"time"
)

// For waits and reports whether the context is still open. A pause that is not positive only looks.
func For(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
