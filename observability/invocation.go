package observability

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
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
	event     []byte // as it came, where it is known
	cold      bool
	level     slog.Level // lines below are kept for a failure
	trace     trace      // nil: this invocation is not traced
	spans     atomic.Int32

	stopTimer func()

	mu            sync.Mutex
	logger        *slog.Logger
	correlation   *string // nil: not looked for yet
	properties    []property
	overfull      bool // a property was dropped, and a line said so
	series        []series
	firsts        []float64 // the first values of series
	zerosWritten  bool
	kept          [][]byte // lines below the level
	keptBytes     int
	places        []place
	lastPlace     int
	sums          []summed
	recordsFailed int
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
// Values that CloudWatch does not take (NaN, infinities, magnitudes above 2^360) and negative values of counters are
// dropped, and a log line says so.
func Add(ctx context.Context, m catalogue.Metric, v float64) {
	if inv := from(ctx); inv != nil {
		inv.add(m, v)
	}
}

// Flush writes the metrics that were added so far, for a handler that goes on for long: they count at this time, and
// nothing that happens later can lose them.
func Flush(ctx context.Context) {
	if inv := from(ctx); inv != nil {
		inv.flush()
	}
}

// SetProperty notes an id of this invocation, such as connectionId or user. It becomes a root member of
// the metric lines, never a dimension, and an attribute of the invocation's log lines from then on.
// Setting a key again overwrites it; ids that occur many times per invocation belong on their log lines.
// A key that would collide with a metric, a dimension or a log key gets the prefix "property_". Values are
// cut at 1024 bytes, and a 33rd key is dropped, which a log line says.
func SetProperty(ctx context.Context, key, value string) {
	if inv := from(ctx); inv != nil {
		inv.setProperty(key, value)
	}
}

// ResetProperties takes properties back, all of them if no key is named.
func ResetProperties(ctx context.Context, keys ...string) {
	inv := from(ctx)
	if inv == nil {
		return
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.properties = slices.DeleteFunc(inv.properties, func(p property) bool {
		return len(keys) == 0 || slices.ContainsFunc(keys, func(key string) bool { return newProperty(key, "").key == p.key })
	})
}

func (inv *invocation) add(m catalogue.Metric, v float64) {
	if why := inv.tryAdd(m, v); why != "" {
		inv.log().Warn("a metric's value was dropped: "+why, "metric", m.Name(), "value", printable(v))
	}
}

// tryAdd adds a value, or gives the reason why it can't.
func (inv *invocation) tryAdd(m catalogue.Metric, v float64) string {
	switch {
	case !m.Declared():
		return "the metric is not declared"
	case !representable(v):
		return "CloudWatch takes magnitudes up to 2^360 only"
	case v < 0 && m.Kind() == catalogue.Counter:
		return "a counter only goes up"
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for i := range inv.series {
		if inv.series[i].Metric == m {
			return inv.series[i].add(v)
		}
	}
	inv.begun(m, v)
	return ""
}

// begun adds the first value of a metric. Room is made for a dozen at a time: most invocations have no more.
func (inv *invocation) begun(m catalogue.Metric, v float64) {
	const dozen = 12
	if inv.series == nil {
		inv.series = make([]series, 0, dozen)
	}
	if len(inv.firsts) == cap(inv.firsts) {
		inv.firsts = make([]float64, 0, dozen)
	}
	inv.firsts = append(inv.firsts, v)
	last := len(inv.firsts)
	inv.series = append(inv.series, newSeries(m, inv.firsts[last-1:last:last]...))
}

func (inv *invocation) setProperty(key, value string) {
	p := newProperty(key, value)
	inv.mu.Lock()
	for i := range inv.properties {
		if inv.properties[i].key == p.key {
			inv.properties[i].value = p.value
			inv.mu.Unlock()
			return
		}
	}
	fits := len(inv.properties) < maxProperties
	if fits {
		inv.properties = append(inv.properties, p)
	}
	loud := !fits && !inv.overfull
	inv.overfull = !fits
	inv.mu.Unlock()
	if loud {
		inv.log().Warn("a property was dropped: an invocation has 32 at most", "property", p.key)
	}
}

// failedRecords is how many records of a batch an answer asks to have again.
func failedRecords(answer any) int {
	v := reflect.ValueOf(answer)
	if v.Kind() != reflect.Struct {
		return 0
	}
	if failures := v.FieldByName("BatchItemFailures"); failures.Kind() == reflect.Slice {
		return failures.Len()
	}
	return 0
}

// noteFailedRecords counts records that come again. The invocation is no success, though it returned no error.
func (inv *invocation) noteFailedRecords(n int) {
	if n == 0 {
		return
	}
	inv.mu.Lock()
	inv.recordsFailed += n
	inv.mu.Unlock()
	inv.add(catalogue.RecordsFailed, float64(n))
	inv.add(catalogue.HandlerErrors, 1)
}

// end closes the invocation: one log line if it failed, its metrics, its trace.
func (inv *invocation) end(err error) {
	if inv.stopTimer != nil {
		inv.stopTimer()
	}
	inv.f.forget(inv)
	if err != nil {
		inv.add(catalogue.HandlerErrors, 1)
	}
	if inv.failed() {
		inv.writeKept()
	}
	if err != nil {
		inv.logFailure(err)
	}
	inv.countDroppedSpans()
	inv.flush()
	if inv.trace != nil {
		inv.endTrace(err)
	}
}

// failed reports whether something went wrong, also where the handler answered it itself.
func (inv *invocation) failed() bool {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	return slices.ContainsFunc(inv.series, func(s series) bool { return s.Metric == catalogue.HandlerErrors })
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
	if !inv.zerosWritten {
		inv.addZeros()
	}
	added := inv.series
	inv.series = nil
	p := page{
		at: time.Now(), stage: inv.f.settings.Stage, function: inv.f.name,
		properties: append(inv.ids(), inv.properties...),
	}
	inv.mu.Unlock()
	p.write(inv.f.out, added)
}

// addZeros adds a zero to each metric that is to be written in any case and was not added to, so that a ratio of it is
// known to be zero, and not missing.
func (inv *invocation) addZeros() {
	inv.zerosWritten = true
	for _, m := range inv.f.zeros {
		if !slices.ContainsFunc(inv.series, func(s series) bool { return s.Metric == m }) {
			inv.begun(m, 0)
		}
	}
}

// ids are the properties that every metric line has, so that one finds its logs and, if there is one, its trace.
func (inv *invocation) ids() []property {
	ids := make([]property, 0, 2+len(inv.properties))
	for _, id := range []property{{"requestId", inv.requestID}, {"traceId", inv.traceID}} {
		if id.value != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// correlationID is the id by which the event's sender knows it: of the request at the gateway, else of the message or
// record if the batch has one only, else of the event. It is looked for when a line is written, which is seldom.
func (inv *invocation) correlationID() string {
	if len(inv.event) == 0 {
		return ""
	}
	if inv.correlation == nil {
		id := correlationID(inv.event)
		inv.correlation = &id
	}
	return *inv.correlation
}

func correlationID(event []byte) string {
	var e struct {
		ID             string `json:"id"`
		RequestContext struct {
			RequestID string `json:"requestId"`
		} `json:"requestContext"`
		Records []struct {
			MessageID string `json:"messageId"`
			EventID   string `json:"eventID"`
		}
	}
	if json.Unmarshal(event, &e) != nil {
		return ""
	}
	switch {
	case e.RequestContext.RequestID != "":
		return e.RequestContext.RequestID
	case len(e.Records) == 1:
		return e.Records[0].MessageID + e.Records[0].EventID // a record has one of them
	}
	return e.ID
}

// flushBeforeDeadline sees to it that nothing is lost if Lambda kills the function. The
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
		inv.add(catalogue.DeadlinesMissed, 1)
		inv.rescue("timeout")
	})
	inv.stopTimer = func() {
		if !timer.Stop() {
			<-done
		}
	}
}

// rescue writes everything there is, as the invocation may never get to its end.
func (inv *invocation) rescue(why string) {
	place := inv.innermostPlace()
	inv.writeKept()
	inv.log().Warn("the invocation is about to be ended", "why", why, "place", place, "durationMs", time.Since(inv.start).Milliseconds())
	inv.countDroppedSpans()
	inv.flush()
	if inv.trace != nil {
		inv.trace.annotate(annotationPlace, place)
		inv.trace.send()
	}
}
