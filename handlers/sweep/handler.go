package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"

	"heliograph/observability"
	"heliograph/presence"
)

// sweeper does one run.
type sweeper interface {
	Sweep(context.Context) error
}

var _ sweeper = (*presence.Sweeper)(nil)

// sweep runs the sweeper, whatever the scheduled event says; its response is empty.
func sweep(s sweeper) observability.Handler[events.EventBridgeEvent, struct{}] {
	return func(ctx context.Context, _ events.EventBridgeEvent) (struct{}, error) {
		return struct{}{}, s.Sweep(ctx)
	}
}
