package observability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"heliograph/observability/catalogue"
)

// documents runs a handler in a sampled trace, and gives every datagram's segment and size. Each must be one that UDP
// carries.
func documents(t *testing.T, h func(context.Context) error) (all []segment, out *bytes.Buffer) {
	t.Helper()
	d := newDaemon(t)
	_ = d.conn.SetReadBuffer(8 << 20)
	out = &bytes.Buffer{}
	f := d.function(t, testSettings, out)
	write := f.tracer.(*xrayTracer).write
	f.tracer = &xrayTracer{func(document []byte) {
		if len(document) > 63<<10 {
			t.Errorf("a document of %d bytes would be lost", len(document))
		}
		write(document)
	}}
	_, _ = Wrap(f, ignoring(h))(lambdaContext(context.Background(), "r-1", sampledTrace), struct{}{})
	return d.segments(t), out
}

// count is how many segments there are, nested ones included.
func count(all []segment) int {
	n := len(all)
	for _, s := range all {
		n += count(s.Subsegments)
	}
	return n
}

// TestNoTraceIsLost proves that what is large arrives, cut, and that nothing else of the trace is lost with it.
func TestNoTraceIsLost(t *testing.T) {
	t.Parallel()
	var joined []error
	for i := range 500 {
		joined = append(joined, fmt.Errorf("%d: %s", i, strings.Repeat("long ", 100)))
	}
	for name, h := range map[string]func(context.Context) error{
		"a long error":         func(context.Context) error { return errors.New(strings.Repeat("é\x00", 40_000)) },
		"joined errors":        func(context.Context) error { return errors.Join(joined...) },
		"a long panic":         func(context.Context) error { panic(strings.Repeat("x", 70_000)) },
		"long annotations":     func(ctx context.Context) error { annotateMuch(ctx); return nil },
		"everything at once":   func(ctx context.Context) error { annotateMuch(ctx); return errors.Join(joined...) },
		"a long name":          func(ctx context.Context) error { return Step(ctx, strings.Repeat("é", 40_000), failing) },
		"metadata without end": func(ctx context.Context) error { describeMuch(ctx); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, _ := documents(t, func(ctx context.Context) error {
				return Step(ctx, "step", func(ctx context.Context) error {
					_ = Step(ctx, "inner", func(ctx context.Context) error {
						defer func() { _ = recover() }()
						return h(ctx)
					})
					return nil
				})
			})
			if n := count(all); n != 3 && n != 4 {
				t.Errorf("%d spans arrived: %+v", n, all)
			}
		})
	}
}

func failing(context.Context) error { return errTest }

func annotateMuch(ctx context.Context) {
	for i := range 70 {
		Annotate(ctx, fmt.Sprint("key", i, strings.Repeat("k", 1000)), strings.Repeat("\x01é", 2000))
	}
}

func describeMuch(ctx context.Context) {
	for i := range 200 {
		Describe(ctx, fmt.Sprint("key", i), strings.Repeat("\x01", 5000))
	}
}

// TestCauseIsSentOnce proves that an error which is handed on from span to span is written down once, and its ancestors
// refer to it; and that another error is another cause.
func TestCauseIsSentOnce(t *testing.T) {
	t.Parallel()
	root, _ := traceOf(t, func(ctx context.Context) error {
		err := Step(ctx, "outer", func(ctx context.Context) error {
			err := Step(ctx, "inner", func(context.Context) error { return fmt.Errorf("inside: %w", errTest) })
			return fmt.Errorf("outside: %w", err)
		})
		_ = Step(ctx, "other", func(context.Context) error { return errors.New("another") })
		return errors.Join(errors.New("beside"), err)
	})
	outer, other := root.Subsegments[0], root.Subsegments[1]
	cause := outer.Subsegments[0].Cause.Exceptions[0]
	if cause.Message != "inside: no such luck" || outer.Cause.Ref != cause.ID || root.Cause.Ref != cause.ID || !root.Fault || !outer.Fault {
		t.Errorf("the causes are %+v, %+v, %+v", cause, outer.Cause, root.Cause)
	}
	if other.Cause.Ref != "" || other.Cause.Exceptions[0].Message != "another" {
		t.Errorf("the other cause is %+v", other.Cause)
	}
}

// TestExpectedErrors proves that an error which calls itself an answer is returned and marks nothing.
func TestExpectedErrors(t *testing.T) {
	t.Parallel()
	root, end := traceOf(t, func(ctx context.Context) error {
		_, err := Trace(ctx, "step", func(context.Context) (int, error) { return 3, fmt.Errorf("as said: %w", expected{}) })
		if !errors.Is(err, expected{}) {
			t.Errorf("Trace returned %v", err)
		}
		return nil
	})
	if step := root.Subsegments[0]; step.Fault || step.message() != "" || end != "returned <nil>" {
		t.Errorf("the step is %+v", step)
	}
}

type expected struct{}

func (expected) Error() string  { return "no" }
func (expected) Expected() bool { return true }

// TestSpanBudget proves that of 2,000 spans 200 arrive, in a few datagrams, and the rest as sums by name, counted.
func TestSpanBudget(t *testing.T) {
	t.Parallel()
	calls := 0
	all, out := documents(t, func(ctx context.Context) error {
		for i := range 2000 {
			_ = Step(ctx, fmt.Sprint("step ", i%2), func(context.Context) error {
				if calls++; i%4 == 0 {
					return errTest
				}
				return nil
			})
		}
		return nil
	})
	if n := count(all); n != maxSpans || len(all) > 5 || calls != 2000 {
		t.Errorf("%d spans came in %d datagrams, %d steps were done", n, len(all), calls)
	}
	root := all[len(all)-1]
	dropped, _ := root.Metadata["default"]["spansDropped"].(map[string]any)
	first, _ := dropped["step 0"].(map[string]any)
	second, _ := dropped["step 1"].(map[string]any)
	if first["spans"].(float64)+second["spans"].(float64) != 1801 || first["failed"] != 450.0 || second["failed"] != 0.0 {
		t.Errorf("the rest is %v", dropped)
	}
	if _, metrics := decodeLines(t, out.Bytes()); metrics[0]["SpansDropped"] != 1801.0 {
		t.Errorf("the metric lines are %v", metrics)
	}
}

// TestLogLinesAreBounded proves that a line is JSON and under 200 KB, whatever is logged.
func TestLogLinesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x01\"é", 30_000)
	many := map[string]any{}
	var attrs []any
	for i := range 1500 {
		many[fmt.Sprint(i)] = long
		attrs = append(attrs, fmt.Sprint("key", i), long[:1000])
	}
	logs, _, _ := run(t, context.Background(), func(ctx context.Context) error {
		Log(ctx).Info(long, long, long)
		Log(ctx).Info("map", "a", many, "b", []any{many, many})
		Log(ctx).Info("attributes", attrs...)
		Log(ctx).Info("joined", "error", errors.Join(errors.New(long), errors.New(long)))
		Log(ctx).With(attrs...).WithGroup("g").With(attrs...).Info("with")
		return nil
	})
	if len(logs) != 5 {
		t.Fatalf("%d lines", len(logs))
	}
	for _, l := range logs {
		if l["timestamp"] == nil || l["level"] != "INFO" || l["message"] == nil {
			t.Errorf("a line lost its head: %.200v", l)
		}
	}
}

// TestKeysComeOnce proves that no key stands twice on a line: not ours, not a property's, not one that is given again,
// at any depth; the last value counts, and ours can't be taken.
func TestKeysComeOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
		SetProperty(ctx, "connectionId", "property")
		log := Log(ctx).With("level", "mine", "requestId", "mine", "a", 1)
		log.Info("first", "a", 2, "connectionId", "attribute", "timestamp", "mine", "message", "mine", "time", "kept", "msg", "kept")
		log.WithGroup("g").With("b", 1).Info("second", "b", 2, slog.Group("c", "d", 1, "d", 2))
		log.Info("third", slog.Group("", "a", 3), slog.Group("g", "x", 1), slog.Group("empty"))
		return nil
	}))(lambdaContext(context.Background(), "r-1", ""), struct{}{})
	logs, _ := decodeLines(t, out.Bytes())
	for i, want := range []map[string]any{
		{"level": "INFO", "requestId": "r-1", "property_level": "mine", "property_requestId": "mine", "a": 2.0, "connectionId": "attribute", "message": "first", "time": "kept"},
		{"a": 1.0, "connectionId": "property", "g": map[string]any{"b": 2.0, "c": map[string]any{"d": 2.0}}},
		{"a": 3.0, "g": map[string]any{"x": 1.0}, "empty": nil},
	} {
		for key, value := range want {
			if fmt.Sprint(logs[i][key]) != fmt.Sprint(value) {
				t.Errorf("line %d: %s is %v, want %v", i, key, logs[i][key], value)
			}
		}
	}
	for line := range strings.Lines(out.String()) {
		for _, key := range []string{"level", "requestId", "a", "b", "d", "connectionId", "message", "timestamp"} {
			if n := strings.Count(line, `"`+key+`":`); n > 1 {
				t.Errorf("%s stands %d times in %s", key, n, line)
			}
		}
	}
}

// TestCountersRefuse proves that a counter takes no negative value and that a sum can't leave what CloudWatch takes.
func TestCountersRefuse(t *testing.T) {
	t.Parallel()
	logs, metrics, _ := run(t, context.Background(), func(ctx context.Context) error {
		Add(ctx, catalogue.PostsDelivered, 2)
		Add(ctx, catalogue.PostsDelivered, -1)
		Add(ctx, catalogue.PostsGone, math.Ldexp(1, 360))
		Add(ctx, catalogue.PostsGone, math.Ldexp(1, 359))
		Add(ctx, catalogue.OnlineUsers, -3)
		return nil
	})
	m := metrics[0]
	if m["PostsDelivered"] != 2.0 || m["PostsGone"] != math.Ldexp(1, 360) || m["OnlineUsers"] != -3.0 || len(logs) != 2 {
		t.Errorf("the metrics are %v, the lines %v", m, logs)
	}
}

// TestPropertyTooMany proves that the 33rd property is dropped loudly, once, and that properties can be taken back.
func TestPropertyTooMany(t *testing.T) {
	t.Parallel()
	logs, metrics, _ := run(t, context.Background(), func(ctx context.Context) error {
		for i := range maxProperties + 3 {
			SetProperty(ctx, fmt.Sprint("key", i), "x")
		}
		ResetProperties(ctx, "key0", "key1")
		SetProperty(ctx, "late", "x")
		return nil
	})
	if len(logs) != 1 || logs[0]["level"] != "WARN" || logs[0]["property"] != "key32" {
		t.Errorf("the lines are %v", logs)
	}
	if m := metrics[0]; m["key0"] != nil || m["key31"] != "x" || m["key32"] != nil || m["late"] != "x" {
		t.Errorf("the metrics are %v", m)
	}
}

// TestZeros proves that metrics that ratios need are written in any case, once.
func TestZeros(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := New("authorizer", testSettings, &out)
	f.tracer = nil
	_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
		Add(ctx, catalogue.TokensRejected, 1)
		from(ctx).flush()
		return nil
	}))(context.Background(), struct{}{})
	if _, metrics := decodeLines(t, out.Bytes()); len(metrics) != 1 || metrics[0]["TokensAccepted"] != 0.0 || metrics[0]["TokensRejected"] != 1.0 {
		t.Errorf("the metrics are %v", metrics)
	}
}

// batchAnswer is an answer as aws-lambda-go's batch responses are.
type batchAnswer struct {
	BatchItemFailures []struct{ ItemIdentifier string }
}

// TestPartialBatch proves that records which an answer asks to have again are counted, that the invocation counts as
// failed, and that its trace says so; and that an answer without failures does none of that.
func TestPartialBatch(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]any{0: {nil, nil, "ok", nil}, 3: {3.0, 1.0, "partial", 3.0}} {
		d := newDaemon(t)
		var out bytes.Buffer
		f := d.function(t, testSettings, &out)
		_, _ = Wrap(f, func(context.Context, struct{}) (batchAnswer, error) {
			return batchAnswer{make([]struct{ ItemIdentifier string }, n)}, nil
		})(lambdaContext(context.Background(), "r-1", sampledTrace), struct{}{})
		_, metrics := decodeLines(t, out.Bytes())
		root := d.segments(t)[0]
		got := []any{metrics[0]["RecordsFailed"], metrics[0]["HandlerErrors"], root.Annotations["outcome"], root.Annotations["recordsFailed"]}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("with %d failures: %v, want %v", n, got, want)
		}
	}
}

// TestProvisionedIsNotCold proves that an environment that was started ahead of time makes nobody wait.
func TestProvisionedIsNotCold(t *testing.T) {
	for kind, want := range map[string]any{"on-demand": 1.0, "provisioned-concurrency": nil, "": 1.0} {
		t.Setenv("AWS_LAMBDA_INITIALIZATION_TYPE", kind)
		var out bytes.Buffer
		f := newUntraced("send", testSettings, &out)
		_, _ = Wrap(f, ignoring(func(ctx context.Context) error { Add(ctx, catalogue.PostsGone, 1); return nil }))(context.Background(), struct{}{})
		if _, metrics := decodeLines(t, out.Bytes()); metrics[0]["ColdStarts"] != want {
			t.Errorf("%q: ColdStarts is %v", kind, metrics[0]["ColdStarts"])
		}
	}
}

// TestAnnotations proves that numbers and bools stay what they are, so that X-Ray can compare them.
func TestAnnotations(t *testing.T) {
	t.Parallel()
	root, _ := traceOf(t, func(ctx context.Context) error {
		Annotate(ctx, "n", 3)
		Annotate(ctx, "share", 0.5)
		Annotate(ctx, "nan", nan())
		Annotate(ctx, "yes", true)
		Annotate(ctx, "userId", 1234)
		Describe(ctx, "batch", []int{1, 2})
		return nil
	})
	for key, want := range map[string]any{"n": 3.0, "share": 0.5, "nan": "NaN", "yes": true, "userId": HashUser("1234")} {
		if root.Annotations[key] != want {
			t.Errorf("%s is %v, want %v", key, root.Annotations[key], want)
		}
	}
	if fmt.Sprint(root.Metadata["default"]["batch"]) != "[1 2]" {
		t.Errorf("the metadata is %v", root.Metadata)
	}
}

// TestCorrelation proves that a line carries the id by which the event's sender knows it.
func TestCorrelation(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]any{
		`{"requestContext":{"requestId":"gateway"},"id":"x"}`: "gateway",
		`{"Records":[{"messageId":"message"}]}`:               "message",
		`{"Records":[{"eventID":"record"}]}`:                  "record",
		`{"Records":[{"messageId":"a"},{"messageId":"b"}]}`:   nil,
		`{"id":"scheduled"}`:                                  "scheduled",
		`[]`:                                                  nil,
	} {
		var out bytes.Buffer
		f := newUntraced("send", testSettings, &out)
		_, _ = Wrap(f, func(ctx context.Context, _ []byte) (struct{}, error) { Log(ctx).Info("hello"); return struct{}{}, nil })(context.Background(), []byte(event))
		if logs, _ := decodeLines(t, out.Bytes()); logs[0]["correlationId"] != want {
			t.Errorf("%s: the id is %v, want %v", event, logs[0]["correlationId"], want)
		}
	}
}
