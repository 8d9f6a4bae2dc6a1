package local

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/simulator/lambda"
)

// TestNothingIsLeft proves that a used and stopped stack leaves no goroutine behind. It runs alone, so that all
// goroutines of the simulator are its own.
func TestNothingIsLeft(t *testing.T) {
	before := ownGoroutines()
	s, err := Start(t.Context(), Options{Root: ".", EndpointsFile: filepath.Join(t.TempDir(), "local.json"), Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	socket, _, err := websocket.Dial(t.Context(), s.Endpoints().WebSocketURL+"?Authorization=nonsense", nil)
	if err == nil {
		socket.CloseNow()
		t.Error("a connection was opened with a bad token")
	}
	if during := ownGoroutines(); during <= before {
		t.Errorf("%d goroutines run, %d did before: the test counts the wrong ones", during, before)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ownGoroutines() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines are left:\n%s", ownGoroutines()-before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// ownGoroutines counts the goroutines that the simulator has started.
func ownGoroutines() int {
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Count(string(stacks), "created by heliograph/simulator")
}

// TestEndpointsFile proves that a written file can be read back, and that a missing address is an error that names the
// address.
func TestEndpointsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "local.json")
	want := Endpoints{
		Outputs: heliograph.Outputs{WebSocketURL: "ws://x/local", HTTPURL: "http://x", SendQueueURL: "http://x/q", Region: "us-east-1", ParameterPrefix: "/p"},
		PID:     1,
	}
	if err := want.write(file); err != nil {
		t.Fatal(err)
	}
	got, err := ReadEndpoints(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want.HTTPURL = ""
	if err := want.write(file); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadEndpoints(file); err == nil || !strings.Contains(err.Error(), "httpUrl is missing") {
		t.Errorf("got %v", err)
	}
}

// TestReadable proves that the functions' logs are printed in a form that people can read, and that other lines stay
// unchanged.
func TestReadable(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"START RequestId: 1": "START RequestId: 1",
		`{"timestamp":"t","level":"WARN","message":"slow","requestId":"r","connectionId":"c=","n":2}`: "WARN  slow connectionId=c= n=2",
		`{"_aws":{"Timestamp":1},"Stage":"local","PostsDelivered":2}`:                                 "METRICS PostsDelivered=2 Stage=local",
		`{"no":"level"}`: `{"no":"level"}`,
	} {
		if got := readable(line); got != want {
			t.Errorf("readable(%s) = %q, want %q", line, got, want)
		}
	}
}

// TestLogsAreOneLineEach proves that an id with a line break can't pretend to be a log line or a problem of its own, nor
// command a terminal.
func TestLogsAreOneLineEach(t *testing.T) {
	t.Parallel()
	const evil = "a\n12:00:00.000 send ERROR all is lost\r\x1b[2J\u0085\u2028\u202e\x00"
	entry, err := json.Marshal(map[string]any{"level": "INFO", "message": evil, "id": evil, evil: evil, "nested": map[string]any{"id": evil}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	printer := &terminal{progress: &out, logs: &out}
	for _, text := range []string{string(entry), evil, `{"_aws":{},"id":"x\ny"}`} {
		out.Reset()
		printer.log(lambda.LogLine{Function: "heliograph-local-send", Text: text})
		printer.problem(text)
		if printed := out.String(); strings.Count(printed, "\n") != 2 || strings.ContainsFunc(printed, func(r rune) bool { return r != '\n' && !strconv.IsPrint(r) }) {
			t.Errorf("%q is printed as %q", text, printed)
		}
	}
}
