package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/cloudwatch/api"
	"heliograph/simulator/wire"
)

var alarmsNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)

// alarmed returns a CloudWatch with 60 alarms of the stack s, one of them firing, a composite alarm that fires with
// it, and an alarm of another stack.
func alarmed(t *testing.T) (*alarm.Engine, *sdk.Client) {
	t.Helper()
	store := cloudwatch.New(cloudwatch.Options{Now: func() time.Time { return alarmsNow }})
	engine := alarm.New(store, alarm.Options{})
	put := func(name, metric, description string) {
		if err := engine.PutMetric(alarm.MetricAlarm{
			Name: name, Description: description, Metric: &cloudwatch.MetricStat{Namespace: "N", Name: metric, Stat: "Sum"}, Period: time.Minute,
			EvaluationPeriods: 1, Comparison: "GreaterThanThreshold", Missing: "notBreaching",
		}); err != nil {
			t.Fatal(err)
		}
	}
	put("s-late", "Late", "Messages are late. Severity: page. Runbook: docs/runbooks/late.md")
	for i := range 59 {
		put("s-fine-"+string(rune('A'+i)), "Fine", "")
	}
	put("other-late", "Late", "")
	if err := engine.PutComposite(alarm.CompositeAlarm{Name: "s-all", Rule: "ALARM(s-late)"}); err != nil {
		t.Fatal(err)
	}
	if err := store.PutMetric(cloudwatch.Datum{Namespace: "N", Name: "Late", Value: 1}); err != nil {
		t.Fatal(err)
	}
	engine.Evaluate(t.Context(), alarmsNow.Truncate(time.Minute).Add(time.Minute))
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(api.Service(api.Options{Store: store, Alarms: engine}))
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	return engine, sdk.New(sdk.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")})
}

// TestAlarms proves that the table lists firing alarms first and leaves out those of other stacks.
func TestAlarms(t *testing.T) {
	t.Parallel()
	_, client := alarmed(t)
	var out bytes.Buffer
	if err := new(alarmsCommand).run(t.Context(), world{stdout: &out}, client, "s"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		"ALARM SEVERITY SINCE RUNBOOK", "all ALARM - 2026-01-02 03:05:00 -", "late ALARM page 2026-01-02 03:05:00 docs/runbooks/late.md",
	}
	for i, w := range want {
		words := strings.Fields(lines[i])
		if got := strings.Join(words[:min(len(words), 6)], " "); i > 0 && got != w {
			t.Errorf("line %d is %q, want %q", i, got, w)
		}
	}
	if len(lines) != 62 || !strings.Contains(lines[2], "Threshold Crossed") || strings.Contains(out.String(), "other") {
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
}

// TestAlarmsWatched proves that --watch prints each change once, as JSON on request.
func TestAlarmsWatched(t *testing.T) {
	t.Parallel()
	engine, client := alarmed(t)
	for _, asJSON := range []bool{false, true} {
		reader, out := io.Pipe()
		lines := bufio.NewScanner(reader)
		next := func() string { lines.Scan(); return lines.Text() }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		command := alarmsCommand{Watch: true, Every: time.Millisecond, JSON: asJSON}
		go func() { ended <- command.run(ctx, world{stdout: out}, client, "s") }()
		if !asJSON {
			next() // the table's header
		}
		for range 61 {
			next()
		}
		for _, state := range []alarm.State{alarm.OK, alarm.Alarming} {
			if err := engine.SetState(t.Context(), "s-late", state, "a try", ""); err != nil {
				t.Fatal(err)
			}
			line := next()
			var a alarmState
			if asJSON && (json.Unmarshal([]byte(line), &a) != nil || a.Name != "late" || a.State != string(state) || a.Severity != "page") {
				t.Errorf("%s", line)
			}
			if !asJSON && !strings.Contains(line, "-> "+string(state)+"  a try") {
				t.Errorf("%s", line)
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}
