package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/wire"
	"heliograph/simulator/wire/wiretest"
)

// management is the AWS SDK's client for a stage's connections, without retries. Each answer is held against AWS's
// published model.
func management(t testing.TB, s *Stage) *apigatewaymanagementapi.Client {
	return managementAt(t, strings.Replace(s.InvokeURL(), "ws://", "http://", 1))
}

func managementAt(t testing.TB, url string) *apigatewaymanagementapi.Client {
	t.Helper()
	cfg := aws.Config{
		Region: "eu-west-1", RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
		HTTPClient: &http.Client{Transport: wiretest.HoldTransport(t, "apigatewaymanagementapi/2018-11-29")},
	}
	return apigatewaymanagementapi.NewFromConfig(cfg, func(o *apigatewaymanagementapi.Options) { o.BaseEndpoint = aws.String(url) })
}

func post(t testing.TB, api *apigatewaymanagementapi.Client, id, body string) error {
	_, err := api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte(body)})
	return err
}

func remove(t testing.TB, api *apigatewaymanagementapi.Client, id string) error {
	_, err := api.DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &id})
	return err
}

func get(t testing.TB, api *apigatewaymanagementapi.Client, id string) (*apigatewaymanagementapi.GetConnectionOutput, error) {
	return api.GetConnection(t.Context(), &apigatewaymanagementapi.GetConnectionInput{ConnectionId: &id})
}

func isGone(err error) bool { return errors.As(err, new(*types.GoneException)) }

// TestConnectionsAPIIsWhole proves that @connections is served with all operations of AWS's and all members of their inputs: a
// connection's id is in the path, data in the body.
func TestConnectionsAPIIsWhole(t *testing.T) {
	t.Parallel()
	wiretest.HoldOperations(t, "apigatewaymanagementapi/2018-11-29", map[string][]string{
		"PostToConnection": {"ConnectionId", "Data"}, "GetConnection": {"ConnectionId"}, "DeleteConnection": {"ConnectionId"},
	})
}

func TestPostArrivesByteForByte(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	s := socketStage(t, g)
	c := dial(t, s, nil)
	c.SetReadLimit(1 << 20)
	api, id := management(t, s), string(g.Connections()[0].ID)
	for _, body := range []string{"x", " ", "ä€😀\u0000\n\"'", `{"a":[1,2]}`, strings.Repeat("x", 128<<10)} {
		if err := post(t, api, id, body); err != nil {
			t.Fatal(err)
		}
		if got := read(t, c); got != body {
			t.Errorf("%.20q arrived as %.20q", body, got)
		}
	}
	if d := g.Connections()[0]; d.Sent != 5 {
		t.Errorf("%d messages count as sent", d.Sent)
	}
}

func TestGetConnection(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	g := newGateway(t, newFunctions(), Options{Now: func() time.Time { return now }})
	s := socketStage(t, g)
	dial(t, s, nil)
	got, err := get(t, management(t, s), string(g.Connections()[0].ID))
	if err != nil {
		t.Fatal(err)
	}
	want := &apigatewaymanagementapi.GetConnectionOutput{
		ConnectedAt: &now, LastActiveAt: &now, Identity: &types.Identity{SourceIp: aws.String("127.0.0.1"), UserAgent: aws.String("Go-http-client/1.1")},
	}
	if diff := cmp.Diff([]any{want.ConnectedAt, want.LastActiveAt, *want.Identity.SourceIp, *want.Identity.UserAgent},
		[]any{got.ConnectedAt, got.LastActiveAt, *got.Identity.SourceIp, *got.Identity.UserAgent}); diff != "" {
		t.Error(diff)
	}
}

func TestGoneAfterTheEnd(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{})
	s := socketStage(t, g)
	api := management(t, s)
	c := dial(t, s, nil)
	id := string(g.Connections()[0].ID)
	_ = c.Close(1000, "")
	f.event(t, "disconnect")
	for what, err := range map[string]error{"posting": post(t, api, id, "x"), "deleting": remove(t, api, id), "posting to nobody": post(t, api, "AAAAAAAAAAAAAAA=", "x")} {
		if !isGone(err) {
			t.Errorf("%s gives %v", what, err)
		}
	}
	if _, err := get(t, api, id); !isGone(err) {
		t.Errorf("getting gives %v", err)
	}
}

func TestPostErrors(t *testing.T) {
	t.Parallel()
	var calls []wire.Call
	var refuse error
	g := newGateway(t, newFunctions(), Options{Before: func(_ context.Context, c wire.Call) error {
		calls = append(calls, c)
		return refuse
	}})
	s := socketStage(t, g)
	socket := dial(t, s, nil)
	api, id := management(t, s), string(g.Connections()[0].ID)
	if err := post(t, api, id, strings.Repeat("x", 128<<10+1)); !errors.As(err, new(*types.PayloadTooLargeException)) {
		t.Errorf("128 KB and a byte: %v", err)
	}
	want := wire.Call{
		Service: "execute-api", Action: "ManageConnections", Permission: "execute-api:ManageConnections", AccessKey: "AKIDTEST", Region: "eu-west-1",
		Resources: []string{s.ExecutionARN() + "/POST/@connections/" + id},
	}
	if diff := cmp.Diff([]wire.Call{want}, calls); diff != "" {
		t.Error(diff)
	}
	refuse = &wire.Error{Code: "ForbiddenException", Status: 403, Message: "User is not authorized"}
	var forbidden *types.ForbiddenException
	if err := post(t, api, id, "x"); !errors.As(err, &forbidden) {
		t.Errorf("refused: %v", err)
	}
	refuse = errors.New("no")
	if err := post(t, api, id, "x"); !errors.As(err, &forbidden) {
		t.Errorf("refused by another error: %v", err)
	}
	refuse = wire.ErrAnswerLost
	if err := post(t, api, id, "lost"); err == nil || !errors.Is(err, io.EOF) {
		t.Errorf("without an answer: %v", err)
	}
	if got := read(t, socket); got != "lost" {
		t.Errorf("the post whose answer got lost arrived as %q", got)
	}
	if err := post(t, managementAt(t, "http://"+s.api.address+"/other"), id, "x"); !errors.As(err, &forbidden) {
		t.Errorf("another stage: %v", err)
	}
	response, err := http.Post("http://"+s.api.address+"/local/@connections/"+id, "text/plain", strings.NewReader("x"))
	if err != nil || response.StatusCode != 403 || response.Header.Get("x-amzn-ErrorType") != "MissingAuthenticationTokenException" {
		t.Errorf("without a signature: %v, %v", response, err)
	}
}

func TestPostIsLimited(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{Limits: Limits{Requests: 1, Burst: 3}})
	s := socketStage(t, g)
	dial(t, s, nil)
	api, id := management(t, s), string(g.Connections()[0].ID)
	var limited *types.LimitExceededException
	for range 4 {
		if err := post(t, api, id, "x"); err != nil && !errors.As(err, &limited) {
			t.Fatal(err)
		}
	}
	if limited == nil {
		t.Error("4 posts at once at a burst of 3 were all taken")
	}
}

// TestPostToAClientThatDoesNotRead proves that posts to such a client fill the kernel's buffers, then the gateway's,
// and that the connection stays open.
func TestPostToAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	s := socketStage(t, g)
	c := rawDial(t, s)
	defer func() { _ = c.Close() }()
	api, id := management(t, s), string(g.Connections()[0].ID)
	body := strings.Repeat("x", 100<<10)
	for range 1000 {
		err := post(t, api, id, body)
		var limited *types.LimitExceededException
		if errors.As(err, &limited) {
			if _, err := get(t, api, id); err != nil {
				t.Errorf("the connection is no more: %v", err)
			}
			if q := g.Connections()[0].Queued; q > 256<<10 {
				t.Errorf("%d bytes are queued", q)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("100 MB were taken for a client that does not read")
}

func TestConnectionsHandlerServesAllAPIs(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	s := socketStage(t, g)
	c := dial(t, s, nil)
	server := httptest.NewServer(g.ConnectionsHandler())
	defer server.Close()
	api, id := managementAt(t, server.URL), string(g.Connections()[0].ID)
	if err := post(t, api, id, "hello"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c); got != "hello" {
		t.Errorf("the client read %q", got)
	}
	if err := post(t, api, "AAAAAAAAAAAAAAA=", "x"); !isGone(err) {
		t.Errorf("posting to nobody gives %v", err)
	}
	for _, malformed := range []string{"x", "AAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAA=", "AAAAAAA+AAAAAAA="} {
		var refused smithy.APIError
		if err := post(t, api, malformed, "x"); !errors.As(err, &refused) || refused.ErrorCode() != "BadRequestException" {
			t.Errorf("posting to %q gives %v", malformed, err)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/elsewhere", bytes.NewReader(nil))
	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != 403 {
		t.Errorf("another path: %v, %v", response, err)
	}
}

func TestAConnectionBelongsToItsStage(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	s := socketStage(t, g)
	other := deploy(t, s.api, StageConfig{Name: "other"})
	dial(t, s, nil)
	if err := post(t, management(t, other), string(g.Connections()[0].ID), "x"); !isGone(err) {
		t.Errorf("posting by another stage gives %v", err)
	}
}

func TestUnknownVerb(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	s := socketStage(t, g)
	dial(t, s, nil)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+s.api.address+"/local/@connections/"+string(g.Connections()[0].ID), nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260102/eu-west-1/execute-api/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != 405 {
		t.Errorf("PUT: %v, %v", response, err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260102/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	if response, err = http.DefaultClient.Do(r); err != nil || response.Header.Get("x-amzn-ErrorType") != "InvalidSignatureException" {
		t.Errorf("signed for another service: %v, %v", response, err)
	}
}

// TestGetConnectionOfANamelessClient proves that the answer has all members that AWS's model requires, even for a client
// without a user agent.
func TestGetConnectionOfANamelessClient(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	s := socketStage(t, g)
	dial(t, s, &websocket.DialOptions{HTTPHeader: http.Header{"User-Agent": {""}}})
	got, err := get(t, management(t, s), string(g.Connections()[0].ID))
	if err != nil || got.Identity.UserAgent == nil || *got.Identity.UserAgent != "" {
		t.Errorf("the identity is %+v, %v", got.Identity, err)
	}
}
