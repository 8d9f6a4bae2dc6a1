package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"heliograph/observability"
)

//go:embed testdata/hello.json
var sample string

// posts are the frames that a client received.
type posts struct {
	frames []string
	err    error
}

func (p *posts) PostToConnection(_ context.Context, in *apigatewaymanagementapi.PostToConnectionInput, _ ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.PostToConnectionOutput, error) {
	if p.err != nil {
		return nil, p.err
	}
	p.frames = append(p.frames, *in.ConnectionId+" "+string(in.Data))
	return &apigatewaymanagementapi.PostToConnectionOutput{}, nil
}

// invoke calls the handler as Lambda does, with an event's text, and returns its output.
func invoke(t *testing.T, p *posts, text string) (printed string, err error) {
	t.Helper()
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	f := observability.New("hello", observability.Settings{Stage: "dev"}, &out)
	answer, err := observability.Wrap(f, hello(p))(t.Context(), e)
	if err == nil && (answer.StatusCode != 200 || answer.Body != "") {
		t.Errorf("the gateway is answered %+v", answer)
	}
	return out.String(), err
}

// TestHello proves that a client learns about its connection by one frame, and that no id is printed.
func TestHello(t *testing.T) {
	t.Parallel()
	p := &posts{}
	printed, err := invoke(t, p, sample)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`L0SM9cOFvHcCIhw= {"type":"hello","connection":"v1:L0SM9cOFvHcCIhw=","user":"1234",` +
		`"tokenExpires":"2033-11-22T02:23:42.000Z","closesAt":"2026-01-02T05:04:05.678Z"}`}
	if diff := cmp.Diff(want, p.frames); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if strings.Contains(printed, `"1234"`) || !strings.Contains(printed, `"Hellos":1`) {
		t.Errorf("printed: %s", printed)
	}
}

// TestRawClient proves that a client that did not offer heliograph.v1 gets no answer: its contract is bodies alone.
func TestRawClient(t *testing.T) {
	t.Parallel()
	for _, offered := range []string{`"subprotocol": "heliograph"`, `"another": "heliograph.v1"`, `"subprotocol": 1`} {
		p := &posts{}
		printed, err := invoke(t, p, strings.Replace(sample, `"subprotocol": "heliograph.v1"`, offered, 1))
		if err != nil || len(p.frames) > 0 || !strings.Contains(printed, `"FramesIgnored":1`) {
			t.Errorf("%s: %v, %v, printed %s", offered, p.frames, err, printed)
		}
	}
}

// TestPostFails proves that a client that has left costs nothing, and that any other failure is an error, which the gateway
// tells the client.
func TestPostFails(t *testing.T) {
	t.Parallel()
	if _, err := invoke(t, &posts{err: &types.GoneException{}}, sample); err != nil {
		t.Errorf("a client that has left: %v", err)
	}
	limited := &types.LimitExceededException{}
	if _, err := invoke(t, &posts{err: limited}, sample); !errors.Is(err, limited) {
		t.Errorf("a throttled post: %v", err)
	}
	if _, err := invoke(t, &posts{}, strings.Replace(sample, "2016239022", "soon", 1)); err == nil {
		t.Error("an event without the token's end is taken")
	}
}

// TestBuild proves that the function starts with the environment set by the Pulumi program.
func TestBuild(t *testing.T) {
	t.Parallel()
	e, err := env.ParseAsWithOptions[environment](env.Options{Environment: map[string]string{
		"STAGE": "dev", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0",
		"CONNECTIONS_ENDPOINT": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/dev",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := build(t.Context(), aws.Config{Region: "eu-west-1"}, e); err != nil || h == nil {
		t.Errorf("build: %v", err)
	}
}
