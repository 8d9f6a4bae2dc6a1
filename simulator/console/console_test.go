package console

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/loopback"
	"heliograph/simulator/sqs"
	"heliograph/simulator/xray"
)

// stack is a console over services with nothing in them, but for what a test puts there.
type stack struct {
	Options
	mux *http.ServeMux
}

func newStack(t *testing.T, app App) stack {
	t.Helper()
	traces, err := xray.Listen(xray.Options{Traces: 200})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = traces.Close() })
	watch := cloudwatch.New(cloudwatch.Options{})
	s := stack{mux: http.NewServeMux(), Options: Options{
		Ending: t.Context(), Started: time.Now(), Watch: watch, Traces: traces,
		APIs:       gateway.New(gateway.Options{Region: "us-east-1", Account: "000000000000"}),
		Queues:     sqs.New(sqs.Options{Region: "us-east-1", Account: "000000000000", Endpoint: "http://127.0.0.1"}),
		Faults:     fault.New(map[fault.Service][]string{fault.SNS: {"Publish"}}),
		Alarms:     alarm.New(watch, alarm.Options{Region: "us-east-1", Account: "000000000000"}),
		Dashboards: func() map[string]string { return map[string]string{"board": boardBody} },
		App:        app,
	}}
	Register(s.mux, s.Options)
	return s
}

// do sends a request, and reads the JSON of the answer.
func (s stack) do(t *testing.T, method, path, body string, to any, headers ...string) int {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:4700"+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	loopback.Names(nil).Guard(loopback.Writes(s.mux)).ServeHTTP(w, r)
	if to != nil {
		if err := json.Unmarshal(w.Body.Bytes(), to); err != nil {
			t.Fatalf("%s %s answered %d %s", method, path, w.Code, w.Body)
		}
	}
	return w.Code
}

const boardBody = `{"widgets":[
 {"type":"text","x":0,"y":0,"width":24,"height":1,"properties":{"markdown":"## Head"}},
 {"type":"metric","x":0,"y":1,"width":12,"height":6,"properties":{"title":"Posts","stat":"Sum","period":60,"view":"timeSeries",
  "metrics":[["N","Good","Stage","local",{"id":"g","label":"good","visible":false}],[".","Bad",".",".",{"id":"b"}],["...",{"stat":"Maximum","label":"most","yAxis":"right"}],
   [{"expression":"100*FILL(b,0)/(FILL(g,0)+FILL(b,0))","label":"share","id":"e"}]]}},
 {"type":"log","x":0,"y":7,"width":24,"height":6,"properties":{"title":"Errors","query":"SOURCE '/aws/lambda/send' | fields @timestamp, message, cause.type | filter level = 'ERROR' and message like /went wrong|broke/ | sort @timestamp desc | limit 1"}}]}`

// TestDashboardIsDrawnFromItsBody proves that shorthand, hidden rows, expressions, axes and log queries mean what they do on
// AWS.
func TestDashboardIsDrawnFromItsBody(t *testing.T) {
	t.Parallel()
	s := newStack(t, App{})
	at := time.Now().Add(-2 * time.Minute).Truncate(time.Minute)
	for name, v := range map[string]float64{"Good": 30, "Bad": 10} {
		err := s.Watch.PutMetric(cloudwatch.Datum{Namespace: "N", Name: name, Dimensions: []cloudwatch.Dimension{{Name: "Stage", Value: "local"}}, Value: v, Time: at})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Watch.Ingest("/aws/lambda/send", "s", `{"level":"ERROR","message":"it broke","cause":{"type":"Timeout"}}`, at)
	s.Watch.Ingest("/aws/lambda/send", "s", `{"level":"ERROR","message":"something else"}`, at)
	s.Watch.Ingest("/aws/lambda/send", "s", `{"level":"INFO","message":"it broke"}`, at)
	var view dashboardView
	if code := s.do(t, "GET", Data+"/dashboard?minutes=15", "", &view); code != 200 || len(view.Widgets) != 3 {
		t.Fatalf("%d: %+v", code, view)
	}
	graph, log := view.Widgets[1], view.Widgets[2]
	if graph.Error != "" || len(graph.Lines) != 3 {
		t.Fatalf("the graph is %+v", graph)
	}
	for i, want := range []struct {
		label, axis string
		value       float64
	}{{"local Bad", "", 10}, {"most", "right", 10}, {"share", "", 25}} {
		l := graph.Lines[i]
		if l.Label != want.label || l.Axis != want.axis || l.at(graph.Times, at) != want.value {
			t.Errorf("line %d is %s on axis %q with %v; want %+v", i, l.Label, l.Axis, l.at(graph.Times, at), want)
		}
	}
	if log.Error != "" || len(log.Log.Rows) != 1 || log.Log.Rows[0][1] != "it broke" || log.Log.Rows[0][2] != "Timeout" {
		t.Errorf("the log widget is %+v %s", log.Log, log.Error)
	}
}

func (l line) at(times []int64, at time.Time) float64 {
	for i, second := range times {
		if second == at.Unix() && l.Values[i] != nil {
			return *l.Values[i]
		}
	}
	return -1
}

// TestQueriesThatAreNotKnownSaySo proves that a log query is carried out as it says, or not at all.
func TestQueriesThatAreNotKnownSaySo(t *testing.T) {
	t.Parallel()
	for query, says := range map[string]string{
		"SOURCE 'g' | stats count(*) by bin(5m)": "stats is not carried out here",
		"fields @message":                        "names no SOURCE",
		"SOURCE 'g' | filter a ~ b":              "filter a ~ b is not carried out here",
		"SOURCE 'g' | filter a > b":              "compares with no number",
		"SOURCE 'g' | sort level desc":           "only by @timestamp",
	} {
		if _, err := readQuery(query); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", query, err, says)
		}
	}
}

// TestWritesComeFromThePage proves that no other site can change anything: a write needs the header, and an Origin that is
// the stack's own.
func TestWritesComeFromThePage(t *testing.T) {
	t.Parallel()
	sent := 0
	s := newStack(t, App{
		Send:    func(context.Context, string, string) (string, error) { sent++; return "id", nil },
		Presets: []Preset{{Name: "sns down", Rules: []fault.Rule{{Service: fault.SNS, Down: true}}}},
	})
	const own, evil = "http://127.0.0.1:4700", "http://evil.example"
	for _, path := range []string{"/send", "/presets/sns%20down", "/queues/q/redrive", "/connections/c/close"} {
		for name, headers := range map[string][]string{
			"without the header": {"Origin", own}, "from another site": {"Origin", evil},
			"from another port": {loopback.WriteHeader, "1", "Origin", "http://127.0.0.1:4701"}, "from no site": {loopback.WriteHeader, "1", "Origin", "null"},
			"from another site with the header": {loopback.WriteHeader, "1", "Origin", evil},
		} {
			if code := s.do(t, "POST", Data+path, `{"user":"u","body":"b"}`, nil, headers...); code != 403 {
				t.Errorf("%s %s: %d", path, name, code)
			}
		}
	}
	if n := len(s.Faults.List()); sent != 0 || n != 0 {
		t.Errorf("%d messages were sent, %d faults added", sent, n)
	}
	if code := s.do(t, "POST", Data+"/send", `{"user":"u","body":"b"}`, nil, loopback.WriteHeader, "1", "Origin", own); code != 200 || sent != 1 {
		t.Errorf("the page's own request: %d", code)
	}
}

// TestSilentAlarmsAreNotCounted proves that an alarm which is only part of another's condition, and so may fire on a healthy
// stack, is neither among the firing ones nor among those that could.
func TestSilentAlarmsAreNotCounted(t *testing.T) {
	t.Parallel()
	s := newStack(t, App{})
	for severity, name := range map[string]string{"page": "loud", "none": "part"} {
		err := s.Alarms.PutMetric(alarm.MetricAlarm{
			Name: name, Description: "It fires. Severity: " + severity + ".", Missing: "breaching", EvaluationPeriods: 1,
			Metric: &cloudwatch.MetricStat{Namespace: "N", Name: "M", Stat: "Sum"}, Period: time.Minute, Comparison: "GreaterThanThreshold",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Alarms.Evaluate(t.Context(), time.Now().Add(5*time.Minute))
	var p pulse
	s.do(t, "GET", Data+"/pulse", "", &p)
	if strings.Join(p.Firing, " ") != "loud" || p.Alarms != 1 {
		t.Errorf("%d alarms, of which %v fire; want 1, and loud", p.Alarms, p.Firing)
	}
	var list []alarmRow
	s.do(t, "GET", Data+"/alarms", "", &list)
	if len(list) != 2 || list[0].State != alarm.Alarming || list[1].State != alarm.Alarming {
		t.Errorf("the list is %v; want both, firing", list)
	}
}

// TestPageIsLocked proves what the browser is told to allow, on the page and on each asset, and that all of it is small.
func TestPageIsLocked(t *testing.T) {
	t.Parallel()
	const budget = 120 << 10
	s, total := newStack(t, App{}), 0
	err := fs.WalkDir(embedded, "assets", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, httptest.NewRequest("GET", Path+strings.TrimPrefix(path, "assets"), nil))
		if h := w.Header(); w.Code != 200 || h.Get("Content-Security-Policy") != policy || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		if !strings.HasSuffix(path, ".LICENSE") { // no browser asks for these
			total += w.Body.Len()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > budget {
		t.Errorf("the page and its assets are %d bytes; the budget is %d", total, budget)
	}
}

// TestRoutineTracesCrowdNothingOut proves that a trace stays in the store and in the list however many routine ones there
// are, and that these are there for those who ask.
func TestRoutineTracesCrowdNothingOut(t *testing.T) {
	t.Parallel()
	s := newStack(t, App{Background: func(name string) bool { return name == "sweep" }})
	put := func(n int, name string) {
		doc := `{"name":"` + name + `","id":"` + digits(n, 16) + `","trace_id":"1-00000000-` + digits(n, 24) + `","start_time":1,"end_time":2}`
		if err := s.Traces.Put([]byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	put(1, "send")
	for n := range 1000 {
		put(n+2, "sweep")
	}
	var list traceList
	s.do(t, "GET", Data+"/traces", "", &list)
	if len(list.Traces) != 1 || list.Traces[0].Name != "send" || list.Hidden != 199 {
		t.Errorf("%d traces are listed, %d hidden", len(list.Traces), list.Hidden)
	}
	s.do(t, "GET", Data+"/traces?background=1", "", &list)
	if len(list.Traces) != tracesShown {
		t.Errorf("with the routine ones, %d are listed", len(list.Traces))
	}
}

func digits(n, width int) string {
	text := strings.Repeat("0", width)
	for i := width - 1; n > 0; i-- {
		text = text[:i] + string("0123456789abcdef"[n%16]) + text[i+1:]
		n /= 16
	}
	return text
}
