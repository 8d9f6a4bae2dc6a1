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
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/mailbox"
	"heliograph/message"
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

// box is a mailbox of one page.
type box struct {
	page  []mailbox.Kept
	live  mailbox.Live
	err   error
	asked []string // users and cursors
}

func (b *box) Since(_ context.Context, user heliograph.UserID, cursor string, visit func([]mailbox.Kept) error) (mailbox.Live, error) {
	b.asked = append(b.asked, string(user)+" "+cursor)
	if len(b.page) > 0 {
		if err := visit(b.page); err != nil {
			return mailbox.Live{}, err
		}
	}
	return b.live, b.err
}

// invoke calls the handler as Lambda does, with an event's text, for a user with nothing kept.
func invoke(t *testing.T, p *posts, text string) (printed string, err error) {
	t.Helper()
	return invokeWith(t, p, &box{live: mailbox.Live{Cursor: "-.1"}}, text)
}

// invokeWith calls the handler as Lambda does, with an event's text, and returns its output.
func invokeWith(t *testing.T, p *posts, b *box, text string) (printed string, err error) {
	t.Helper()
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	f := observability.New("hello", observability.Settings{Stage: "dev"}, &out)
	answer, err := observability.Wrap(f, hello(p, b))(t.Context(), e)
	if err == nil && (answer.StatusCode != 200 || answer.Body != "") {
		t.Errorf("the gateway is answered %+v", answer)
	}
	return out.String(), err
}

// TestHello proves that a client learns about its connection by one frame and where it stands by another, and that no id is printed.
func TestHello(t *testing.T) {
	t.Parallel()
	p := &posts{}
	printed, err := invoke(t, p, sample)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`L0SM9cOFvHcCIhw= {"type":"hello","connection":"v1:L0SM9cOFvHcCIhw=","user":"1234",` +
		`"tokenExpires":"2033-11-22T02:23:42.000Z","closesAt":"2026-01-02T05:04:05.678Z"}`, `L0SM9cOFvHcCIhw= {"type":"live","cursor":"-.1"}`}
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

// TestMissed proves that what a client has missed arrives in order, in frames of at most 32 KB, as it would have arrived live,
// and that live comes last.
func TestMissed(t *testing.T) {
	t.Parallel()
	b := &box{live: mailbox.Live{Cursor: "box.99", Reset: true}}
	for i := range 40 {
		b.page = append(b.page, mailbox.Kept{Cursor: fmt.Sprintf("box.%d", i+1), Message: mailbox.Message{
			ID: fmt.Sprint(i), SentAt: time.UnixMilli(1767323045678), Body: strings.Repeat("<", 1000),
		}})
	}
	b.page[20].Body, b.page[30].Body, b.page[30].Value = strings.Repeat("x", 60_000), `{"a":1.0}`, true
	p := &posts{}
	printed, err := invokeWith(t, p, b, strings.Replace(sample, `{\"action\":\"hello\"}`, `{\"action\":\"hello\",\"after\":\"box.0\"}`, 1))
	if err != nil {
		t.Fatal(err)
	}
	position := int64(0)
	for _, frame := range p.frames[1 : len(p.frames)-1] {
		var got struct {
			Type     string
			Messages []message.Frame
		}
		_, text, _ := strings.Cut(frame, " ")
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Type != "missed" {
			t.Fatalf("%v: %.100s", err, text)
		}
		if len(got.Messages) > 1 && len(text) > 32<<10 {
			t.Errorf("a frame of %d messages has %d bytes", len(got.Messages), len(text))
		}
		for _, m := range got.Messages {
			if position++; m.Position != position || m.Type != "message" || m.Cursor != fmt.Sprintf("box.%d", position) || m.SentAt != "2026-01-02T03:04:05.678Z" {
				t.Errorf("message %d is %+v", position, m)
			}
		}
	}
	if position != 40 || len(p.frames) != 1+3+1 {
		t.Errorf("%d messages in %d frames", position, len(p.frames))
	}
	if got := p.frames[len(p.frames)-1]; !strings.HasSuffix(got, ` {"type":"live","cursor":"box.99","reset":true}`) {
		t.Errorf("the last frame is %s", got)
	}
	for _, want := range []string{`"MessagesReplayed":40`, `"Resets":1`} {
		if !strings.Contains(printed, want) {
			t.Errorf("%s is not in %s", want, printed)
		}
	}
}

// TestAfter proves that the cursor is the client's own word, and the user the token's; a cursor that is no text is unknown.
func TestAfter(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"action":"hello"}`:                                  "1234 ",
		`{"action":"hello","after":null}`:                     "1234 ",
		`{"action":"hello","after":"box.7","user":"5678"}`:    "1234 box.7",
		`{"action":"hello","after":7}`:                        "1234 ?",
		`{"action":"hello","after":{"cursor":"box.7"}}`:       "1234 ?",
		`{"action":"hello","after":"\ud83d","After":"box.7"}`: "1234 box.7",
	} {
		b, quoted := &box{}, message.Sendable(body)
		text, _ := json.Marshal(quoted)
		if _, err := invokeWith(t, &posts{}, b, strings.Replace(sample, `"{\"action\":\"hello\"}"`, string(text), 1)); err != nil {
			t.Fatal(err)
		}
		if len(b.asked) != 1 || b.asked[0] != want {
			t.Errorf("%s asks for %q, want %q", body, b.asked, want)
		}
	}
}

// TestNoLiveAfterFailure proves that a client is not told that it is live if its mailbox could not be read to the end.
func TestNoLiveAfterFailure(t *testing.T) {
	t.Parallel()
	p, down := &posts{}, errors.New("the table is down")
	if _, err := invokeWith(t, p, &box{err: down}, sample); !errors.Is(err, down) || len(p.frames) != 1 {
		t.Errorf("%v, frames %q", err, p.frames)
	}
}

// TestBuild proves that the function starts with the environment set by the Pulumi program.
func TestBuild(t *testing.T) {
	t.Parallel()
	e, err := env.ParseAsWithOptions[environment](env.Options{Environment: map[string]string{
		"STAGE": "dev", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0",
		"CONNECTIONS_ENDPOINT": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/dev",
		"TABLE_NAME":           "heliograph-dev", "KEEP_MESSAGES": "1000", "KEEP_BYTES": "1048576",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := build(t.Context(), aws.Config{Region: "eu-west-1"}, e); err != nil || h == nil {
		t.Errorf("build: %v", err)
	}
}
