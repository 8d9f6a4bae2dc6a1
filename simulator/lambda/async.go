package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"heliograph/simulator/internal/sleep"
	"heliograph/simulator/wire"
)

// PutEventInvokeConfig sets how a function's asynchronous events are retried.
func (p *Platform) PutEventInvokeConfig(function string, c EventInvokeConfig) error {
	f, err := p.find(function)
	if err != nil {
		return err
	}
	setDefault(&c.MaximumEventAge, 6*time.Hour)
	if c.MaximumRetryAttempts == nil {
		c.MaximumRetryAttempts = new(2)
	}
	switch {
	case *c.MaximumRetryAttempts < 0 || *c.MaximumRetryAttempts > 2:
		return invalidParameter("the maximum retry attempts of %s are %d; they must be from 0 to 2", f.Name, *c.MaximumRetryAttempts)
	case c.MaximumEventAge < time.Minute || c.MaximumEventAge > 6*time.Hour:
		return invalidParameter("the maximum event age of %s is %v; it must be from 1 minute to 6 hours", f.Name, c.MaximumEventAge)
	case (c.OnFailure != "" || c.OnSuccess != "") && p.options.Deliver == nil:
		return invalidParameter("%s has a destination, and this platform delivers to none", f.Name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f.events = c
	return nil
}

// InvokeAsync accepts an event and runs the function later, with Lambda's retries.
func (p *Platform) InvokeAsync(r Request) error {
	f, err := p.check(r, maxAsyncPayload)
	if err != nil {
		return err
	}
	done, ok := p.begin()
	if !ok {
		return errClosed
	}
	p.metric(f, "AsyncEventsReceived", "Count", 1)
	p.mu.Lock()
	config := f.events
	p.mu.Unlock()
	setDefault(&config.MaximumEventAge, 6*time.Hour)
	if config.MaximumRetryAttempts == nil {
		config.MaximumRetryAttempts = new(2)
	}
	ev := &event{p: p, f: f, request: r, id: uuid.NewString(), config: config, taken: time.Now()}
	go func() {
		defer done()
		ev.run(p.ending)
	}()
	return nil
}

// event is an asynchronous event in Lambda's internal queue.
type event struct {
	p       *Platform
	f       *function
	request Request
	id      string // shared by all its attempts
	config  EventInvokeConfig
	taken   time.Time
	failed  int // attempts in which the function failed
	refused int // attempts that were throttled or failed on Lambda's side
}

// maxPause bounds the pause between attempts that never reached the function.
const maxPause = 5 * time.Minute

// run attempts the event until it succeeds or is dropped.
func (ev *event) run(ctx context.Context) {
	for {
		result, err := ev.p.invoke(ctx, ev.request, ev.id)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			ev.refused++
		case result.FunctionError != "":
			ev.failed++
		default:
			ev.deliver(ctx, ev.config.OnSuccess, "Success", result)
			return
		}
		pause, condition := ev.next(err)
		if condition != "" {
			ev.drop(ctx, condition, result, err)
			return
		}
		if !sleep.For(ctx, pause) {
			return
		}
	}
}

// next returns the pause before the next attempt, or the condition under which the event is dropped.
func (ev *event) next(err error) (pause time.Duration, condition string) {
	if err == nil {
		if ev.failed > *ev.config.MaximumRetryAttempts {
			return 0, "RetriesExhausted"
		}
		delays := ev.p.options.RetryDelays
		if len(delays) > 0 {
			pause = delays[min(ev.failed, len(delays))-1]
		}
	} else {
		if !retryable(err) {
			return 0, "RetriesExhausted"
		}
		pause = min(time.Second<<min(ev.refused-1, 20), maxPause)
	}
	if time.Since(ev.taken)+pause > ev.config.MaximumEventAge {
		return 0, "EventAgeExceeded"
	}
	return pause, ""
}

// retryable reports whether an error may be temporary: throttling, or an error of Lambda itself.
func retryable(err error) bool {
	var failure *wire.Error
	return !errors.As(err, &failure) || failure.HTTPStatus() == 429 || failure.HTTPStatus() >= 500
}

func (ev *event) drop(ctx context.Context, condition string, result Result, err error) {
	ev.p.metric(ev.f, "AsyncEventsDropped", "Count", 1)
	text := fmt.Sprintf("the asynchronous event %s is dropped after %d attempts: %s", ev.id, ev.failed+ev.refused, condition)
	if err != nil {
		text += ": " + err.Error()
	}
	ev.p.log(LogLine{Function: ev.f.Name, LogGroup: ev.f.LogGroup, RequestID: ev.id, Text: text, Platform: true})
	ev.deliver(ctx, ev.config.OnFailure, condition, result)
}

// deliver sends an event's record to a destination.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
func (ev *event) deliver(ctx context.Context, destination, condition string, result Result) {
	if destination == "" {
		return
	}
	response := map[string]any{"statusCode": 200, "executedVersion": "$LATEST"}
	if result.FunctionError != "" {
		response["functionError"] = result.FunctionError
	}
	record, _ := json.Marshal(map[string]any{
		"version": "1.0", "timestamp": ev.p.options.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"requestContext": map[string]any{
			"requestId": ev.id, "functionArn": ev.f.ARN + ":$LATEST", "condition": condition,
			"approximateInvokeCount": ev.failed + ev.refused,
		},
		"requestPayload":  json.RawMessage(ev.request.Payload),
		"responseContext": response,
		"responsePayload": asJSON(result.Payload),
	})
	if err := ev.p.options.Deliver(ctx, destination, record); err != nil {
		ev.p.metric(ev.f, "DestinationDeliveryFailures", "Count", 1)
		ev.p.log(LogLine{
			Function: ev.f.Name, LogGroup: ev.f.LogGroup, RequestID: ev.id, Platform: true,
			Text: "the record of the event could not be delivered to " + destination + ": " + err.Error(),
		})
	}
}

// asJSON wraps a payload as a JSON value, because a function may answer with anything.
func asJSON(payload []byte) json.RawMessage {
	if json.Valid(payload) {
		return payload
	}
	text, _ := json.Marshal(string(payload))
	return text
}
