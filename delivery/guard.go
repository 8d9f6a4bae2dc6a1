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

// guard does a piece of work that must not take the rest of the batch down with it: a panic in it becomes an error, which is
// logged here, where its stack is still known.
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
