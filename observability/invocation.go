package observability

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"heliograph/observability/catalogue"
)

// invocation is everything that is known of one invocation. It lives in the context, so that nothing
// is shared between invocations.
type invocation struct {
	f         *Function
	start     time.Time
	requestID string
	traceID   string
	cold      bool
	root      span // nil: this invocation is not traced

	stopTimer func()

	mu         sync.Mutex
	logger     *slog.Logger // nil: to be made anew
	properties []property
	series     []series
}

type invocationKey struct{}

// from is the invocation that ctx belongs to, or nil outside of a wrapped handler.
func from(ctx context.Context) *invocation {
	inv, _ := ctx.Value(invocationKey{}).(*invocation)
	return inv
}

// Add adds a value to a metric of the catalogue. Counters are summed over the invocation, observations
// are kept one by one, and of a gauge the last value counts. They are written when the invocation ends;
// what a goroutine adds after that is lost.
// Values that CloudWatch does not take (NaN, infinities, magnitudes above 2^360) are dropped, and a log line says so.
func Add(ctx context.Context, m catalogue.Metric, v float64) {
	if inv := from(ctx); inv != nil {
		inv.add(m, v)
	}
}

// SetProperty notes an id of this invocation, such as connectionId or user. It becomes a root member of
// the metric lines, never a dimension, and an attribute of the log lines of every logger taken
// afterwards. Of a key that is set twice the last value counts: what there are many of in one
// invocation belongs on the log line itself. A key that would collide with a metric, a dimension or a
// log key gets the prefix "property_". Values are cut at 1024 bytes.
func SetProperty(ctx context.Context, key, value string) {
	if inv := from(ctx); inv != nil {
		inv.setProperty(key, value)
	}
}

func (inv *invocation) add(m catalogue.Metric, v float64) {
	if !m.Declared() || !representable(v) {
		inv.log().Warn("a metric's value was dropped", "metric", m.Name(), "value", printable(v))
		return
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for i := range inv.series {
		if inv.series[i].name == m.Name() {
			inv.series[i].add(v)
			return
		}
	}
	if inv.series == nil {
		inv.series = make([]series, 0, 8)
	}
	inv.series = append(inv.series, newSeries(m, v))
}

func (inv *invocation) setProperty(key, value string) {
	p := newProperty(key, value)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.logger = nil
	for i := range inv.properties {
		if inv.properties[i].key == p.key {
			inv.properties[i].value = p.value
			return
		}
	}
	if len(inv.properties) < maxProperties {
		inv.properties = append(inv.properties, p)
	}
}

// end closes the invocation: one log line if it failed, its metrics, its trace.
func (inv *invocation) end(err error) {
	if inv.stopTimer != nil {
		inv.stopTimer()
	}
	if err != nil {
		inv.add(catalogue.HandlerErrors, 1)
		inv.logFailure(err)
	}
	inv.flush()
	if inv.root != nil {
		inv.endTrace(err)
	}
}

func (inv *invocation) logFailure(err error) {
	attrs := []any{"error", err, "durationMs", time.Since(inv.start).Milliseconds()}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, "stack", p.frames())
	}
	inv.log().Error("the invocation failed", attrs...)
}

// flush writes what was added since the last flush.
func (inv *invocation) flush() {
	inv.mu.Lock()
	added := inv.series
	inv.series = nil
	p := page{
		at: time.Now(), stage: inv.f.settings.Stage, function: inv.f.name,
		properties: append(inv.ids(), inv.properties...),
	}
	inv.mu.Unlock()
	for _, line := range p.lines(added) {
		_, _ = inv.f.out.Write(line) // there is nowhere to report a closed stdout to
	}
}

// ids are the properties that every metric line has, so that one finds its logs and its trace.
func (inv *invocation) ids() []property {
	ids := make([]property, 0, 2+len(inv.properties))
	for _, id := range []property{{"requestId", inv.requestID}, {"traceId", inv.traceID}} {
		if id.value != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// flushBeforeDeadline sees to it that metrics are written even if Lambda kills the function. The
// timer's function has always ended when the invocation does: Lambda freezes what is left over, and it
// would wake up within another invocation.
func (inv *invocation) flushBeforeDeadline(ctx context.Context) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return
	}
	done := make(chan struct{})
	timer := time.AfterFunc(time.Until(deadline)-beforeDeadline, func() {
		defer close(done)
		inv.log().Warn("the invocation is about to time out", "durationMs", time.Since(inv.start).Milliseconds())
		inv.flush()
	})
	inv.stopTimer = func() {
		if !timer.Stop() {
			<-done
		}
	}
}
