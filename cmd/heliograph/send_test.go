package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/local"
	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// TestSend proves which message each command line puts on the queue, through the real parser and client.
func TestSend(t *testing.T) {
	t.Parallel()
	queue, endpoints := serveQueue(t)
	for _, tt := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"--user", "a,b", "Hello"}, `{"UserId":"a,b","Body":"Hello"}`},
		{[]string{"--user", "a", "--group", "acme", "Hello"}, `acme: {"UserId":"a","Body":"Hello"}`},
		{[]string{"-u", "a", "-u", "b", "<&>"}, `{"UserIds":["a","b"],"Body":"<&>"}`},
		{[]string{"--connection", "c=", "Hello"}, `{"ConnectionId":"c=","Body":"Hello"}`},
		{[]string{"--broadcast", "Hello"}, `{"Broadcast":true,"Body":"Hello"}`},
		{
			[]string{"-u", "a", "--id", "order-7", "--receipt", "--expires", "90s", "-"},
			`{"UserId":"a","Body":"from\n\"stdin\"","Id":"order-7","ExpiresAt":"2026-01-02T03:05:35Z","Receipt":true}`,
		},
		{[]string{"-u", "a", "--expires", "2026-01-02T03:04:05+01:00", ""}, `{"UserId":"a","Body":"","ExpiresAt":"2026-01-02T03:04:05+01:00"}`},
	} {
		code, stdout, stderr := runSend(t, endpoints, tt.arguments...)
		if code != 0 || !strings.HasPrefix(stdout, "queued as ") {
			t.Errorf("%q: exit code %d, %q, %q", tt.arguments, code, stdout, stderr)
			continue
		}
		messages, err := queue.Receive(t.Context(), 1, 0)
		if err != nil || len(messages) != 1 {
			t.Fatalf("%q: on the queue: %v, %v", tt.arguments, messages, err)
		}
		got := messages[0].Body
		if group, ok := messages[0].Attributes["MessageGroupId"]; ok {
			got = group + ": " + got
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q: %s", tt.arguments, diff)
		}
	}
}

// TestSendRefuses proves that an invalid command line puts nothing on the queue, and that its error names the remedy.
func TestSendRefuses(t *testing.T) {
	t.Parallel()
	queue, endpoints := serveQueue(t)
	for arguments, want := range map[string]string{
		"Hello":                             "one of --user, --connection and --broadcast",
		"--user a --broadcast Hello":        "one of --user, --connection and --broadcast",
		"--user a --connection c Hello":     "one of --user, --connection and --broadcast",
		"--user a --receipt Hello":          "--receipt needs --id",
		"--user a --expires tomorrow Hello": "it must be a time such as",
	} {
		if code, _, stderr := runSend(t, endpoints, strings.Fields(arguments)...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q; want %q", arguments, code, stderr, want)
		}
	}
	if stats := queue.Stats(); stats.Visible != 0 {
		t.Errorf("%d messages are on the queue", stats.Visible)
	}
}

func runSend(t *testing.T, endpoints string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	w := world{
		stdin: strings.NewReader("from\n\"stdin\""), stdout: &out, stderr: &err,
		now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	}
	code = run(t.Context(), w, append([]string{"--target", endpoints, "send"}, arguments...))
	return code, out.String(), err.String()
}

// serveQueue serves a send queue, and returns the path of an endpoints file that names it.
func serveQueue(t *testing.T) (queue *sqs.Queue, endpoints string) {
	t.Helper()
	server := sqs.New(sqs.Options{Region: "eu-west-1", Account: "123456789012", Endpoint: "http://sqs.test"})
	t.Cleanup(server.Close)
	queue = create(t, server, "send", nil)
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(server.Service())
	web := httptest.NewServer(http.Handler(endpoint))
	t.Cleanup(web.Close)
	data, err := json.Marshal(local.Endpoints{AWSEndpointURL: web.URL, AccessKey: "LOCAL", Outputs: heliograph.Outputs{
		WebSocketURL: "ws://none", HTTPURL: "http://none", SendQueueURL: queue.URL(), DeadLetterQueueURL: "none",
		EventTopicARN: "none", TableName: "none", Region: "eu-west-1", ParameterPrefix: "/none",
	}})
	if err != nil {
		t.Fatal(err)
	}
	endpoints = filepath.Join(t.TempDir(), "local.json")
	if err := os.WriteFile(endpoints, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return queue, endpoints
}
