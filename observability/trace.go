package observability

import (
	"context"
	"errors"
	"hash/fnv"
	"strings"
)

// tracer opens spans. X-Ray's SDK is in maintenance mode, so nothing but xray.go knows that it is
// there. No method fails or panics: a trace is never worth an invocation.
type tracer interface {
	// beginRoot opens the span of an invocation's work, below the one that Lambda itself records.
	beginRoot(ctx context.Context, name string) (context.Context, span)
	// begin opens a span below the innermost one of ctx.
	begin(ctx context.Context, name string) (context.Context, span)
	// innermost is the span that ctx is in.
	innermost(ctx context.Context) span
}

// span is one timed piece of work in a trace.
type span interface {
	annotate(key, value string)
	// annotated says whether the key was annotated before.
	annotated(key string) bool
	end(err error)
}

// Annotations that every invocation's span has.
const (
	annotationStage   = "stage"
	annotationOutcome = "outcome"
	annotationCold    = "coldStart"
)

// Trace does a step of the work in a span of its own and returns what do returns. In an invocation that is not traced,
// and outside of one, it only calls do. A panic is noted on the span and goes on. An error is noted, too, unless it or
// one that it wraps has a method Expected() bool that returns true: such an error is an answer, not a failure.
func Trace[T any](ctx context.Context, name string, do func(context.Context) (T, error)) (value T, err error) {
	inv := from(ctx)
	if inv == nil || inv.root == nil {
		return do(ctx)
	}
	ctx, s := inv.f.tracer.begin(ctx, name)
	returned := false
	defer func() {
		if returned {
			s.end(unexpected(err))
			return
		}
		p := recover()
		s.end(newPanicError(p))
		if p != nil { // nil is runtime.Goexit, which goes on by itself
			panic(p)
		}
	}()
	value, err = do(ctx)
	returned = true
	return value, err
}

// Step is Trace for a step that gives no value but its error.
func Step(ctx context.Context, name string, do func(context.Context) error) error {
	_, err := Trace(ctx, name, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return err
}

// unexpected is err, or nil if err says of itself that it is an answer.
func unexpected(err error) error {
	if e, ok := errors.AsType[interface {
		error
		Expected() bool
	}](err); ok && e.Expected() {
		return nil
	}
	return err
}

// Annotate puts a searchable note on the innermost span. A handler may so name its outcome, where "ok"
// says too little. Never annotate tokens, bodies or user ids; "user" is hashed if it is not yet.
func Annotate(ctx context.Context, key, value string) {
	if inv := from(ctx); inv != nil && inv.root != nil {
		inv.f.tracer.innermost(ctx).annotate(key, guard(key, value))
	}
}

// beginTrace opens the invocation's own span.
func (inv *invocation) beginTrace(ctx context.Context) context.Context {
	ctx, inv.root = inv.f.tracer.beginRoot(ctx, inv.f.name)
	inv.root.annotate(annotationStage, inv.f.settings.Stage)
	if inv.cold {
		inv.root.annotate(annotationCold, "true")
	}
	return ctx
}

func (inv *invocation) endTrace(err error) {
	outcome := "ok"
	_, panicked := errors.AsType[*panicError](err)
	switch {
	case panicked:
		outcome = "panic"
	case err != nil:
		outcome = "error"
	}
	// The handler knows better what came of its work, unless it never got to the end of it.
	if panicked || !inv.root.annotated(annotationOutcome) {
		inv.root.annotate(annotationOutcome, outcome)
	}
	inv.root.end(err)
}

// traceHeader is what Lambda says of the trace that an invocation belongs to.
type traceHeader struct {
	root, parent string
	sampled      bool
}

// traceHeaderOf reads the header, "Root=1-…;Parent=…;Sampled=1", from where aws-lambda-go puts it.
func traceHeaderOf(ctx context.Context) traceHeader {
	header, _ := ctx.Value("x-amzn-trace-id").(string)
	var h traceHeader
	for part := range strings.SplitSeq(header, ";") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(part), "="); key {
		case "Root":
			h.root = value
		case "Parent":
			h.parent = value
		case "Sampled":
			h.sampled = value == "1"
		}
	}
	return h
}

// recorded decides whether this invocation's spans are recorded: X-Ray must have sampled the trace, and
// of those a share is kept. The share is taken by the trace's id, so that all functions of one trace
// agree.
func (h traceHeader) recorded(share float64) bool {
	if !h.sampled || h.root == "" || h.parent == "" {
		return false
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(h.root)) // a hash takes everything
	return float64(sum.Sum64()>>11)/(1<<53) < share
}
