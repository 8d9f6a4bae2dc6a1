package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figureCPU measures the CPU time of a message in each process that it meets. Unlike a rate, it stays true on a busy
// machine, but for shared caches; so it is also told in round trips over HTTP, measured at the same time.
func figureCPU(t *testing.T) {
	c := newCrowd(t, 1000)
	c.costs(t, 500) // warms up
	trip := roundTrip(t)
	spent := c.costs(t, 1500)
	trip = (trip + roundTrip(t)) / 2
	t.Logf("a round trip over HTTP takes %v of CPU time", trip)
	for _, bound := range []struct {
		process string
		trips   float64
	}{{"simulator", 7}, {"send", 10.5}, {"client", 2.5}} {
		took := spent[bound.process]
		t.Logf("CPU time of a message, %s: %v", bound.process, took)
		report(t, "CPU time of a message, "+bound.process, float64(took)/float64(trip), bound.trips, "round trips")
	}
}

// costs delivers batches of ten messages, and returns the CPU time of a message by process.
func (c crowd) costs(t *testing.T, batches int) map[string]time.Duration {
	t.Helper()
	before := processorTime(t, c.endpoints.AWSEndpointURL, c.endpoints.PID)
	c.deliver(t, batches, batches*10, c.batch)
	spent := processorTime(t, c.endpoints.AWSEndpointURL, c.endpoints.PID)
	for process := range spent {
		spent[process] = (spent[process] - before[process]) / time.Duration(batches*10)
	}
	return spent
}

// roundTrip returns the CPU time of a small JSON request and its answer, client and server together. It takes system
// calls, goroutines, encoders and garbage in about the shares that a message takes.
func roundTrip(t *testing.T) time.Duration {
	t.Helper()
	const trips = 10_000
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]string
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(asked)
	}))
	defer server.Close()
	body, err := json.Marshal(map[string]string{"UserId": userNumber(1), "Body": strings.Repeat("x", 500)})
	if err != nil {
		t.Fatal(err)
	}
	began := ticks(t, os.Getpid())
	for range trips {
		response, err := server.Client().Post(server.URL, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v", response.Status, err)
		}
		response.Body.Close()
	}
	return (ticks(t, os.Getpid()) - began) / trips
}

// processorTime returns the CPU time so far of the simulator, of each function by its short name, and of this process,
// the client.
func processorTime(t *testing.T, endpoint string, simulator int) map[string]time.Duration {
	t.Helper()
	spent := map[string]time.Duration{"simulator": ticks(t, simulator), "client": ticks(t, os.Getpid())}
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		environment, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environment, []byte("AWS_ENDPOINT_URL="+endpoint+"\x00")) {
			continue
		}
		_, name, found := strings.Cut(string(environment), "AWS_LAMBDA_FUNCTION_NAME=")
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		if name, _, _ = strings.Cut(name, "\x00"); found {
			spent[name[strings.LastIndex(name, "-")+1:]] += ticks(t, pid)
		}
	}
	return spent
}

// ticks returns the CPU time of a process, in user and in system mode, to Linux's 10 ms.
func ticks(t *testing.T, pid int) time.Duration {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name in parentheses may contain spaces
	var total time.Duration
	for _, field := range strings.Fields(rest)[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		total += time.Duration(n) * 10 * time.Millisecond
	}
	return total
}
