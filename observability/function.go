package observability

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
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

// Function is the telemetry of one Lambda function: where its lines go and how they are labelled. It is shared by all
// invocations.
type Function struct {
	name     string
	settings Settings
	out      *lines
	log      *slog.Logger // for lines outside of an invocation
	tracer   tracer
	zeros    []catalogue.Metric // those that every invocation writes
	warm     atomic.Bool

	mu      sync.Mutex
	running []*invocation
}

// New makes the telemetry of the function with this short name, such as "send". Log lines and metric
// lines go to stdout, whole line by whole line. Spans go to the X-Ray daemon, whose address is the
// environment variable AWS_XRAY_DAEMON_ADDRESS, which Lambda sets.
func New(function string, s Settings, stdout io.Writer) *Function {
	f := &Function{name: function, settings: s, out: &lines{w: stdout}}
	f.log = slog.New(&logHandler{f: f})
	for _, m := range catalogue.All() {
		if m.Zero() && slices.Contains(m.Functions(), function) {
			f.zeros = append(f.zeros, m)
		}
	}
	// An environment that was started ahead of its first invocation made nobody wait.
	f.warm.Store(os.Getenv("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency")
	switch t, err := newTracer(); {
	case err != nil:
		f.log.Warn("tracing is off", "error", err) // a function without traces is better than none
	case t != nil:
		f.tracer = t
	}
	return f
}

// Wrap gives a handler its logger, metrics and trace for one invocation. Whatever the handler does, return, fail, panic
// or run into its deadline, its metrics are written. A panic goes on to the caller. An answer that reports failed records
// of a batch (a field BatchItemFailures, as aws-lambda-go's answers have) is counted as RecordsFailed.
func Wrap[In, Out any](f *Function, h Handler[In, Out]) Handler[In, Out] {
	return func(ctx context.Context, in In) (out Out, err error) {
		ctx, inv := f.begin(ctx)
		if event, raw := any(in).([]byte); raw {
			inv.event = event
		}
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
		if err == nil {
			inv.noteFailedRecords(failedRecords(out))
		}
		returned = true
		return out, err
	}
}

// begin opens an invocation. The cold start is counted here, and not at the end, so that it is never
// missed because the first call failed.
func (f *Function) begin(ctx context.Context) (context.Context, *invocation) {
	inv := &invocation{f: f, start: time.Now(), cold: f.warm.CompareAndSwap(false, true), level: f.settings.LogLevel}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		inv.requestID = lc.AwsRequestID
	}
	if f.settings.LogSampling > 0 && within(inv.requestID, f.settings.LogSampling) {
		inv.level = slog.LevelDebug
	}
	header := traceHeaderOf(ctx)
	if header.sampled { // otherwise the id leads nowhere
		inv.traceID = header.root
	}
	ctx = context.WithValue(ctx, invocationKey{}, inv)
	if f.tracer != nil && header.recorded(f.settings.TraceSampling) {
		ctx = inv.beginTrace(ctx)
	}
	if inv.cold {
		inv.add(catalogue.ColdStarts, 1)
	}
	f.mu.Lock()
	f.running = append(f.running, inv)
	f.mu.Unlock()
	inv.flushBeforeDeadline(ctx)
	return ctx, inv
}

// forget takes an invocation off the list of those that run.
func (f *Function) forget(inv *invocation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = slices.DeleteFunc(f.running, func(other *invocation) bool { return other == inv })
}

// only is the invocation that runs, if exactly one does: Lambda gives a process one event at a time. A line that a
// library writes without a context belongs to it.
func (f *Function) only() *invocation {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.running) == 1 {
		return f.running[0]
	}
	return nil
}

// abandon writes what the running invocations have, because the process is about to exit.
func (f *Function) abandon() {
	f.mu.Lock()
	running := slices.Clone(f.running)
	f.mu.Unlock()
	for _, inv := range running {
		inv.add(catalogue.HandlerErrors, 1)
		inv.rescue("exit")
	}
}
