package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	code := m.Run()
	if left := goroutinesLeft(); left != "" {
		fmt.Fprintln(os.Stderr, "goroutines that outlive the tests:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// goroutinesLeft returns the stacks of this package's remaining goroutines, after giving them time to end.
func goroutinesLeft() string {
	var ours []string
	for range 100 {
		all := make([]byte, 4<<20)
		all = all[:runtime.Stack(all, true)]
		ours = nil
		for i, g := range strings.Split(string(all), "\n\n") {
			if i > 0 && strings.Contains(g, "heliograph/simulator/gateway.") { // the first is the caller
				ours = append(ours, g)
			}
		}
		if len(ours) == 0 {
			return ""
		}
		time.Sleep(10 * time.Millisecond)
	}
	return strings.Join(ours, "\n\n")
}

const allow = `{"principalId":"1234","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]},"context":{"userId":"1234","tokenExpires":"2016239022"}}`

const deny = `{"principalId":"1234","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"execute-api:Invoke","Resource":"*"}]}}`

// failure is a function's own failure in the form that the gateway recognizes.
type failure string

func (f failure) Error() string        { return "failed: " + string(f) }
func (f failure) ErrorMessage() string { return string(f) }

// functions are the functions behind a gateway.
type functions struct {
	mu     sync.Mutex
	do     map[string]func(ctx context.Context, event []byte) ([]byte, error)
	events map[string]chan []byte
}

// newFunctions returns an authorizer that allows everything and functions that succeed.
func newFunctions() *functions {
	f := &functions{do: map[string]func(context.Context, []byte) ([]byte, error){}, events: map[string]chan []byte{}}
	f.answer("authorizer", allow, nil)
	for _, name := range []string{"connect", "disconnect", "default", "send", "online"} {
		f.answer(name, `{"statusCode":200}`, nil)
	}
	return f
}

func (f *functions) answer(name, answer string, err error) {
	f.on(name, func(context.Context, []byte) ([]byte, error) { return []byte(answer), err })
}

func (f *functions) on(name string, do func(context.Context, []byte) ([]byte, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.do[name] = do
	if f.events[name] == nil {
		f.events[name] = make(chan []byte, 10000)
	}
}

func (f *functions) invoke(ctx context.Context, arn string, event []byte) ([]byte, error) {
	name := arn[strings.LastIndex(arn, ":")+1:]
	f.mu.Lock()
	do, events := f.do[name], f.events[name]
	f.mu.Unlock()
	if do == nil {
		return nil, errors.New("no such function: " + arn)
	}
	events <- event
	return do(ctx, event)
}

// event waits for a function's next event.
func (f *functions) event(t *testing.T, name string) map[string]any {
	t.Helper()
	f.mu.Lock()
	events := f.events[name]
	f.mu.Unlock()
	select {
	case text := <-events:
		var v map[string]any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("%s was not invoked", name)
	}
	return nil
}

// invoked is how many invocations of a function no test has read yet.
func (f *functions) invoked(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.events[name])
}

func uri(function string) string {
	return "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000000:function:" + function + "/invocations"
}

// log collects the lines that a gateway writes.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

func newGateway(t testing.TB, f *functions, o Options) *Gateway {
	o.Region, o.Account, o.Invoke = "eu-west-1", "000000000000", f.invoke
	g := New(o)
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return g
}

// must fails the test on an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// socketStage is a WebSocket API as the program declares it; more can add routes before it is deployed.
func socketStage(t testing.TB, g *Gateway, more ...func(*API)) *Stage {
	a := must[*API](t)(g.CreateAPI(APIConfig{
		Name: "sockets", Protocol: WebSocket, RouteSelectionExpression: "$request.body.action", Address: "127.0.0.1:0",
	}))
	auth := must[AuthorizerID](t)(a.CreateAuthorizer(AuthorizerConfig{Name: "jwt", Type: "REQUEST", URI: uri("authorizer")}))
	addRoute(t, a, "connect", RouteConfig{Key: "$connect", AuthorizationType: "CUSTOM", Authorizer: auth})
	addRoute(t, a, "disconnect", RouteConfig{Key: "$disconnect"})
	mock := must[IntegrationID](t)(a.CreateIntegration(IntegrationConfig{
		Type: "MOCK", RequestTemplates: map[string]string{"200": `{"statusCode":200}`}, TemplateSelectionExpression: "200",
	}))
	must[IntegrationResponseID](t)(a.CreateIntegrationResponse(IntegrationResponseConfig{
		Integration: mock, Key: "$default", ResponseTemplates: map[string]string{"200": `{"action":"pong"}`}, TemplateSelectionExpression: "200",
	}))
	ping := must[RouteID](t)(a.CreateRoute(RouteConfig{Key: "ping", Target: "integrations/" + string(mock), RouteResponseSelectionExpression: "$default"}))
	must[RouteResponseID](t)(a.CreateRouteResponse(ping, "$default"))
	for _, m := range more {
		m(a)
	}
	return deploy(t, a, StageConfig{Name: "local"})
}

func addRoute(t testing.TB, a *API, function string, c RouteConfig) RouteID {
	version := "1.0"
	if a.config.Protocol == HTTP {
		version = "2.0"
	}
	in := must[IntegrationID](t)(a.CreateIntegration(IntegrationConfig{Type: "AWS_PROXY", Method: "POST", URI: uri(function), PayloadFormatVersion: version}))
	c.Target = "integrations/" + string(in)
	return must[RouteID](t)(a.CreateRoute(c))
}

func deploy(t testing.TB, a *API, c StageConfig) *Stage {
	if !c.AutoDeploy {
		c.Deployment = must[DeploymentID](t)(a.CreateDeployment(""))
	}
	return must[*Stage](t)(a.CreateStage(c))
}

// dial opens a connection and closes it when the test ends.
func dial(t testing.TB, s *Stage, o *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, s.InvokeURL(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func write(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// closeOf waits until a connection ends and returns its code and reason.
func closeOf(t *testing.T, c *websocket.Conn) (websocket.StatusCode, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, _, err := c.Read(ctx)
		var said websocket.CloseError
		if errors.As(err, &said) {
			return said.Code, said.Reason
		}
		if err != nil {
			t.Fatalf("the connection ended with %v", err)
		}
	}
}
