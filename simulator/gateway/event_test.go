package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// golden compares an event with a file in testdata, ignoring ids and ports.
func golden(t *testing.T, name string, event map[string]any) {
	t.Helper()
	got, err := json.MarshalIndent(event, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(masked(got), '\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// masked replaces random values: ids by their shape, ports by a word.
func masked(text []byte) []byte {
	for pattern, by := range map[string]string{
		`"[\w-]{15}="`:     `"<15 characters of base64>="`,
		`127\.0\.0\.1:\d+`: `127.0.0.1:<port>`,
		`"(X-Forwarded-Port|x-forwarded-port)": "\d+"`:       `"$1": "<port>"`,
		`("X-Forwarded-Port": \[\s*)"\d+"`:                   `$1"<port>"`,
		`"apiId": "[a-z0-9]{10}"`:                            `"apiId": "<ten letters and digits>"`,
		`(execute-api:eu-west-1:000000000000:)[a-z0-9]{10}/`: `${1}<api>/`,
		`"[\w+/]{22}=="`:                                     `"<key>"`,
		`"integrationLatency": \d+`:                          `"integrationLatency": 1`,
	} {
		text = regexp.MustCompile(pattern).ReplaceAll(text, []byte(by))
	}
	return text
}

// fits decodes an event into a struct of aws-lambda-go, which must know every member.
func fits[T any](t *testing.T, event map[string]any) T {
	t.Helper()
	text, _ := json.Marshal(event)
	var v T
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Errorf("%T: %v", v, err)
	}
	return v
}

func clockAt(t time.Time) func() time.Time { return func() time.Time { return t } }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 5e6, time.UTC)

func TestSocketEvents(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{Now: clockAt(noon), Hosts: []string{"example.com"}})
	s := socketStage(t, g, func(a *API) { addRoute(t, a, "default", RouteConfig{Key: "$default"}) })
	ctx := t.Context()
	c, _, err := websocket.Dial(ctx, s.InvokeURL()+"?Authorization=a.b.c&x=1&x=2", &websocket.DialOptions{
		HTTPHeader:   http.Header{"User-Agent": {"test"}, "Origin": {"https://example.com"}, "X-Two": {"a", "b"}},
		Subprotocols: []string{"heliograph", "bearer.a.b.c"},
	})
	if err != nil {
		t.Fatal(err)
	}
	authorizer, connect := f.event(t, "authorizer"), f.event(t, "connect")
	golden(t, "socket-authorizer", authorizer)
	golden(t, "socket-connect", connect)
	write(t, c, `{"hello":"<wörld>"}`)
	message := f.event(t, "default")
	golden(t, "socket-message", message)
	_ = c.Close(1000, "bye")
	disconnect := f.event(t, "disconnect")
	golden(t, "socket-disconnect", disconnect)

	for _, event := range []map[string]any{connect, message, disconnect} {
		v := fits[events.APIGatewayWebsocketProxyRequest](t, event)
		if v.RequestContext.ConnectionID == "" || v.RequestContext.ConnectedAt != noon.UnixMilli() || v.RequestContext.Authorizer.(map[string]any)["userId"] != "1234" {
			t.Errorf("the context is %+v", v.RequestContext)
		}
	}
	var request events.APIGatewayCustomAuthorizerRequestTypeRequest
	text, _ := json.Marshal(authorizer)
	if err := json.Unmarshal(text, &request); err != nil {
		t.Fatal(err)
	}
	if request.Type != "REQUEST" || request.QueryStringParameters["Authorization"] != "a.b.c" || len(request.MultiValueQueryStringParameters["x"]) != 2 ||
		request.Headers["X-Two"] != "b" || request.MethodArn != s.ExecutionARN()+"/$connect" {
		t.Errorf("the authorizer's request is %+v", request)
	}
}

func TestHTTPEvents(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	s := httpStage(t, newGateway(t, f, Options{Now: clockAt(noon)}), nil)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(s.InvokeURL(), "/")+"/user/online?userIds=a,b&userIds=c&q=%C3%A4%20b", nil)
	r.Header = http.Header{"Authorization": {"Bearer a.b.c"}, "User-Agent": {"test"}, "X-Two": {"a", "b"}, "Cookie": {"one=1; two=2"}}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	authorizer, event := f.event(t, "authorizer"), f.event(t, "online")
	golden(t, "http-authorizer", authorizer)
	golden(t, "http-request", event)

	v := fits[events.APIGatewayV2HTTPRequest](t, event)
	if v.RequestContext.Authorizer.Lambda["userId"] != "1234" || v.QueryStringParameters["userIds"] != "a,b,c" || v.RequestContext.HTTP.Method != "GET" {
		t.Errorf("the request is %+v", v)
	}
	var request events.APIGatewayV2CustomAuthorizerV1Request
	text, _ := json.Marshal(authorizer)
	if err := json.Unmarshal(text, &request); err != nil {
		t.Fatal(err)
	}
	if request.Version != "1.0" || request.AuthorizationToken != "Bearer a.b.c" || request.MethodArn != s.ExecutionARN()+"/GET/user/online" {
		t.Errorf("the authorizer's request is %+v", request)
	}
}

func TestHTTPEventsWithABody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind, body, want string
		base64           bool
	}{
		"JSON":   {"application/json; charset=utf-8", `{"a":"ä"}`, `{"a":"ä"}`, false},
		"text":   {"text/plain", "hello", "hello", false},
		"bytes":  {"application/octet-stream", "\x00\xff", "AP8=", true},
		"form":   {"application/x-www-form-urlencoded", "a=b", "YT1i", true},
		"no one": {"", "hello", "aGVsbG8=", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunctions()
			s := httpStage(t, newGateway(t, f, Options{}), nil)
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.InvokeURL()+"post", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			event := fits[events.APIGatewayV2HTTPRequest](t, f.event(t, "online"))
			if event.Body != tt.want || event.IsBase64Encoded != tt.base64 || event.RequestContext.Authorizer != nil {
				t.Errorf("the body is %q (base64: %v)", event.Body, event.IsBase64Encoded)
			}
		})
	}
}
