package observability

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"heliograph/observability/catalogue"
)

// tracer opens traces. X-Ray's SDK is in maintenance mode, so nothing outside of xray*.go and awscalls.go knows that it
// is there. No method fails or panics: a trace is never worth an invocation.
type tracer interface {
	// begin opens the span of an invocation's work, below the one that Lambda itself records.
	begin(ctx context.Context, name string) (context.Context, trace)
}

// trace is the spans of one invocation. It is the outermost one of them, too.
type trace interface {
	span
	// below opens a span below the innermost one of ctx.
	below(ctx context.Context, name string) (context.Context, span)
	// innermost is the span that ctx is in.
	innermost(ctx context.Context) span
	// send sends all spans there are, open ones as in progress.
	send()
}

// span is one timed piece of work in a trace.
type span interface {
	// annotate takes a string, an int64, a float64 or a bool.
	annotate(key string, value any)
	// annotated reports whether the key was annotated before.
	annotated(key string) bool
	// describe adds metadata, which is shown but can't be searched.
	describe(key string, json []byte)
	end(err error)
}

// Annotations that every invocation's span has, and those of one that did not go well.
const (
	annotationStage   = "stage"
	annotationOutcome = "outcome"
	annotationCold    = "coldStart"
	annotationPlace   = "place"
	annotationFailed  = "recordsFailed"
)

// maxSpans is the budget of an invocation. X-Ray bills traces, not spans, but a trace of thousands can't be read, and
// each span costs time and a part of a datagram. Further ones are summed by their names.
const maxSpans = 200

// Trace does a step of the work in a span of its own and returns what do returns. In an invocation that is not traced,
// and outside of one, it only calls do. A panic is noted on the span and goes on. An error is noted, too, unless it or
// one that it wraps has a method Expected() bool that returns true: such an error is an answer, not a failure.
func Trace[T any](ctx context.Context, name string, do func(context.Context) (T, error)) (value T, err error) {
	inv := from(ctx)
	if inv == nil {
		return do(ctx)
	}
	ctx, s := inv.beginStep(ctx, name)
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

// Annotate puts a searchable note on the innermost span: "which traces have outcome = gone?". A handler may name its
// outcome, where "ok" says too little. X-Ray takes 50 annotations a trace; texts are cut at 1,000 characters.
func Annotate[V ~string | ~bool | ~int | ~int64 | ~float64](ctx context.Context, key string, value V) {
	if inv := from(ctx); inv != nil && inv.trace != nil {
		inv.trace.innermost(ctx).annotate(key, annotation(key, value))
	}
}

// Describe puts a value of any type on the innermost span as metadata, which is shown beside the span but can't be
// searched. It is written as in a log line: redacted by its keys, and bounded.
func Describe(ctx context.Context, key string, value any) {
	if inv := from(ctx); inv != nil && inv.trace != nil {
		inv.trace.innermost(ctx).describe(key, encodeJSON(key, value, bounds{1 << 10, 20, 6}))
	}
}

// step is a piece of work between its begin and its end.
type step struct {
	inv   *invocation
	place int
	name  string
	span  span      // nil: not traced, or over the budget
	start time.Time // zero: not traced, or within the budget
}

func (inv *invocation) beginStep(ctx context.Context, name string) (context.Context, step) {
	s := step{inv: inv, place: inv.enter(name), name: name}
	switch {
	case inv.trace == nil:
	case inv.withinBudget():
		ctx, s.span = inv.trace.below(ctx, name)
	default:
		s.start = time.Now()
	}
	return ctx, s
}

func (s step) end(err error) {
	s.inv.leave(s.place)
	switch {
	case s.span != nil:
		s.span.end(err)
	case !s.start.IsZero():
		s.inv.sum(s.name, time.Since(s.start), err)
	}
}

// place is where an invocation is: a step that was begun and has not ended.
type place struct {
	id   int
	name string
}

// enter notes that a step was begun, in traced invocations and others: a time-out wants to know where.
func (inv *invocation) enter(name string) int {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.lastPlace++
	inv.places = append(inv.places, place{inv.lastPlace, name})
	return inv.lastPlace
}

func (inv *invocation) leave(id int) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for i := len(inv.places) - 1; i >= 0; i-- { // mostly the last
		if inv.places[i].id == id {
			inv.places = slices.Delete(inv.places, i, i+1)
			return
		}
	}
}

// innermostPlace is the step that was begun last of those that are open; outside of all, the function's name.
func (inv *invocation) innermostPlace() string {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if len(inv.places) == 0 {
		return inv.f.name
	}
	return inv.places[len(inv.places)-1].name
}

func (inv *invocation) withinBudget() bool { return inv.spans.Add(1) <= maxSpans }

// summed is what spans of one name came to that were over the budget.
type summed struct {
	name    string
	Spans   int     `json:"spans"`
	Failed  int     `json:"failed"`
	Seconds float64 `json:"seconds"`
}

func (inv *invocation) sum(name string, took time.Duration, err error) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	i := slices.IndexFunc(inv.sums, func(s summed) bool { return s.name == name })
	if i < 0 {
		i = len(inv.sums)
		inv.sums = append(inv.sums, summed{name: name})
	}
	inv.sums[i].Spans++
	inv.sums[i].Seconds += took.Seconds()
	if err != nil {
		inv.sums[i].Failed++
	}
}

// beginTrace opens the invocation's own span.
func (inv *invocation) beginTrace(ctx context.Context) context.Context {
	inv.spans.Add(1)
	ctx, inv.trace = inv.f.tracer.begin(ctx, inv.f.name)
	inv.trace.annotate(annotationStage, inv.f.settings.Stage)
	if inv.cold {
		inv.trace.annotate(annotationCold, true)
	}
	return ctx
}

// countDroppedSpans tells of the spans over the budget. It comes before the last flush.
func (inv *invocation) countDroppedSpans() {
	inv.mu.Lock()
	sums := inv.sums
	inv.sums = nil
	inv.mu.Unlock()
	dropped := map[string]summed{}
	n := 0
	for _, s := range sums {
		dropped[s.name] = s
		n += s.Spans
	}
	if n > 0 {
		inv.add(catalogue.SpansDropped, float64(n))
		inv.trace.describe("spansDropped", encodeJSON("spansDropped", dropped, bounds{200, 50, 4}))
	}
}

func (inv *invocation) endTrace(err error) {
	outcome := "ok"
	_, panicked := errors.AsType[*panicError](err)
	switch {
	case panicked:
		outcome = "panic"
	case err != nil:
		outcome = "error"
	case inv.recordsFailed > 0:
		outcome = "partial"
	}
	// The handler knows better what came of its work, unless it never got to the end of it.
	if panicked || !inv.trace.annotated(annotationOutcome) {
		inv.trace.annotate(annotationOutcome, outcome)
	}
	if inv.recordsFailed > 0 {
		inv.trace.annotate(annotationFailed, int64(inv.recordsFailed))
	}
	inv.trace.end(err)
	inv.trace.send()
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

// recorded decides whether this invocation's spans are recorded: X-Ray must have sampled the trace, and of those a share
// is kept. All functions of one trace decide alike.
func (h traceHeader) recorded(share float64) bool {
	return h.sampled && h.root != "" && h.parent != "" && within(h.root, share)
}

// within reports whether an id is in a share of all ids, always the same ones.
func within(id string, share float64) bool {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(id)) // a hash takes everything
	return cmp.Less(float64(sum.Sum64()>>11)/(1<<53), share)
}
