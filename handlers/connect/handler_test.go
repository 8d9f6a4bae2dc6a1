package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/observability"
	"heliograph/presence"
)

//go:embed testdata/connect.json
var sample []byte

// fakeStore keeps the connections it is given.
type fakeStore struct {
	connected []presence.Connection
	err       error
}

func (f *fakeStore) Connect(_ context.Context, c presence.Connection) error {
	f.connected = append(f.connected, c)
	return f.err
}

// changed is the sample event with some of its members replaced.
func changed(t *testing.T, members map[string]any) event {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal(sample, &whole); err != nil {
		t.Fatal(err)
	}
	for path, value := range members {
		at := whole
		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			at = at[name].(map[string]any)
		}
		at[names[len(names)-1]] = value
	}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// invoke calls the handler as Lambda does, and returns its response as JSON and its output.
func invoke(t *testing.T, store connector, e event) (answer, printed string, err error) {
	t.Helper()
	var out bytes.Buffer
	f := observability.New("connect", observability.Settings{Stage: "dev"}, &out)
	response, err := observability.Wrap(f, connect(store))(t.Context(), e)
	text, marshalErr := json.Marshal(response)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	return string(text), out.String(), err
}

func TestConnect(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	answer, printed, err := invoke(t, store, changed(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []presence.Connection{{
		User: "1234", ID: "L0SM9cOFvHcCIhw=",
		ConnectedAt: time.UnixMilli(1767323045678), TokenExpires: time.Unix(2016239022, 0),
		SourceIP: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64)",
	}}
	if diff := cmp.Diff(want, store.connected); diff != "" {
		t.Errorf("connected (-want +got):\n%s", diff)
	}
	if answer != `{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":""}` {
		t.Errorf("answer: %s", answer)
	}
	if strings.Contains(printed, "c2VjcmV0") || strings.Contains(printed, `"1234"`) {
		t.Errorf("the token or the user id was printed: %s", printed)
	}
}

// TestSubprotocol proves that the response accepts the best of our subprotocols that was offered, in any form, and no other, and that
// the connection remembers it.
func TestSubprotocol(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		members map[string]any
		want    string
	}{
		"none":              {nil, ""},
		"ours":              {map[string]any{"headers.Sec-WebSocket-Protocol": "heliograph"}, "heliograph"},
		"ours and a token":  {map[string]any{"headers.Sec-WebSocket-Protocol": "heliograph, bearer.e30.e30.e30"}, "heliograph"},
		"ours last":         {map[string]any{"headers.Sec-WebSocket-Protocol": "mqtt,heliograph"}, "heliograph"},
		"lower case header": {map[string]any{"headers.sec-websocket-protocol": "heliograph"}, "heliograph"},
		"several headers": {map[string]any{
			"headers.Sec-WebSocket-Protocol":           "bearer.e30.e30.e30",
			"multiValueHeaders.Sec-WebSocket-Protocol": []string{"heliograph", "bearer.e30.e30.e30"},
		}, "heliograph"},
		"v1":                  {map[string]any{"headers.Sec-WebSocket-Protocol": "heliograph.v1"}, "heliograph.v1"},
		"v1 and a token":      {map[string]any{"headers.Sec-WebSocket-Protocol": "bearer.e30.e30.e30, heliograph.v1"}, "heliograph.v1"},
		"v1 after the other":  {map[string]any{"headers.Sec-WebSocket-Protocol": "heliograph, heliograph.v1"}, "heliograph.v1"},
		"a later version":     {map[string]any{"headers.Sec-WebSocket-Protocol": "heliograph.v2"}, ""},
		"a token only":        {map[string]any{"headers.Sec-WebSocket-Protocol": "bearer.heliograph"}, ""},
		"another, longer one": {map[string]any{"headers.Sec-WebSocket-Protocol": "heliograph2"}, ""},
		"upper case":          {map[string]any{"headers.Sec-WebSocket-Protocol": "Heliograph"}, ""},
		"another header":      {map[string]any{"headers.X-Protocol": "heliograph"}, ""},
		"null headers":        {map[string]any{"headers": nil, "multiValueHeaders": nil}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &fakeStore{}
			answer, _, err := invoke(t, store, changed(t, test.members))
			if err != nil {
				t.Fatal(err)
			}
			want := `"headers":null`
			if test.want != "" {
				want = `"headers":{"Sec-WebSocket-Protocol":"` + test.want + `"}`
			}
			if !strings.Contains(answer, want) {
				t.Errorf("answer %s, want %s", answer, want)
			}
			if got, want := store.connected[0].V1, test.want == heliograph.SubprotocolV1; got != want {
				t.Errorf("remembered as v1: %v, want %v", got, want)
			}
		})
	}
}

// TestRefused proves that a connection that can't be recorded is refused: the error makes the gateway respond with 500.
func TestRefused(t *testing.T) {
	t.Parallel()
	down := errors.New("the table is down")
	if _, _, err := invoke(t, &fakeStore{err: down}, changed(t, nil)); !errors.Is(err, down) {
		t.Errorf("store fails: %v", err)
	}
	many := fmt.Errorf("connect: %w", presence.ErrTooManyConnections)
	if answer, printed, err := invoke(t, &fakeStore{err: many}, changed(t, nil)); err != nil || !strings.Contains(answer, `"statusCode":429`) || !strings.Contains(printed, "too many") {
		t.Errorf("too many connections: %s, %v, printed %s", answer, err, printed)
	}
	for _, expiry := range []any{"", "soon", nil} {
		store := &fakeStore{}
		_, _, err := invoke(t, store, changed(t, map[string]any{"requestContext.authorizer.tokenExpires": expiry}))
		if err == nil || len(store.connected) > 0 {
			t.Errorf("tokenExpires %v: %v, connected %v", expiry, err, store.connected)
		}
	}
}

// TestWithoutTime proves that the store sets the time of an event without the gateway's.
func TestWithoutTime(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	if _, _, err := invoke(t, store, changed(t, map[string]any{"requestContext.connectedAt": 0})); err != nil {
		t.Fatal(err)
	}
	if !store.connected[0].ConnectedAt.IsZero() {
		t.Errorf("connected at %v", store.connected[0].ConnectedAt)
	}
}

// variables is the environment set by the Pulumi program.
func variables() map[string]string {
	return map[string]string{"STAGE": "dev", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0", "TABLE_NAME": "heliograph-dev", "MAX_CONNECTIONS_PER_USER": "100"}
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
