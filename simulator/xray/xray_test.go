package xray

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-xray-sdk-go/v2/strategy/sampling"
	sdk "github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	code := m.Run()
	all := make([]byte, 1<<20)
	all = all[:runtime.Stack(all, true)]
	if strings.Contains(string(all), "xray.(*Daemon).receive") {
		fmt.Fprintln(os.Stderr, "a daemon outlives the tests")
		code = 1
	}
	os.Exit(code)
}

// daemon is a Daemon whose rejections fail the test, unless it reads them.
func daemon(t *testing.T, o Options) *Daemon {
	t.Helper()
	if o.Rejected == nil {
		o.Rejected = func(reason string) { t.Errorf("rejected: %s", reason) }
	}
	d, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// await waits until a trace has that many segments.
func await(t *testing.T, d *Daemon, segments int) Trace {
	t.Helper()
	for range 1000 {
		if all := d.Traces(1); len(all) == 1 && all[0].Segments >= segments {
			trace, _ := d.Trace(all[0].ID)
			return trace
		}
		time.Sleep(5 * time.Millisecond) // the arrival of a datagram can't be observed
	}
	t.Fatalf("the traces are %+v", d.Traces(0))
	return Trace{}
}

type always struct{}

func (always) ShouldTrace(*sampling.Request) *sampling.Decision {
	return &sampling.Decision{Sample: true}
}

// TestSegmentsOfTheSDK proves that segments sent by the real SDK are parsed.
func TestSegmentsOfTheSDK(t *testing.T) {
	d := daemon(t, Options{}) // not parallel: the SDK has one global configuration
	if err := sdk.Configure(sdk.Config{DaemonAddr: d.Address(), SamplingStrategy: always{}}); err != nil {
		t.Fatal(err)
	}
	ctx, root := sdk.BeginSegment(context.Background(), "send")
	_ = sdk.Capture(ctx, "query", func(ctx context.Context) error {
		_ = sdk.AddAnnotation(ctx, "outcome", "delivered")
		_ = sdk.AddMetadata(ctx, "key", map[string]int{"a": 1})
		return sdk.Capture(ctx, "inner", func(context.Context) error { return errors.New("no luck") })
	})
	root.Close(nil)

	trace := await(t, d, 3)
	if trace.Name != "send" || trace.ID != TraceID(root.TraceID) || !trace.Fault || trace.Annotations["outcome"] != "delivered" || trace.Duration <= 0 {
		t.Errorf("the trace is %+v", trace.Summary)
	}
	if got := tree(trace.Roots); got != "send(query!(inner!))" {
		t.Errorf("the tree is %s", got)
	}
	inner := trace.Roots[0].Children[0].Children[0]
	if !strings.Contains(string(inner.Cause), "no luck") || inner.ID == "" || inner.End.Before(inner.Start) {
		t.Errorf("the inner segment is %+v", inner)
	}
	if !strings.Contains(string(trace.Roots[0].Children[0].Metadata), `"a":1`) {
		t.Errorf("the metadata is %s", trace.Roots[0].Children[0].Metadata)
	}
}

// tree formats segments as name(children), with ! for a fault and … for one in progress.
func tree(segments []*Segment) string {
	var all []string
	for _, s := range segments {
		one := s.Name
		if s.Fault {
			one += "!"
		}
		if s.InProgress {
			one += "…"
		}
		if len(s.Children) > 0 {
			one += "(" + tree(s.Children) + ")"
		}
		all = append(all, one)
	}
	return strings.Join(all, " ")
}

const trace1 = "1-5759e988-bd862e3fe1be46a994272793"

// segment is a document; more adds members.
func segment(name, id, parent string, start int, more string) string {
	if parent != "" {
		more += `,"parent_id":"` + parent + `"`
	}
	if !strings.Contains(more, "in_progress") {
		more += fmt.Sprintf(`,"end_time":%d`, start+10)
	}
	return fmt.Sprintf(`{"name":%q,"id":%q,"trace_id":%q,"start_time":%d%s}`, name, id, trace1, start, more)
}

const (
	a = "000000000000000a"
	b = "000000000000000b"
	c = "000000000000000c"
	e = "000000000000000e"
)

func TestTreeOfATrace(t *testing.T) {
	t.Parallel()
	nested := fmt.Sprintf(`,"subsegments":[{"name":"nested","id":%q,"start_time":3,"end_time":4}]`, e)
	for name, tt := range map[string]struct {
		documents []string
		want      string
	}{
		"in any order":            {[]string{segment("c", c, b, 3, ""), segment("a", a, "", 1, ""), segment("b", b, a, 2, "")}, "a(b(c))"},
		"children by their start": {[]string{segment("a", a, "", 1, ""), segment("late", b, a, 9, ""), segment("early", c, a, 2, "")}, "a(early late)"},
		"without its parent":      {[]string{segment("b", b, a, 2, `,"type":"subsegment"`)}, "b"},
		"nested":                  {[]string{segment("a", a, "", 1, nested)}, "a(nested)"},
		"in progress, then done":  {[]string{segment("a", a, "", 1, `,"in_progress":true`), segment("a", a, "", 1, `,"fault":true`)}, "a!"},
		"done, then in progress":  {[]string{segment("a", a, "", 1, `,"fault":true`), segment("a", a, "", 1, `,"in_progress":true`)}, "a!"},
		"still in progress":       {[]string{segment("a", a, "", 1, `,"in_progress":true`)}, "a…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := daemon(t, Options{})
			for _, doc := range tt.documents {
				if err := d.Put([]byte(doc)); err != nil {
					t.Fatal(err)
				}
			}
			trace, ok := d.Trace(trace1)
			if got := tree(trace.Roots); !ok || got != tt.want {
				t.Errorf("the tree is %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	d := daemon(t, Options{})
	for _, doc := range []string{
		segment("b", b, a, 105, `,"throttle":true,"annotations":{"stage":"dev","n":1}`), segment("a", a, "", 100, `,"error":true,"annotations":{"ok":true}`),
	} {
		if err := d.Put([]byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	want := []Summary{{
		ID: trace1, Name: "a", Start: time.Unix(100, 0).UTC(), Duration: 15 * time.Second, Error: true, Throttle: true, Segments: 2,
		Annotations: map[string]any{"stage": "dev", "n": 1.0, "ok": true},
	}}
	if diff := cmp.Diff(want, d.Traces(0)); diff != "" {
		t.Error(diff)
	}
}

func TestOldTracesGoFirst(t *testing.T) {
	t.Parallel()
	d := daemon(t, Options{Traces: 2})
	for i := range 4 {
		doc := strings.Replace(segment("a", a, "", 1, ""), "5759e988", fmt.Sprintf("5759e98%d", i), 1)
		if err := d.Put([]byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, s := range d.Traces(0) {
		ids = append(ids, string(s.ID[2:10]))
	}
	if diff := cmp.Diff([]string{"5759e983", "5759e982"}, ids); diff != "" {
		t.Error(diff)
	}
	if n := len(d.Traces(1)); n != 1 {
		t.Errorf("%d traces, want the newest one", n)
	}
	if _, ok := d.Trace("1-5759e980-bd862e3fe1be46a994272793"); ok {
		t.Error("the oldest trace is still there")
	}
}

// TestDocumentsThatAreRefused proves that documents that X-Ray refuses are refused, and that the reason is reported.
func TestDocumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := segment("a", a, "", 1, "")
	for name, tt := range map[string]struct{ document, says string }{
		"no JSON":               {good[1:], "not as expected"},
		"odd trace id":          {strings.Replace(good, "1-5759", "2-5759", 1), "the trace id"},
		"no name":               {strings.Replace(good, `"name":"a"`, `"name":""`, 1), "a name has 0"},
		"odd id":                {strings.Replace(good, a, "a", 1), "16 hex digits"},
		"odd parent":            {segment("a", a, "b", 1, ""), "the parent_id"},
		"no start":              {strings.Replace(good, "start_time", "start", 1), "no start_time"},
		"no end":                {strings.Replace(good, "end_time", "end", 1), "no end_time"},
		"orphan":                {segment("a", a, "", 1, `,"type":"subsegment"`), "no parent_id"},
		"annotation of objects": {segment("a", a, "", 1, `,"annotations":{"a":{}}`), "no string, number or boolean"},
		"annotation with a dot": {segment("a", a, "", 1, `,"annotations":{"a.b":1}`), "can't be searched"},
		"nested without name":   {segment("a", a, "", 1, `,"subsegments":[{"id":"`+b+`","start_time":1,"end_time":2}]`), "a name has 0"},
		"over 64 KB":            {segment("a", a, "", 1, `,"metadata":"`+strings.Repeat("x", 64<<10)+`"`), "the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := daemon(t, Options{})
			if err := d.Put([]byte(tt.document)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the error is %v, want %q in it", err, tt.says)
			}
			if n := len(d.Traces(0)); n != 0 {
				t.Errorf("there are %d traces", n)
			}
		})
	}
}

func TestDatagramsThatAreRefused(t *testing.T) {
	t.Parallel()
	rejected := make(chan string, 9)
	d := daemon(t, Options{Rejected: func(reason string) { rejected <- reason }})
	conn, err := net.Dial("udp", d.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for datagram, says := range map[string]string{
		segment("a", a, "", 1, ""): "without a header line",
		`{"format":"xml","version":1}` + "\n" + segment("a", a, "", 1, ""): "the header line",
		`{"format":"json","version":1}` + "\n{}":                           "the trace id",
	} {
		if _, err := conn.Write([]byte(datagram)); err != nil {
			t.Fatal(err)
		}
		if got := <-rejected; !strings.Contains(got, says) {
			t.Errorf("the reason is %q, want %q in it", got, says)
		}
	}
	if _, err := conn.Write([]byte(`{"format": "json", "version": 1}` + "\n" + segment("a", a, "", 1, ""))); err != nil {
		t.Fatal(err)
	}
	await(t, d, 1)
}

func TestListen(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", "nowhere", "192.0.2.1:2000"} {
		if d, err := Listen(Options{Address: address}); err == nil {
			t.Errorf("%s was taken", address)
			_ = d.Close()
		}
	}
	d := daemon(t, Options{})
	if again, err := Listen(Options{Address: d.Address()}); err == nil {
		t.Error("an address in use was taken")
		_ = again.Close()
	}
}
