package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"heliograph/simulator/wire"
)

// Payload limits in bytes, from Lambda's quotas; the answer's limit is the one in Lambda's own error message.
const (
	maxPayload      = 6 << 20
	maxAsyncPayload = 1 << 20
	maxAnswer       = 6291556
)

// invocation is one event in progress.
type invocation struct {
	id      string
	f       *function
	payload []byte
	trace   trace

	// began is when the event reached the process, deadline when it times out, both by Options.Now.
	began, deadline time.Time
	initDuration    time.Duration
	duration        time.Duration
	stop            func() // stops the time-out and measures the duration
	kill            Kill   // nil: no fault kills the process

	mu     sync.Mutex
	answer *answer

	settled chan struct{} // closed when result and err are set
	result  Result
	err     error
}

// answer is the function's answer, or the one that Lambda gives in its place.
type answer struct {
	payload   []byte
	isError   bool
	errorType string // for the REPORT line, if Lambda answers in the function's place
}

// answered records the first answer and drops later ones. It reports whether this was the first.
func (i *invocation) answered(a answer) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.answer != nil {
		return false
	}
	i.answer = &a
	return true
}

// fail answers in the function's place.
func (i *invocation) fail(errorType, format string, args ...any) {
	message := "RequestId: " + i.id + " Error: " + fmt.Sprintf(format, args...)
	payload, _ := json.Marshal(map[string]string{"errorType": errorType, "errorMessage": message})
	i.answered(answer{payload: payload, isError: true, errorType: errorType})
}

// settle hands the answer to the caller.
func (i *invocation) settle(logTail string) {
	i.result = Result{
		Payload: i.answer.payload, RequestID: i.id, LogTail: logTail,
		Duration: i.duration, InitDuration: i.initDuration,
	}
	if i.answer.isError {
		i.result.FunctionError = "Unhandled"
	}
	close(i.settled)
}

// Invoke runs a function and waits for its answer. A failing function is not an error: see Result.FunctionError. Errors
// are *wire.Error (ResourceNotFoundException, TooManyRequestsException, RequestTooLargeException,
// InvalidRequestContentException), or the context's, in which case the function keeps running, as on AWS.
func (p *Platform) Invoke(ctx context.Context, r Request) (Result, error) {
	return p.invoke(ctx, r, uuid.NewString())
}

func (p *Platform) invoke(ctx context.Context, r Request, id string) (Result, error) {
	f, err := p.check(r, maxPayload)
	if err != nil {
		return Result{}, err
	}
	inv := &invocation{
		id: id, f: f, payload: r.Payload, trace: p.newTrace(f, r.TraceHeader), settled: make(chan struct{}),
	}
	if p.options.Before != nil {
		if inv.kill, err = p.options.Before(ctx, f.Function); err != nil {
			return Result{}, err
		}
	}
	if err := p.admit(inv); err != nil {
		return Result{}, err
	}
	go p.perform(inv)
	select {
	case <-inv.settled:
		return inv.result, inv.err
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
}

// Call is Invoke for callers that need only the answer: a failed function is a *FunctionError.
func (p *Platform) Call(ctx context.Context, function string, payload []byte) ([]byte, error) {
	result, err := p.Invoke(ctx, Request{Function: function, Payload: payload})
	if err != nil {
		return nil, err
	}
	return result.Payload, result.Err()
}

// Err is the function's own failure as a *FunctionError, or nil.
func (r Result) Err() error {
	if r.FunctionError == "" {
		return nil
	}
	failure := &FunctionError{Payload: r.Payload}
	var said struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(r.Payload, &said); err == nil {
		failure.Type, failure.Message = said.ErrorType, said.ErrorMessage
	}
	return failure
}

// check finds the function of a request and refuses payloads that Lambda would refuse.
func (p *Platform) check(r Request, limit int) (*function, error) {
	f, err := p.find(r.Function)
	if err != nil {
		return nil, err
	}
	if len(r.Payload) > limit {
		return nil, &wire.Error{
			Code: "RequestTooLargeException", Status: http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("%d byte payload is too large for the limit of %d", len(r.Payload), limit),
		}
	}
	if len(r.Payload) > 0 && !json.Valid(r.Payload) {
		return nil, wire.Errorf("InvalidRequestContentException", "Could not parse request body into json")
	}
	return f, nil
}

// admit counts the invocation against the concurrency limits, or throttles it.
func (p *Platform) admit(inv *invocation) error {
	done, ok := p.begin()
	if !ok {
		return errClosed
	}
	f := inv.f
	p.mu.Lock()
	reason := p.throttled(f)
	if reason == "" {
		f.running++
		if f.ReservedConcurrency == nil {
			p.running++
		}
	}
	running, claimed := f.running, p.running+p.reserved
	p.mu.Unlock()
	if reason != "" {
		done()
		p.metric(f, "Throttles", "Count", 1)
		return &wire.Error{
			Code: "TooManyRequestsException", Status: http.StatusTooManyRequests, Message: "Rate Exceeded.",
			Fields: map[string]any{"Reason": reason},
		}
	}
	p.metric(f, "ConcurrentExecutions", "Count", float64(running))
	if p.options.Metric != nil { // for the account: executions without a reservation, plus everything reserved
		p.options.Metric(Metric{Name: "ClaimedAccountConcurrency", Unit: "Count", Value: float64(claimed), Time: p.options.Now()})
	}
	return nil
}

// throttled returns Lambda's reason for refusing an invocation at the limit, or "".
func (p *Platform) throttled(f *function) (reason string) {
	switch {
	case f.ReservedConcurrency != nil && f.running >= *f.ReservedConcurrency:
		return "ReservedFunctionConcurrentInvocationLimitExceeded"
	case f.ReservedConcurrency == nil && p.running >= p.options.Concurrency-p.reserved:
		return "ConcurrentInvocationLimitExceeded"
	}
	return ""
}

// left reverses what admit counted.
func (p *Platform) left(inv *invocation) {
	p.mu.Lock()
	inv.f.running--
	if inv.f.ReservedConcurrency == nil {
		p.running--
	}
	p.mu.Unlock()
	p.work.Done()
}

// perform finds or starts an environment and hands the event over; the environment does the rest.
func (p *Platform) perform(inv *invocation) {
	for {
		e, err := p.acquire(inv.f)
		if err != nil {
			inv.err = err
			close(inv.settled)
			p.left(inv)
			return
		}
		if e == nil {
			p.coldStart(inv)
			return
		}
		if e.dispatch(inv) {
			return
		}
		// It died while idle: take another one.
	}
}

func (p *Platform) metric(f *function, name, unit string, value float64) {
	if p.options.Metric != nil {
		p.options.Metric(Metric{Function: f.Name, Name: name, Unit: unit, Value: value, Time: p.options.Now()})
	}
}
