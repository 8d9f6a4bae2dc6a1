package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestHandshake proves that the answers of the authorizer and $connect decide the outcome of the handshake.
func TestHandshake(t *testing.T) {
	t.Parallel()
	implicit := strings.Replace(allow, `"Resource":"*"`, `"Resource":"arn:aws:execute-api:eu-west-1:000000000000:*/other/*"`, 1)
	tests := map[string]struct {
		authorizer, connect           string
		authorizerFails, connectFails error
		status                        int
		message                       string
		invoked                       bool // whether $connect ran
	}{
		"allowed":                   {status: 101, invoked: true},
		"denied":                    {authorizer: deny, status: 403, message: "Forbidden"},
		"allowed and denied":        {authorizer: strings.Replace(allow, `[{`, `[{"Effect":"Deny","Action":"execute-api:invoke","Resource":["arn:*:?*/local/$connect"]},{`, 1), status: 403, message: "Forbidden"},
		"not allowed":               {authorizer: implicit, status: 403, message: "Forbidden"},
		"no policy":                 {authorizer: `{"principalId":"1"}`, status: 500, message: "Internal server error"},
		"no JSON":                   {authorizer: `oops`, status: 500, message: "Internal server error"},
		"object in the context":     {authorizer: strings.Replace(allow, `"1234","tok`, `{},"tok`, 1), status: 500, message: "Internal server error"},
		"over 8 KB":                 {authorizer: strings.Replace(allow, `"2016239022"`, `"`+strings.Repeat("9", 8<<10)+`"`, 1), status: 500, message: "Internal server error"},
		"authorizer: Unauthorized":  {authorizerFails: failure("Unauthorized"), status: 401, message: "Unauthorized"},
		"authorizer: something":     {authorizerFails: failure("unauthorized"), status: 500, message: "Internal server error"},
		"authorizer: can't be run":  {authorizerFails: errors.New("Unauthorized"), status: 500, message: "Internal server error"},
		"connect: 201":              {connect: `{"statusCode":201}`, status: 101, invoked: true},
		"connect: 400":              {connect: `{"statusCode":400}`, status: 400, message: "Bad Request", invoked: true},
		"connect: 401":              {connect: `{"statusCode":401}`, status: 401, message: "Unauthorized", invoked: true},
		"connect: 503":              {connect: `{"statusCode":503}`, status: 503, message: "Service Unavailable", invoked: true},
		"connect: fails":            {connectFails: failure("boom"), status: 502, message: "Internal server error", invoked: true},
		"connect: can't be run":     {connectFails: errors.New("throttled"), status: 500, message: "Internal server error", invoked: true},
		"connect: no statusCode":    {connect: `{"ok":true}`, status: 502, message: "Internal server error", invoked: true},
		"connect: no object":        {connect: `"ok"`, status: 502, message: "Internal server error", invoked: true},
		"connect: status is a text": {connect: `{"statusCode":"200"}`, status: 502, message: "Internal server error", invoked: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, problems := newFunctions(), &log{}
			setDefault(&tt.authorizer, allow)
			setDefault(&tt.connect, `{"statusCode":200}`)
			f.answer("authorizer", tt.authorizer, tt.authorizerFails)
			f.answer("connect", tt.connect, tt.connectFails)
			g := newGateway(t, f, Options{Problem: problems.add})
			s := socketStage(t, g)
			c, response, err := websocket.Dial(t.Context(), s.InvokeURL(), nil)
			if response == nil || response.StatusCode != tt.status {
				t.Fatalf("the answer is %v, %v; want %d", response, err, tt.status)
			}
			if got := f.invoked("connect") == 1; got != tt.invoked {
				t.Errorf("$connect was invoked: %v", got)
			}
			if tt.status == 101 {
				_ = c.CloseNow()
				return
			}
			body, _ := io.ReadAll(response.Body)
			if want := regexp.MustCompile(`^\{"message": "` + tt.message + `", "connectionId":"[\w-]{15}=", "requestId":"[\w-]{15}="\}$`); !want.Match(body) {
				t.Errorf("the body is %s", body)
			}
			if hidden := tt.message == "Internal server error"; hidden != (len(problems.all()) == 1) {
				t.Errorf("the problems are %q", problems.all())
			}
			if len(g.Connections()) != 0 || f.invoked("disconnect") != 0 {
				t.Error("a refused connection is open or was disconnected")
			}
		})
	}
}

func TestMissingIdentitySourceIsUnauthorizedWithoutInvocation(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{})
	a := must[*API](t)(g.CreateAPI(APIConfig{Name: "a", Protocol: WebSocket, RouteSelectionExpression: "$request.body.action", Address: "127.0.0.1:0"}))
	auth := must[AuthorizerID](t)(a.CreateAuthorizer(AuthorizerConfig{
		Name: "jwt", Type: "REQUEST", URI: uri("authorizer"),
		IdentitySources: []string{"route.request.header.X-Token", "route.request.querystring.user"},
	}))
	addRoute(t, a, "connect", RouteConfig{Key: "$connect", AuthorizationType: "CUSTOM", Authorizer: auth})
	s := deploy(t, a, StageConfig{Name: "local"})
	for query, want := range map[string]int{"": 401, "?user=": 401, "?user=1": 101} {
		c, response, _ := websocket.Dial(t.Context(), s.InvokeURL()+query, &websocket.DialOptions{HTTPHeader: http.Header{"X-Token": {"t"}}})
		if response.StatusCode != want {
			t.Errorf("%q is answered with %d, want %d", query, response.StatusCode, want)
		}
		if c != nil {
			_ = c.CloseNow()
		}
	}
	if n := f.invoked("authorizer"); n != 1 {
		t.Errorf("the authorizer was invoked %d times, want once", n)
	}
}

func TestUpgradePendsUntilConnectHasAnswered(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	answer := make(chan struct{})
	f.on("connect", func(ctx context.Context, _ []byte) ([]byte, error) {
		<-answer
		return []byte(`{"statusCode":200}`), nil
	})
	g := newGateway(t, f, Options{})
	s := socketStage(t, g)
	opened := make(chan *websocket.Conn)
	go func() {
		c, _, err := websocket.Dial(t.Context(), s.InvokeURL(), nil)
		if err != nil {
			t.Error(err)
		}
		opened <- c
	}()
	id := f.event(t, "connect")["requestContext"].(map[string]any)["connectionId"].(string)
	api := management(t, s)
	if err := post(t, api, id, "too early"); !isGone(err) {
		t.Errorf("posting inside $connect gives %v, want GoneException", err)
	}
	select {
	case <-opened:
		t.Fatal("the connection was open before $connect had answered")
	default:
	}
	close(answer)
	c := <-opened
	defer func() { _ = c.CloseNow() }()
	if err := post(t, api, id, "now"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c); got != "now" {
		t.Errorf("the client read %q", got)
	}
}

func TestWhatConnectPostsAtOnceArrivesAfterTheUpgrade(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{})
	s := socketStage(t, g)
	c := dial(t, s, nil)
	id := string(g.Connections()[0].ID) // open by the time the client knows
	if err := post(t, management(t, s), id, "first"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c); got != "first" {
		t.Errorf("the client read %q", got)
	}
}

func TestSubprotocolIsWhatConnectAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answer, want string }{
		"echoed":     {`{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"heliograph"}}`, "heliograph"},
		"lower case": {`{"statusCode":200,"headers":{"sec-websocket-protocol":"heliograph"}}`, "heliograph"},
		"none":       {`{"statusCode":200}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunctions()
			f.answer("connect", tt.answer, nil)
			s := socketStage(t, newGateway(t, f, Options{}))
			c := dial(t, s, &websocket.DialOptions{Subprotocols: []string{"heliograph", "bearer.token"}})
			if c.Subprotocol() != tt.want {
				t.Errorf("the subprotocol is %q, want %q", c.Subprotocol(), tt.want)
			}
		})
	}
}

func TestRequestsThatAreNoHandshake(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	s := socketStage(t, newGateway(t, f, Options{}))
	url := strings.Replace(s.InvokeURL(), "ws://", "http://", 1)
	handshake := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	for name, tt := range map[string]struct {
		url     string
		without string
		status  int
	}{
		"plain GET":     {url, "Upgrade", 426},
		"no version":    {url, "Sec-Websocket-Version", 400},
		"no key":        {url, "Sec-Websocket-Key", 400},
		"unknown stage": {url + "x", "", 403},
		"deeper path":   {url + "/x", "", 403},
		"no stage":      {strings.TrimSuffix(url, "local"), "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.url, nil)
			r.Header = handshake.Clone()
			r.Header.Del(tt.without)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != tt.status {
				t.Errorf("the status is %d, want %d", response.StatusCode, tt.status)
			}
		})
	}
	if n := f.invoked("authorizer"); n != 0 {
		t.Errorf("the authorizer was invoked %d times", n)
	}
}

func TestMessagesAreRoutedByTheirAction(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		message  string
		function string // "" if the gateway answers
		answer   string // a regular expression
		key      string
	}{
		"mock":             {message: `{"action":"ping"}`, answer: `^\{"action":"pong"\}$`},
		"own route":        {message: `{"action":"send","to":1}`, function: "send", key: "send"},
		"unknown action":   {message: `{"action":"else"}`, function: "default", key: "$default"},
		"no action":        {message: `{}`, function: "default", key: "$default"},
		"no JSON":          {message: `hello`, function: "default", key: "$default"},
		"action no text":   {message: `{"action":1}`, function: "default", key: "$default"},
		"predefined route": {message: `{"action":"$disconnect"}`, function: "default", key: "$default"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunctions()
			s := socketStage(t, newGateway(t, f, Options{}), func(a *API) {
				addRoute(t, a, "send", RouteConfig{Key: "send"})
				addRoute(t, a, "default", RouteConfig{Key: "$default"})
			})
			c := dial(t, s, nil)
			write(t, c, tt.message)
			if tt.function == "" {
				if got := read(t, c); !regexp.MustCompile(tt.answer).MatchString(got) {
					t.Errorf("the answer is %s", got)
				}
				return
			}
			event := f.event(t, tt.function)
			if got := event["requestContext"].(map[string]any)["routeKey"]; got != tt.key || event["body"] != tt.message {
				t.Errorf("the route is %v, the body %v", got, event["body"])
			}
		})
	}
}

func TestMessageWithoutRouteIsForbidden(t *testing.T) {
	t.Parallel()
	s := socketStage(t, newGateway(t, newFunctions(), Options{}))
	c := dial(t, s, nil)
	for _, m := range []string{`{"action":"else"}`, `hello`} {
		write(t, c, m)
		if got := read(t, c); !regexp.MustCompile(`^\{"message": "Forbidden", "connectionId":"[\w-]{15}=", "requestId":"[\w-]{15}="\}$`).MatchString(got) {
			t.Errorf("%s is answered with %s", m, got)
		}
	}
}

func TestRouteWithResponseAnswersTheClient(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		err    error
		want   string
	}{
		"body":         {answer: `{"statusCode":200,"body":"hello"}`, want: `^hello$`},
		"failure":      {err: failure("boom"), want: `^\{"message": "Internal server error", "connectionId":`},
		"odd answer":   {answer: `{}`, want: `^\{"message": "Internal server error", "connectionId":`},
		"status 500":   {answer: `{"statusCode":500,"body":"sorry"}`, want: `^sorry$`},
		"not in time":  {answer: "hang", want: `^\{"message": "Endpoint request timed out", "connectionId":`},
		"no such":      {err: errors.New("ResourceNotFoundException"), want: `^\{"message": "Internal server error"`},
		"quoted bytes": {answer: `{"statusCode":200,"body":"{\"a\":\"\u00e4\"}"}`, want: `^\{"a":"ä"\}$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunctions()
			f.on("send", func(ctx context.Context, _ []byte) ([]byte, error) {
				if tt.answer == "hang" {
					<-ctx.Done()
					return nil, context.Cause(ctx)
				}
				return []byte(tt.answer), tt.err
			})
			s := socketStage(t, newGateway(t, f, Options{Limits: Limits{SocketIntegration: 50 * time.Millisecond}}), func(a *API) {
				id := addRoute(t, a, "send", RouteConfig{Key: "send", RouteResponseSelectionExpression: "$default"})
				must[RouteResponseID](t)(a.CreateRouteResponse(id, "$default"))
			})
			c := dial(t, s, nil)
			write(t, c, `{"action":"send"}`)
			if got := read(t, c); !regexp.MustCompile(tt.want).MatchString(got) {
				t.Errorf("the answer is %s", got)
			}
		})
	}
}

func TestMessagesOfAConnectionDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	f.on("default", func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	g := newGateway(t, f, Options{})
	s := socketStage(t, g, func(a *API) { addRoute(t, a, "default", RouteConfig{Key: "$default"}) })
	c := dial(t, s, nil)
	write(t, c, `slow`)
	f.event(t, "default")
	write(t, c, `{"action":"ping"}`)
	if got := read(t, c); got != `{"action":"pong"}` {
		t.Errorf("the answer is %s", got)
	}
}

func TestPermissionIsNeeded(t *testing.T) {
	t.Parallel()
	var asked log
	f := newFunctions()
	allowed := map[string]bool{}
	s := socketStage(t, newGateway(t, f, Options{Permitted: func(source, function string) bool {
		asked.add(source)
		return allowed[function]
	}}))
	lambda := "arn:aws:lambda:eu-west-1:000000000000:function:"
	status := func() int {
		c, response, _ := websocket.Dial(t.Context(), s.InvokeURL(), nil)
		if c != nil {
			_ = c.CloseNow()
		}
		return response.StatusCode
	}
	if got := status(); got != 500 || f.invoked("authorizer") != 0 {
		t.Errorf("without permission for the authorizer the status is %d", got)
	}
	allowed[lambda+"authorizer"] = true
	if got := status(); got != 500 || f.invoked("connect") != 0 {
		t.Errorf("without permission for $connect the status is %d", got)
	}
	allowed[lambda+"connect"] = true
	if got := status(); got != 101 {
		t.Errorf("with all permissions the status is %d", got)
	}
	lines := strings.Join(asked.all(), "\n")
	api := s.api.ExecutionARN()
	if !strings.Contains(lines, api+"/authorizers/") || !strings.Contains(lines, api+"/local/$connect") {
		t.Errorf("the sources were\n%s", lines)
	}
}

func TestConnectionsAreThrottled(t *testing.T) {
	t.Parallel()
	s := socketStage(t, newGateway(t, newFunctions(), Options{Limits: Limits{Connects: 2}}))
	statuses := map[int]int{}
	for range 4 {
		c, response, _ := websocket.Dial(t.Context(), s.InvokeURL(), nil)
		statuses[response.StatusCode]++
		if c != nil {
			defer func() { _ = c.CloseNow() }()
		}
	}
	if statuses[101] < 2 || statuses[429] == 0 {
		t.Errorf("4 connections at 2 a second are answered with %v", statuses)
	}
}

func TestMessagesAreThrottled(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{})
	a := must[*API](t)(g.CreateAPI(APIConfig{Name: "a", Protocol: WebSocket, RouteSelectionExpression: "$request.body.action", Address: "127.0.0.1:0"}))
	addRoute(t, a, "default", RouteConfig{Key: "$default"})
	s := deploy(t, a, StageConfig{Name: "local", ThrottleRate: 0.001, ThrottleBurst: 2})
	c := dial(t, s, nil) // uses up one
	write(t, c, "one")
	f.event(t, "default")
	write(t, c, "two")
	if got := read(t, c); !strings.HasPrefix(got, `{"message": "Too Many Requests"`) {
		t.Errorf("the answer is %s", got)
	}
}

// TestAThousandConnections proves that a connection costs one goroutine and little memory.
func TestAThousandConnections(t *testing.T) {
	// Not parallel, because it counts goroutines and bytes.
	const n = 1000
	g := newGateway(t, newFunctions(), Options{Limits: Limits{Connects: -1}})
	s := socketStage(t, g)
	before := measure()
	conns := make([]io.Closer, n)
	for i := range conns {
		conns[i] = rawDial(t, s)
	}
	after := measure()
	for _, c := range conns {
		defer func() { _ = c.Close() }()
	}
	if got := len(g.Connections()); got != n {
		t.Fatalf("%d connections are open", got)
	}
	if each := float64(after.goroutines-before.goroutines) / n; each > 1.1 {
		t.Errorf("a connection has %.2f goroutines", each)
	}
	each := (after.bytes - before.bytes) / n
	t.Logf("a connection takes %d bytes, the client's socket included", each)
	if each > 32<<10 {
		t.Errorf("a connection takes %d bytes", each)
	}
}
