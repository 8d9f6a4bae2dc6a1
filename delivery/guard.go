package delivery

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// errPanic stands for a panic, whose value and stack are in the log.
var errPanic = errors.New("panic")

// guard runs work that must not take the rest of the batch down with it: it turns a panic into an error and logs it
// here, while its stack is still available.
func guard(ctx context.Context, work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			observability.Add(ctx, catalogue.HandlerErrors, 1)
			observability.Log(ctx).ErrorContext(ctx, "panic while delivering", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return work()
}
