package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/xray"
	"github.com/google/go-cmp/cmp"
)

// queuedAt is when the message of these tests was queued.
var queuedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fakeAWS answers, over HTTP, the calls of Logs Insights and X-Ray about one log group.
type fakeAWS struct {
	group  string
	lines  []string          // log lines
	traces map[string]string // segment documents by trace id
	status string            // of queries that have ended

	mu      sync.Mutex
	queries []string // by query id, which is the index
	polls   int
	batches []int // how many traces each call asked for
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var in map[string]any
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	answer := map[string]func(map[string]any) any{
		"StartQuery": f.startQuery, "GetQueryResults": f.queryResults, "/TraceSummaries": f.summaries, "/Traces": f.batch,
	}[action+strings.TrimSuffix(r.URL.Path, "/")]
	if answer == nil {
		http.Error(w, "unknown: "+action+r.URL.Path, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer(in))
}

func (f *fakeAWS) startQuery(in map[string]any) any {
	query := fmt.Sprint(in["queryString"])
	if fmt.Sprint(in["logGroupNames"]) != "["+f.group+"]" || in["startTime"] != float64(queuedAt.Add(-time.Hour).Unix()) {
		query = "" // another group or another time: nothing is found
	}
	f.queries = append(f.queries, query)
	return map[string]any{"queryId": fmt.Sprint(len(f.queries) - 1)}
}

// queryResults lets a query run for one poll, and then finds the lines that have one of its ids.
func (f *fakeAWS) queryResults(in map[string]any) any {
	if f.polls++; f.polls%2 == 1 {
		return map[string]any{"status": "Running", "results": []any{}}
	}
	var index int
	_, _ = fmt.Sscan(fmt.Sprint(in["queryId"]), &index)
	results := []any{}
	for _, line := range f.lines {
		var l struct{ MessageID, ID string }
		_ = json.Unmarshal([]byte(line), &l)
		if q := f.queries[index]; strings.Contains(q, fmt.Sprintf("messageId = %q", l.MessageID)) || l.ID != "" && strings.Contains(q, fmt.Sprintf("or id = %q", l.ID)) {
			results = append(results, []any{map[string]any{"field": "@message", "value": line}, map[string]any{"field": "@ptr", "value": "x"}})
		}
	}
	return map[string]any{"status": f.status, "results": results}
}

// summaries finds a trace on each page.
func (f *fakeAWS) summaries(in map[string]any) any {
	var found []string
	for id, document := range f.traces {
		var names []string
		for _, part := range strings.Split(document, `"messageId":"`)[1:] {
			names = append(names, part[:strings.Index(part, `"`)])
		}
		if slices.ContainsFunc(names, func(name string) bool {
			return strings.Contains(fmt.Sprint(in["FilterExpression"]), fmt.Sprintf("annotation.messageId = %q", name))
		}) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	page := 0
	_, _ = fmt.Sscan(fmt.Sprint(in["NextToken"]), &page)
	out := map[string]any{"TraceSummaries": []any{}}
	if page < len(found) {
		out["TraceSummaries"] = []any{map[string]any{"Id": found[page]}}
	}
	if page+1 < len(found) {
		out["NextToken"] = fmt.Sprint(page + 1)
	}
	return out
}

func (f *fakeAWS) batch(in map[string]any) any {
	ids := in["TraceIds"].([]any)
	f.batches = append(f.batches, len(ids))
	traces := []any{}
	for _, id := range ids {
		traces = append(traces, map[string]any{"Id": id, "Segments": []any{map[string]any{"Id": "s", "Document": f.traces[id.(string)]}}})
	}
	return map[string]any{"Traces": traces}
}

// deployed returns a reader of this AWS.
func (f *fakeAWS) deployed(t *testing.T) deployed {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
	return deployed{
		logs: cloudwatchlogs.NewFromConfig(cfg), traces: xray.NewFromConfig(cfg), group: "/aws/lambda/heliograph-dev-send",
		from: queuedAt.Add(-time.Hour), to: queuedAt.Add(time.Hour), every: time.Millisecond,
	}
}

// attempted is a segment document of send that holds an attempt of a message.
func attempted(id string, n, second int, outcome string, status int) string {
	at := queuedAt.Unix() + int64(second)
	return fmt.Sprintf(`{"id":"s","name":"send","trace_id":"t","start_time":%d,"end_time":%d,"subsegments":[{"id":"m","name":"message","start_time":%d,"end_time":%d,
		"annotations":{"messageId":"%s","attempt":%d,"outcome":%q,"sentAt":%d},"subsegments":[{"id":"p","name":"ApiGatewayManagementApi","start_time":%d,"end_time":%d,
		"aws":{"operation":"PostToConnection","connection_id":"c1"},"http":{"response":{"status":%d}}}]}]}`,
		at, at+1, at, at+1, id, n, outcome, queuedAt.UnixMilli(), at, at, status)
}

func newFakeAWS() *fakeAWS {
	return &fakeAWS{
		group: "/aws/lambda/heliograph-dev-send", status: "Complete",
		lines: []string{
			`{"timestamp":"2026-01-02T03:04:06Z","message":"follow-up queued","messageId":"m1","id":"order-7","traceId":"t1","attempt":1,"outcome":"failed","cause":"429","owed":1,"delaySeconds":5,"queuedAs":["m2"]}`,
			`{"timestamp":"2026-01-02T03:04:06Z","message":"message dead-lettered","messageId":"other","attempt":3,"outcome":"failed"}`,
		},
		traces: map[string]string{
			"t1": attempted("m1", 1, 1, "failed", 429), "t2": attempted("m2", 2, 7, "delivered", 200), "t3": attempted("other", 1, 1, "expired", 200),
		},
	}
}

// TestDeployedJourney proves that the journey of a message in a deployed stack follows its follow-ups, whose ids only log
// lines name, and ends with what only a trace tells; by either of its ids, and without other messages.
func TestDeployedJourney(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"m1", "order-7"} {
		f := newFakeAWS()
		j, err := f.deployed(t).tell(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var steps []string
		for _, s := range j.Steps {
			steps = append(steps, fmt.Sprintf("%s %d %s", s.Status, s.Attempt, s.MessageID))
		}
		if text := fmt.Sprint(j); j.Outcome != "delivered" || !strings.Contains(text, "m2") || strings.Contains(text, "other") || len(steps) < 4 {
			t.Errorf("of %s was told %+v", id, j)
		}
		if diff := cmp.Diff(true, slices.ContainsFunc(f.queries, func(q string) bool { return strings.Contains(q, `messageId = "m2"`) })); diff != "" {
			t.Errorf("the follow-up was not looked for: %q", f.queries)
		}
	}
}

// TestDeployedJourneyOfManyTraces proves that traces are read in batches that X-Ray takes.
func TestDeployedJourneyOfManyTraces(t *testing.T) {
	t.Parallel()
	f := newFakeAWS()
	for n := range 9 {
		f.traces[fmt.Sprint("more-", n)] = attempted("m2", n+3, n+8, "delivered", 200)
	}
	if _, err := f.deployed(t).tell(t.Context(), "m1"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{5, 5, 1}, f.batches); diff != "" {
		t.Error(diff)
	}
}

// TestDeployedJourneyFails proves that a failed query, a broken document and an id that can't be searched for are errors.
func TestDeployedJourneyFails(t *testing.T) {
	t.Parallel()
	for want, arrange := range map[string]func(*fakeAWS) string{
		"the query ended as Failed": func(f *fakeAWS) string { f.status = "Failed"; return "m1" },
		"segment":                   func(f *fakeAWS) string { f.traces["t1"] = `{"messageId":"m1"`; return "m1" },
		"can't be searched for":     func(*fakeAWS) string { return `m1" or 1=1` },
	} {
		f := newFakeAWS()
		id := arrange(f)
		if _, err := f.deployed(t).tell(t.Context(), id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}
