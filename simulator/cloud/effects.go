package cloud

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/internal/sleep"
	"heliograph/simulator/lambda"
	"heliograph/simulator/wire"
)

const invokeAction = "Invoke"

// newFaults returns a set that knows the services' actions, so that a rule with a misspelt action is an error.
func newFaults(services []wire.Service) *fault.Set {
	actions := map[fault.Service][]string{
		fault.Connections: slices.Collect(maps.Values(connectionActions)), fault.Lambda: {invokeAction},
	}
	for _, s := range services {
		actions[fault.Service(s.Name)] = slices.Collect(maps.Keys(s.Actions))
	}
	return fault.New(actions)
}

// effects applies a fault rule's outcome to a call, an invocation or a delivery. Package fault decides without knowing
// any services; only this file knows how each of them breaks.
type effects struct {
	place  Place
	faults *fault.Set
	ending context.Context
}

// meet subjects a call to the faults.
func (e *effects) meet(ctx context.Context, event fault.Event) error {
	return e.suffer(ctx, e.faults.Meet(event))
}

// suffer applies an outcome to a call.
func (e *effects) suffer(ctx context.Context, o fault.Outcome) error {
	if err := e.pause(ctx, o.Wait); err != nil {
		return err
	}
	switch {
	case o.NoAnswer:
		panic(http.ErrAbortHandler) // net/http's way to cut a connection without an answer
	case o.LostAnswer:
		return wire.ErrAnswerLost
	case o.Error != nil:
		return o.Error
	}
	return nil
}

// pause waits, unless the caller gives up or the cloud closes.
func (e *effects) pause(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.ending, func() { cancel(context.Cause(e.ending)) })()
	if d > 0 && !sleep.For(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}

// beforeInvocation is called before each attempt to run a function.
func (e *effects) beforeInvocation(ctx context.Context, f lambda.Function) (lambda.Kill, error) {
	o := e.faults.Meet(fault.Event{Service: fault.Lambda, Action: invokeAction, Resources: []string{f.ARN}})
	return o.Kill, e.suffer(ctx, o)
}

// beforeDisconnect is called before each $disconnect.
func (e *effects) beforeDisconnect(gone gateway.Connection) (delay time.Duration, lost bool) {
	arn := e.place.ARN("execute-api", string(gone.API)+"/"+gone.Stage+"/@connections/"+string(gone.ID))
	o := e.faults.Meet(fault.Event{Service: fault.Disconnect, Resources: []string{arn}})
	return o.Wait, o.Lost
}

// redelivers is called for each message that a queue hands out, and for each batch of a stream.
func (e *effects) redelivers(arn string) (after time.Duration, again bool) {
	o := e.faults.Meet(fault.Event{Service: fault.Delivery, Resources: []string{arn}})
	return o.Wait, o.Duplicate
}

// repeating invokes functions for a stream, some batches twice, as AWS does after losing its position in the stream.
type repeating struct {
	lambda.Invoker
	effects   *effects
	streamARN string
}

var _ lambda.Invoker = repeating{}

func (r repeating) Invoke(ctx context.Context, request lambda.Request) (lambda.Result, error) {
	result, err := r.Invoker.Invoke(ctx, request)
	if err != nil || result.FunctionError != "" { // the stream's own retries redeliver the batch
		return result, err
	}
	after, again := r.effects.redelivers(r.streamARN)
	if !again {
		return result, nil
	}
	if err := r.effects.pause(ctx, after); err != nil {
		return lambda.Result{}, err
	}
	return r.Invoker.Invoke(ctx, request)
}
