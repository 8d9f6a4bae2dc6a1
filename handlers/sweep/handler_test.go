package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/caarlos0/env/v11"

	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// sample is the event sent by the schedule's rule.
const sample = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events",
	"account":"123456789012","time":"2026-01-02T03:04:00Z","region":"eu-west-1",
	"resources":["arn:aws:events:eu-west-1:123456789012:rule/heliograph-dev-sweep"],"detail":{}}`

type fakeSweeper struct{ err error }

func (f fakeSweeper) Sweep(ctx context.Context) error {
	observability.Add(ctx, catalogue.ActiveConnections, 7)
	return f.err
}

func TestSweep(t *testing.T) {
	t.Parallel()
	var e events.EventBridgeEvent
	if err := json.Unmarshal([]byte(sample), &e); err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{nil, errors.New("the table is down")} {
		var printed bytes.Buffer
		f := observability.New("sweep", observability.Settings{Stage: "dev"}, &printed)
		if _, err := observability.Wrap(f, sweep(fakeSweeper{want}))(t.Context(), e); !errors.Is(err, want) {
			t.Errorf("error: %v, want %v", err, want)
		}
		if !strings.Contains(printed.String(), `"ActiveConnections":7`) {
			t.Errorf("the gauge was not printed: %s", printed.String())
		}
	}
}

// variables is the environment set by the Pulumi program, with changes.
func variables(changes map[string]string) map[string]string {
	v := map[string]string{
		"STAGE": "dev", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0", "TABLE_NAME": "heliograph-dev",
		"CONNECTIONS_ENDPOINT": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/dev",
		"CONNECTION_LEASE":     "15m", "SWEEP_RATE": "200", "EXPIRED_TOKENS": "close",
	}
	maps.Copy(v, changes)
	return v
}

// TestBuild proves that an invalid value keeps the function from starting.
func TestBuild(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		changes map[string]string
		want    string // part of the error; empty: it starts
	}{
		"close":         {nil, ""},
		"keep":          {map[string]string{"EXPIRED_TOKENS": "keep"}, ""},
		"neither":       {map[string]string{"EXPIRED_TOKENS": "drop"}, `"drop" is neither close nor keep`},
		"no rate":       {map[string]string{"SWEEP_RATE": "0"}, "SWEEP_RATE"},
		"negative rate": {map[string]string{"SWEEP_RATE": "-1"}, "SWEEP_RATE"},
		"no lease":      {map[string]string{"CONNECTION_LEASE": "0s"}, "CONNECTION_LEASE"},
		"no duration":   {map[string]string{"CONNECTION_LEASE": "15"}, "missing unit in duration"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := env.ParseAsWithOptions[environment](env.Options{Environment: variables(test.changes)})
			if err == nil {
				_, err = build(t.Context(), aws.Config{Region: "eu-west-1"}, e)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error: %v, want %q", err, test.want)
			}
		})
	}
}
