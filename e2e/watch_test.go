package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"heliograph/local"
	"heliograph/simulator/cloud"
	"heliograph/simulator/fault"
	"heliograph/simulator/loopback"
)

// watched is a separate stack whose sweep is observed from outside.
type watched struct {
	endpoints local.Endpoints
	counter   fault.ID // a harmless fault that counts the calls of GetConnection
}

func watch(t *testing.T, endpoints local.Endpoints) watched {
	t.Helper()
	w := watched{endpoints: endpoints}
	w.counter = w.inject(t, fault.Rule{Service: fault.Connections, Action: "GetConnection", Latency: fault.Fixed(1)})
	return w
}

// holdOffSweep kills each sweep at its start until the fault is removed, so that the first effective sweep finds
// everything that the test has prepared.
func (w watched) holdOffSweep(t *testing.T) fault.ID {
	t.Helper()
	return w.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-sweep", Kill: true, Latency: fault.Fixed(1)})
}

// holdOffAnnounce keeps changes from announce for good: they come from a seeder, whose users may have no connections,
// and announcing a hundred thousand of them would take all of the machine's time.
func (w watched) holdOffAnnounce(t *testing.T) {
	t.Helper()
	w.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-announce", Down: true})
}

// observed is the work that the sweep has done up to a moment.
type observed struct {
	at              time.Time
	looks           int           // calls of GetConnection
	runs, errors    float64       // completed runs, and those that failed
	longest         time.Duration // longest run
	closed, renewed float64       // connections
	peak            float64       // memory of the function's process, in MB
}

func (w watched) now(t *testing.T) observed {
	t.Helper()
	o := observed{at: time.Now(), looks: w.hits(t, w.counter)}
	runs := w.metric(t, "Duration", "FunctionName=heliograph-local-sweep")
	o.runs, o.longest = runs.Count, time.Duration(runs.Max*float64(time.Millisecond))
	o.errors = w.metric(t, "Errors", "FunctionName=heliograph-local-sweep").Sum
	o.closed, o.renewed = w.metric(t, "ConnectionsClosed", "Stage=local").Sum, w.metric(t, "LeasesRenewed", "Stage=local").Sum
	for _, process := range children(t, w.endpoints) {
		environment, err := os.ReadFile(filepath.Join(process, "environ"))
		if err != nil || !bytes.Contains(environment, []byte("AWS_LAMBDA_FUNCTION_NAME=heliograph-local-sweep")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			t.Fatal(err)
		}
		o.peak = memory(t, pid, "VmHWM")
	}
	return o
}

// run observes every half second until a condition holds, for at most the minute until the next sweep and its time-out.
func (w watched) run(t *testing.T, began observed, until func(observed) bool) (seen []observed) {
	t.Helper()
	for late := time.After(2 * time.Minute); ; {
		now := w.now(t)
		now.peak = max(now.peak, began.peak)
		began = now
		if seen = append(seen, now); until(now) {
			return seen
		}
		select {
		case <-late:
			t.Fatalf("nothing came of the sweep: %+v", now)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// mostIn returns the highest rate of GetConnection calls in any time span, per second.
func mostIn(seen []observed, span time.Duration) (most float64) {
	for i, first := range seen {
		for _, last := range seen[i:] {
			if took := last.at.Sub(first.at); took >= span {
				most = max(most, float64(last.looks-first.looks)/took.Seconds())
				break
			}
		}
	}
	return most
}

// metric returns a metric's values since the stack was started; zero if it has none.
func (w watched) metric(t *testing.T, name, dimensions string) cloud.MetricSummary {
	t.Helper()
	var list []cloud.MetricSummary
	w.ask(t, http.MethodGet, cloud.MetricsPath, nil, &list)
	for _, m := range list {
		if m.Name == name && m.Dimensions == dimensions {
			return m
		}
	}
	return cloud.MetricSummary{}
}

func (w watched) inject(t *testing.T, r fault.Rule) fault.ID {
	t.Helper()
	var added fault.Status
	w.ask(t, http.MethodPost, cloud.FaultsPath, r, &added)
	return added.ID
}

func (w watched) remove(t *testing.T, id fault.ID) {
	t.Helper()
	w.ask(t, http.MethodDelete, cloud.FaultsPath+"/"+string(id), nil, nil)
}

// hits counts the hits of a fault.
func (w watched) hits(t *testing.T, id fault.ID) int {
	t.Helper()
	var list []fault.Status
	w.ask(t, http.MethodGet, cloud.FaultsPath, nil, &list)
	for _, f := range list {
		if f.ID == id {
			return f.Hits
		}
	}
	t.Fatalf("the fault %s is gone", id)
	return 0
}

// ask calls the simulator's own API.
func (w watched) ask(t *testing.T, method, path string, in, out any) {
	t.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), method, w.endpoints.AWSEndpointURL+path, &body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(loopback.WriteHeader, w.endpoints.AccessKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode > 299 {
		t.Fatalf("%s %s: %s %s %v", method, path, response.Status, answer, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}
