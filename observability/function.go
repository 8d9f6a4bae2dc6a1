package observability

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"heliograph/observability/catalogue"
)

// beforeDeadline is how long before an invocation's deadline its metrics so far are written. Lambda
// kills a function at its deadline without a word, and what was not written by then is lost.
const beforeDeadline = 500 * time.Millisecond

// Handler does one invocation's work.
type Handler[In, Out any] func(context.Context, In) (Out, error)

// Function is the telemetry of one Lambda function: where its lines go and how they are labelled. It
// is shared by all invocations, and holds nothing of any of them but that there was a first.
type Function struct {
	name     string
	settings Settings
	out      *lines
	log      *slog.Logger
	tracer   tracer
	warm     atomic.Bool
}

// New makes the telemetry of the function with this short name, such as "send". Log lines and metric
// lines go to stdout, whole line by whole line. Spans go to the X-Ray daemon, whose address is the
// environment variable AWS_XRAY_DAEMON_ADDRESS, which Lambda sets.
func New(function string, s Settings, stdout io.Writer) *Function {
	out := &lines{w: stdout}
	log := newLogger(out, s.LogLevel).With("function", function, "stage", s.Stage)
	f := &Function{name: function, settings: s, out: out, log: log}
	switch t, err := newTracer(); {
	case err != nil:
		log.Warn("tracing is off", "error", err) // a function without traces is better than none
	case t != nil:
		f.tracer = t
	}
	return f
}

// Wrap gives a handler its logger, metrics and trace for one invocation. Whatever the handler does,
// return, fail, panic or run into its deadline, its metrics are written. A panic goes on to the caller.
func Wrap[In, Out any](f *Function, h Handler[In, Out]) Handler[In, Out] {
	return func(ctx context.Context, in In) (out Out, err error) {
		ctx, inv := f.begin(ctx)
		returned := false
		defer func() {
			if returned {
				inv.end(err)
				return
			}
			p := recover()
			inv.end(newPanicError(p))
			if p != nil { // nil is runtime.Goexit, which goes on by itself
				panic(p)
			}
		}()
		out, err = h(ctx, in)
		returned = true
		return out, err
	}
}

// begin opens an invocation. The cold start is counted here, and not at the end, so that it is never
// missed because the first call failed.
func (f *Function) begin(ctx context.Context) (context.Context, *invocation) {
	inv := &invocation{f: f, start: time.Now(), cold: f.warm.CompareAndSwap(false, true)}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		inv.requestID = lc.AwsRequestID
	}
	header := traceHeaderOf(ctx)
	inv.traceID = header.root
	ctx = context.WithValue(ctx, invocationKey{}, inv)
	if f.tracer != nil && header.recorded(f.settings.TraceSampling) {
		ctx = inv.beginTrace(ctx)
	}
	if inv.cold {
		inv.add(catalogue.ColdStarts, 1)
	}
	inv.flushBeforeDeadline(ctx)
	return ctx, inv
}
