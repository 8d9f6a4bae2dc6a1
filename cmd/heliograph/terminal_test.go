package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/coder/websocket"

	"heliograph"
	"heliograph/client"
	"heliograph/local"
	"heliograph/local/journey"
	"heliograph/simulator/cloud"
)

// hostile is an id that clears the screen, overwrites its line, reverses the writing direction, pretends to be
// another line, and rings the bell.
const hostile = "u\x1b[2J\x1b]0;title\x07\r\u009b31m\u202eevil\u2066\x00\x7f\nroot  true\u2028x"

// TestNothingObeyed proves that no command lets an id, a reason, a body or a name control the terminal. Tables and
// sentences are safe wherever they are written; output kept byte for byte is safe on a terminal.
func TestNothingObeyed(t *testing.T) {
	t.Parallel()
	l := letter{
		MessageID: "m", Reason: hostile, Detail: hostile, ID: hostile,
		message: types.Message{
			Body:              aws.String(hostile),
			Attributes:        map[string]string{hostile: hostile, "SentTimestamp": hostile},
			MessageAttributes: map[string]types.MessageAttributeValue{hostile: {DataType: aws.String(hostile), StringValue: aws.String(hostile)}},
		},
	}
	alarms := []alarmState{{Name: hostile, State: hostile, Severity: hostile, Reason: hostile, Runbook: hostile}}
	var shown figures
	shown.pulse.Firing, shown.pulse.Faults, shown.pulse.Problems = []string{hostile}, []string{hostile}, []string{hostile}
	shown.board.Name = hostile
	page, err := json.Marshal([]status{{UserID: hostile}})
	if err != nil {
		t.Fatal(err)
	}
	told := journey.Journey{ID: hostile, Outcome: hostile, Summary: hostile, Steps: []journey.Step{{Title: hostile, Detail: hostile, MessageID: hostile, TraceID: hostile}}}
	for name, print := range map[string]func(world) error{
		"online":        func(w world) error { return printStatuses(w.stdout, page) },
		"alarms":        func(w world) error { return new(alarmsCommand).print(w, alarms) },
		"alarms, watch": func(w world) error { return new(alarmsCommand).printChanges(w, nil, alarms) },
		"top":           func(w world) error { shown.print(w.stdout, true); return nil },
		"journey":       func(w world) error { _, err := fmt.Fprint(w.stdout, journeyText(told)); return err },
		"dlq list":      func(w world) error { return new(dlqListCommand).print(w, []letter{l}, time.Now()) },
		"dlq list, none": func(w world) error {
			new(dlqListCommand).nothing(w.stdout, "queue", map[string]int{hostile: 1})
			return nil
		},
		"dlq show": func(w world) error { return new(dlqShowCommand).print(w, l, time.Now()) },
		"dlq redrive": func(w world) error {
			e := operation{world: w, verb: "redriven"}
			e.end(l, nil)
			e.end(l, errors.New(hostile))
			return nil
		},
		"metrics": func(w world) error {
			return printMetrics(w, "", []cloud.MetricSummary{{Namespace: hostile, Name: hostile, Dimensions: hostile, Unit: hostile}})
		},
		"an error": func(w world) error {
			run(t.Context(), w, []string{"token", "--" + strings.ReplaceAll(hostile, "=", "")})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := print(world{stdout: &out, stderr: &out, now: time.Now}); err != nil {
				t.Fatal(err)
			}
			checkObeysNothing(t, out.String())
			if name != "an error" && strings.Contains(out.String(), "\nroot") {
				t.Errorf("the id pretends to be a line of its own:\n%q", out.String())
			}
		})
	}
}

func checkObeysNothing(t *testing.T, printed string) {
	t.Helper()
	if i := strings.IndexFunc(printed, obeyed); i >= 0 || !strings.Contains(printed, "evil") {
		t.Errorf("a terminal obeys what stands at %d, or the text is not there at all: %q", i, printed)
	}
}

// TestBodiesOnTerminals proves that a message's body and the API's JSON reach a terminal without control characters,
// and a pipe unchanged.
func TestBodiesOnTerminals(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		_ = socket.Write(r.Context(), websocket.MessageText, []byte(hostile))
		_ = socket.Close(websocket.StatusNormalClosure, "")
	}))
	t.Cleanup(server.Close)
	var screen, pipe bytes.Buffer
	for _, w := range []world{{stdout: terminal{&screen}}, {stdout: &pipe}} {
		w.stderr, w.now = io.Discard, time.Now
		enough := errors.New("one message is enough")
		ctx, end := context.WithCancelCause(t.Context())
		options := (&connectCommand{Token: "token"}).options(w, &target{Endpoints: local.Endpoints{Outputs: heliograph.Outputs{WebSocketURL: server.URL}}}, end)
		print := options.OnMessage
		options.OnMessage = func(ctx context.Context, m client.Message) error { return cmp.Or(print(ctx, m), enough) }
		device, err := client.New(options)
		if err != nil {
			t.Fatal(err)
		}
		if err := device.Run(ctx); err != enough {
			t.Fatal(err)
		}
	}
	checkObeysNothing(t, screen.String())
	if pipe.String() != hostile+"\n" {
		t.Errorf("through a pipe came %q", pipe.String())
	}
}

// TestEscapedJSON proves that JSON escaped for a terminal keeps its meaning, even where encoding/json leaves control
// characters unescaped.
func TestEscapedJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := json.NewEncoder(terminal{&out}).Encode(letter{ID: hostile}); err != nil {
		t.Fatal(err)
	}
	checkObeysNothing(t, out.String())
	var got letter
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.ID != hostile {
		t.Errorf("%v, %q from %s", err, got.ID, out.String())
	}
	if text := "Zoë\t✓ 👩‍🚀\n"; escaped(text) != text {
		t.Errorf("%q became %q", text, escaped(text))
	}
	if got := escaped("a\x9b31m\xff"); got != `a\u009b31m\u00ff` {
		t.Errorf("bytes that are no UTF-8 became %q", got)
	}
}
