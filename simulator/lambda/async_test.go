package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/wire"
)

func TestAsynchronousEventsAreRetried(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		attempts *int
		fails    int
		files    int // attempts that failed
		dropped  float64
	}{
		"twice by default":  {nil, 2, 2, 0},
		"given up after":    {nil, 9, 3, 1},
		"not at all if so":  {new(0), 9, 1, 1},
		"once if so":        {new(1), 1, 1, 0},
		"no need to retry":  {nil, 0, 0, 0},
		"success at second": {nil, 1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := make(chan map[string]any, 9)
			p, r := newPlatform(t, Options{
				RetryDelays: []time.Duration{time.Millisecond},
				Deliver: func(_ context.Context, destination string, record []byte) error {
					var v map[string]any
					err := json.Unmarshal(record, &v)
					v["destination"] = destination
					records <- v
					return err
				},
			})
			f := create(t, p, "flaky")
			if err := p.PutEventInvokeConfig(f.ARN, EventInvokeConfig{
				MaximumRetryAttempts: tt.attempts, OnFailure: "arn:failed", OnSuccess: "arn:done",
			}); err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			payload, _ := json.Marshal(map[string]any{"Folder": folder, "Fail": tt.fails})
			if err := p.InvokeAsync(Request{Function: f.ARN, Payload: payload}); err != nil {
				t.Fatal(err)
			}
			record := <-records // the last thing to arrive
			want := "arn:done"
			if tt.dropped > 0 {
				want = "arn:failed"
				checkFailureRecord(t, record, f, tt.files)
			}
			if record["destination"] != want {
				t.Errorf("the record went to %v, want %s", record["destination"], want)
			}
			if files, _ := os.ReadDir(folder); len(files) != tt.files {
				t.Errorf("%d attempts failed, want %d", len(files), tt.files)
			}
			if got := r.sum("AsyncEventsDropped"); got != tt.dropped {
				t.Errorf("AsyncEventsDropped is %v, want %v", got, tt.dropped)
			}
		})
	}
}

func checkFailureRecord(t *testing.T, record map[string]any, f Function, attempts int) {
	t.Helper()
	context := record["requestContext"].(map[string]any)
	delete(context, "requestId")
	want := map[string]any{
		"functionArn": f.ARN + ":$LATEST", "condition": "RetriesExhausted", "approximateInvokeCount": float64(attempts),
	}
	if diff := cmp.Diff(want, context); diff != "" {
		t.Error(diff)
	}
	want = map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": "Unhandled"}
	if diff := cmp.Diff(want, record["responseContext"]); diff != "" {
		t.Error(diff)
	}
	if record["responsePayload"].(map[string]any)["errorMessage"] != "not yet" {
		t.Errorf("the answer in the record is %v", record["responsePayload"])
	}
}

func TestNextPauseOfAnAsynchronousEvent(t *testing.T) {
	t.Parallel()
	refused := &wire.Error{Code: "TooManyRequestsException", Status: 429}
	platform := &Platform{options: Options{RetryDelays: []time.Duration{time.Minute, 2 * time.Minute}}}
	for name, tt := range map[string]struct {
		failed, refused int
		age             time.Duration
		err             error
		pause           time.Duration
		condition       string
	}{
		"first failure":            {failed: 1, pause: time.Minute},
		"second failure":           {failed: 2, pause: 2 * time.Minute},
		"third failure":            {failed: 3, condition: "RetriesExhausted"},
		"throttled":                {refused: 1, err: refused, pause: time.Second},
		"throttled again":          {refused: 4, err: refused, pause: 8 * time.Second},
		"throttled for long":       {refused: 40, err: refused, pause: 5 * time.Minute},
		"throttled for too long":   {refused: 40, err: refused, age: 6 * time.Hour, condition: "EventAgeExceeded"},
		"failed too late to retry": {failed: 1, age: 6*time.Hour - time.Second, condition: "EventAgeExceeded"},
		"never to succeed":         {refused: 1, err: wire.Errorf("InvalidParameterValueException", "no"), condition: "RetriesExhausted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev := &event{
				p: platform, failed: tt.failed, refused: tt.refused, taken: time.Now().Add(-tt.age),
				config: EventInvokeConfig{MaximumRetryAttempts: new(2), MaximumEventAge: 6 * time.Hour},
			}
			pause, condition := ev.next(tt.err)
			if pause != tt.pause || condition != tt.condition {
				t.Errorf("the pause is %v %q, want %v %q", pause, condition, tt.pause, tt.condition)
			}
		})
	}
}

func TestAsynchronousRequestsThatLambdaRefuses(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, Options{})
	f := create(t, p, "echo")
	var failure *wire.Error
	if err := p.InvokeAsync(Request{Function: f.ARN, Payload: make([]byte, 1<<20+1)}); !errors.As(err, &failure) || failure.Code != "RequestTooLargeException" {
		t.Errorf("an event over 1 MB: %v", err)
	}
	for _, c := range []EventInvokeConfig{
		{MaximumRetryAttempts: new(3)}, {MaximumEventAge: time.Second}, {MaximumEventAge: 7 * time.Hour}, {OnFailure: "arn:nowhere"},
	} {
		if err := p.PutEventInvokeConfig(f.ARN, c); !errors.As(err, &failure) || failure.Code != "InvalidParameterValueException" {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
