package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/observability"
)

//go:embed testdata/disconnect.json
var sample []byte

// call records one call of the store.
type call struct {
	User         heliograph.UserID
	ID           heliograph.ConnectionID
	LastActivity time.Time
}

type fakeStore struct {
	calls []call
	err   error
}

func (f *fakeStore) Disconnect(_ context.Context, user heliograph.UserID, id heliograph.ConnectionID, lastActivity time.Time) error {
	f.calls = append(f.calls, call{user, id, lastActivity})
	return f.err
}

var now = time.Date(2026, 1, 2, 3, 5, 5, 679_000_000, time.UTC)

// invoke calls the handler as Lambda does, and returns the response as JSON.
func invoke(t *testing.T, store disconnector, stdout io.Writer) (string, error) {
	t.Helper()
	var e event
	if err := json.Unmarshal(sample, &e); err != nil {
		t.Fatal(err)
	}
	f := observability.New("disconnect", observability.Settings{Stage: "dev"}, stdout)
	response, err := observability.Wrap(f, disconnect(store, func() time.Time { return now }))(t.Context(), e)
	text, marshalErr := json.Marshal(response)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	return string(text), err
}

// TestDisconnect proves that the last activity is now, when the device disconnects.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	var printed bytes.Buffer
	answer, err := invoke(t, store, &printed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]call{{"1234", "L0SM9cOFvHcCIhw=", now}}, store.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if answer != `{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":""}` {
		t.Errorf("answer: %s", answer)
	}
	if strings.Contains(printed.String(), `"1234"`) {
		t.Errorf("the user id was printed: %s", printed.String())
	}
}

// TestDisconnectFails proves that the function fails if the store does, so that the failure is counted and its log line
// names the connection.
func TestDisconnectFails(t *testing.T) {
	t.Parallel()
	down := errors.New("the table is down")
	var printed bytes.Buffer
	if _, err := invoke(t, &fakeStore{err: down}, &printed); !errors.Is(err, down) {
		t.Errorf("error: %v", err)
	}
	if !strings.Contains(printed.String(), `"connectionId":"L0SM9cOFvHcCIhw="`) {
		t.Errorf("no connection in the log: %s", printed.String())
	}
}

// variables is the environment set by the Pulumi program.
func variables() map[string]string {
	return map[string]string{"STAGE": "dev", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0", "TABLE_NAME": "heliograph-dev"}
}

// TestBuild proves that the function starts with the environment set by the Pulumi program.
func TestBuild(t *testing.T) {
	t.Parallel()
	e, err := env.ParseAsWithOptions[environment](env.Options{Environment: variables()})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := build(t.Context(), aws.Config{Region: "eu-west-1"}, e); err != nil || h == nil {
		t.Errorf("build: %v", err)
	}
}
