package gateway

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"heliograph/simulator/wire"
)

// TestCreationRefuses proves that any setting the simulator does not honour is an error at creation, never ignored.
func TestCreationRefuses(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	sockets := must[*API](t)(g.CreateAPI(APIConfig{Name: "s", Protocol: WebSocket, RouteSelectionExpression: "$request.body.action", Address: "127.0.0.1:0"}))
	plain := must[*API](t)(g.CreateAPI(APIConfig{Name: "h", Protocol: HTTP, Address: "127.0.0.1:0"}))
	proxy := IntegrationConfig{Type: "AWS_PROXY", Method: "POST", URI: uri("f"), PayloadFormatVersion: "1.0"}
	in := must[IntegrationID](t)(sockets.CreateIntegration(proxy))
	target := "integrations/" + string(in)
	mock := IntegrationConfig{Type: "MOCK", RequestTemplates: map[string]string{"200": `{"statusCode":200}`}, TemplateSelectionExpression: "200"}
	mocked := must[IntegrationID](t)(sockets.CreateIntegration(mock))
	api := func(c APIConfig) func() error {
		return func() error { _, err := g.CreateAPI(c); return err }
	}
	integration := func(a *API, c IntegrationConfig, change func(*IntegrationConfig)) func() error {
		change(&c)
		return func() error { _, err := a.CreateIntegration(c); return err }
	}
	authorizer := func(a *API, change func(*AuthorizerConfig)) func() error {
		c := AuthorizerConfig{Name: "n", Type: "REQUEST", URI: uri("f")}
		if a == plain {
			c.PayloadFormatVersion = "1.0"
		}
		change(&c)
		return func() error { _, err := a.CreateAuthorizer(c); return err }
	}
	route := func(a *API, c RouteConfig) func() error {
		return func() error { _, err := a.CreateRoute(c); return err }
	}
	stage := func(a *API, c StageConfig) func() error {
		return func() error { _, err := a.CreateStage(c); return err }
	}
	answer := func(c IntegrationResponseConfig) func() error {
		return func() error { _, err := sockets.CreateIntegrationResponse(c); return err }
	}
	format := func(f string) StageConfig {
		return StageConfig{Name: "log", AutoDeploy: true, AccessLogDestination: logGroup, AccessLogFormat: f}
	}
	for name, tt := range map[string]struct {
		do   func() error
		says string
	}{
		"API without name":          {api(APIConfig{Protocol: HTTP, Address: "127.0.0.1:0"}), "needs a name"},
		"API of another protocol":   {api(APIConfig{Name: "n", Protocol: "REST", Address: "127.0.0.1:0"}), `protocol "REST"`},
		"API off loopback":          {api(APIConfig{Name: "n", Protocol: HTTP, Address: "0.0.0.0:0"}), "not on loopback"},
		"API without address":       {api(APIConfig{Name: "n", Protocol: HTTP}), "the address of the API n"},
		"sockets without selection": {api(APIConfig{Name: "n", Protocol: WebSocket, Address: "127.0.0.1:0"}), "route selection expression"},
		"sockets by a header":       {api(APIConfig{Name: "n", Protocol: WebSocket, RouteSelectionExpression: "$request.header.x", Address: "127.0.0.1:0"}), "route selection expression"},
		"sockets with CORS":         {api(APIConfig{Name: "n", Protocol: WebSocket, RouteSelectionExpression: "$request.body.a", CORS: &CORS{}, Address: "127.0.0.1:0"}), "CORS"},
		"HTTP by a body":            {api(APIConfig{Name: "n", Protocol: HTTP, RouteSelectionExpression: "$request.body.a", Address: "127.0.0.1:0"}), "route selection expression"},
		"CORS for all with secrets": {api(APIConfig{Name: "n", Protocol: HTTP, CORS: &CORS{AllowOrigins: []string{"*"}, AllowCredentials: true}, Address: "127.0.0.1:0"}), "Wildcard"},
		"CORS of an odd origin":     {api(APIConfig{Name: "n", Protocol: HTTP, CORS: &CORS{AllowOrigins: []string{"example.com"}}, Address: "127.0.0.1:0"}), "Invalid format for origin"},
		"CORS of part of a host":    {api(APIConfig{Name: "n", Protocol: HTTP, CORS: &CORS{AllowOrigins: []string{"https://*.example.com"}}, Address: "127.0.0.1:0"}), "would match nothing"},
		"CORS for long":             {api(APIConfig{Name: "n", Protocol: HTTP, CORS: &CORS{MaxAge: 86401}, Address: "127.0.0.1:0"}), "maximum age"},
		"integration of HTTP":       {integration(plain, proxy, func(c *IntegrationConfig) { c.Type = "HTTP_PROXY" }), `type "HTTP_PROXY"`},
		"mock of an HTTP API":       {integration(plain, mock, func(*IntegrationConfig) {}), `type "MOCK"`},
		"integration by GET":        {integration(sockets, proxy, func(c *IntegrationConfig) { c.Method = "GET" }), "method POST"},
		"sockets in format 2.0":     {integration(sockets, proxy, func(c *IntegrationConfig) { c.PayloadFormatVersion = "2.0" }), "payload format version"},
		"HTTP in format 1.0":        {integration(plain, proxy, func(*IntegrationConfig) {}), "payload format version"},
		"integration with a URL":    {integration(sockets, proxy, func(c *IntegrationConfig) { c.URI = "https://example.com" }), "no function's invoke ARN"},
		"proxy with templates":      {integration(sockets, proxy, func(c *IntegrationConfig) { c.RequestTemplates = mock.RequestTemplates }), "no request templates"},
		"long time-out":             {integration(sockets, proxy, func(c *IntegrationConfig) { c.Timeout = 30 * time.Second }), "time-out"},
		"short time-out":            {integration(sockets, proxy, func(c *IntegrationConfig) { c.Timeout = 49 * time.Millisecond }), "time-out"},
		"mock with a reference": {integration(sockets, mock, func(c *IntegrationConfig) {
			c.RequestTemplates = map[string]string{"200": `{"statusCode":$input.path('$')}`}
		}), `has "$i"`},
		"mock with a directive":      {integration(sockets, mock, func(c *IntegrationConfig) { c.RequestTemplates = map[string]string{"200": `#set($a = 1)`} }), `has "#s"`},
		"mock without status":        {integration(sockets, mock, func(c *IntegrationConfig) { c.RequestTemplates = map[string]string{"200": `{}`} }), "no JSON with a statusCode"},
		"mock without templates":     {integration(sockets, mock, func(c *IntegrationConfig) { c.RequestTemplates = nil }), "no JSON with a statusCode"},
		"mock with another choice":   {integration(sockets, mock, func(c *IntegrationConfig) { c.TemplateSelectionExpression = "201" }), "chooses none"},
		"mock with a URI":            {integration(sockets, mock, func(c *IntegrationConfig) { c.URI = uri("f") }), "neither a URI"},
		"response of nothing":        {answer(IntegrationResponseConfig{Integration: "x", Key: "$default"}), "Unable to find Integration"},
		"response of a proxy":        {answer(IntegrationResponseConfig{Integration: in, Key: "$default"}), "MOCK integrations only"},
		"response with an odd key":   {answer(IntegrationResponseConfig{Integration: mocked, Key: "200"}), "neither $default"},
		"response with a reference":  {answer(IntegrationResponseConfig{Integration: mocked, Key: "$default", ResponseTemplates: map[string]string{"200": "$context.requestId"}, TemplateSelectionExpression: "200"}), `has "$c"`},
		"authorizer of JWT":          {authorizer(plain, func(c *AuthorizerConfig) { c.Type = "JWT" }), `type "JWT"`},
		"authorizer in format 2.0":   {authorizer(plain, func(c *AuthorizerConfig) { c.PayloadFormatVersion = "2.0" }), "payload format version"},
		"sockets' with a format":     {authorizer(sockets, func(c *AuthorizerConfig) { c.PayloadFormatVersion = "1.0" }), "payload format version"},
		"authorizer that remembers":  {authorizer(plain, func(c *AuthorizerConfig) { c.ResultTTL = time.Minute }), "keeps its results"},
		"identity of the other kind": {authorizer(plain, func(c *AuthorizerConfig) { c.IdentitySources = []string{"route.request.header.A"} }), "identity source"},
		"identity of the context":    {authorizer(sockets, func(c *AuthorizerConfig) { c.IdentitySources = []string{"context.a"} }), "identity source"},
		"authorizer without URI":     {authorizer(sockets, func(c *AuthorizerConfig) { c.URI = "" }), "no function's invoke ARN"},
		"route to nothing":           {route(sockets, RouteConfig{Key: "a", Target: "integrations/x"}), "Unable to find Integration"},
		"route without target":       {route(sockets, RouteConfig{Key: "a"}), "the target"},
		"route of HTTP":              {route(sockets, RouteConfig{Key: "GET /a", Target: target}), "not a route key of a WebSocket API"},
		"route not predefined":       {route(sockets, RouteConfig{Key: "$else", Target: target}), "not predefined"},
		"route with a variable":      {route(plain, RouteConfig{Key: "GET /{id}", Target: target}), "no path variables"},
		"route by IAM":               {route(sockets, RouteConfig{Key: "$connect", Target: target, AuthorizationType: "AWS_IAM"}), "authorization type"},
		"authorizer on a message":    {route(sockets, RouteConfig{Key: "a", Target: target, AuthorizationType: "CUSTOM", Authorizer: "x"}), "restricted to the $connect route"},
		"route of unknown authority": {route(sockets, RouteConfig{Key: "$connect", Target: target, AuthorizationType: "CUSTOM", Authorizer: "x"}), "Unable to find Authorizer"},
		"route without authority":    {route(sockets, RouteConfig{Key: "$connect", Target: target, AuthorizationType: "CUSTOM"}), "has no authorizer"},
		"authority without type":     {route(sockets, RouteConfig{Key: "$connect", Target: target, Authorizer: "x"}), "authorization type"},
		"odd route response":         {route(sockets, RouteConfig{Key: "a", Target: target, RouteResponseSelectionExpression: "x"}), "route response selection"},
		"deployment of nothing":      {func() error { _, err := plain.CreateDeployment(""); return err }, "At least one route"},
		"stage of nothing":           {stage(sockets, StageConfig{Name: "s"}), "does not exist"},
		"sockets' default stage":     {stage(sockets, StageConfig{Name: "$default"}), "the stage name"},
		"sockets that deploy":        {stage(sockets, StageConfig{Name: "s", AutoDeploy: true}), "not supported for WebSocket"},
		"two ways to deploy":         {stage(plain, StageConfig{Name: "s", AutoDeploy: true, Deployment: "d"}), "deploys by itself"},
		"log without role":           {stage(sockets, StageConfig{Name: "s", AccessLogDestination: logGroup, AccessLogFormat: "$context.requestId"}), "CloudWatch Logs role ARN must be set in account settings to enable logging"},
		"log without format":         {stage(plain, StageConfig{Name: "s", AutoDeploy: true, AccessLogDestination: logGroup}), "needs a destination and a format"},
		"log to a bucket":            {stage(plain, StageConfig{Name: "s", AutoDeploy: true, AccessLogDestination: "arn:aws:s3:::b", AccessLogFormat: "$context.requestId"}), "no log group"},
		"log of the unknown":         {stage(plain, format("$context.requestId $context.wafLatency")), "$context.wafLatency"},
		"log of the query":           {stage(plain, format("$context.requestId $request.querystring")), "begins no $context variable"},
		"log with quotes twice":      {stage(plain, format(`{"id":"$context.requestId","error":"$context.error.messageString"}`)), `"error":""Forbidden""`},
		"log without quotes":         {stage(plain, format(`{"id":"$context.requestId","error":$context.error.messageString}`)), `"error":-`},
		"log without id":             {stage(plain, format("$context.status")), "must contain $context.requestId"},
		"log of two lines":           {stage(plain, format("$context.requestId\n$context.status")), "single line"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.do()
			var failure *wire.Error
			if !errors.As(err, &failure) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the error is %v, want %q in it", err, tt.says)
			}
		})
	}
}

func TestNamesAreTakenOnce(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	s := socketStage(t, g)
	a := s.api
	in := must[IntegrationID](t)(a.CreateIntegration(IntegrationConfig{Type: "AWS_PROXY", Method: "POST", URI: uri("f")}))
	errs := map[string]error{}
	_, errs["route"] = a.CreateRoute(RouteConfig{Key: "$connect", Target: "integrations/" + string(in)})
	_, errs["stage"] = a.CreateStage(StageConfig{Name: "local", Deployment: s.config.Deployment})
	_, errs["authorizer"] = a.CreateAuthorizer(AuthorizerConfig{Name: "jwt", Type: "REQUEST", URI: uri("f")})
	for id, r := range a.routes {
		if r.Key == "ping" {
			_, errs["route response"] = a.CreateRouteResponse(id, "$default")
		}
	}
	for id, in := range a.integrations {
		if in.Type == "MOCK" {
			_, errs["integration response"] = a.CreateIntegrationResponse(IntegrationResponseConfig{Integration: id, Key: "$default"})
		}
	}
	if len(errs) != 5 {
		t.Fatalf("%d names were tried", len(errs))
	}
	for what, err := range errs {
		var failure *wire.Error
		if !errors.As(err, &failure) {
			t.Errorf("a second %s of the same name: %v", what, err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	g := newGateway(t, newFunctions(), Options{})
	if _, err := g.CreateAPI(APIConfig{Name: "a", Protocol: HTTP, Address: l.Addr().String()}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("the error is %v", err)
	}
}

func TestADeploymentIsASnapshot(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{})
	s := socketStage(t, g)
	// Later changes are not served: a new route, and another answer of the mock integration.
	addRoute(t, s.api, "default", RouteConfig{Key: "$default"})
	for id, in := range s.api.integrations {
		if in.Type == "MOCK" {
			must[IntegrationResponseID](t)(s.api.CreateIntegrationResponse(IntegrationResponseConfig{
				Integration: id, Key: "/200/", ResponseTemplates: map[string]string{"$default": "later"},
			}))
		}
	}
	c := dial(t, s, nil)
	write(t, c, "x")
	if got := read(t, c); !strings.Contains(got, "Forbidden") {
		t.Errorf("a route that was not deployed answered %q", got)
	}
	write(t, c, `{"action":"ping"}`)
	if got := read(t, c); got != `{"action":"pong"}` {
		t.Errorf("the deployed answer is %q", got)
	}
	later := deploy(t, s.api, StageConfig{Name: "later"})
	c = dial(t, later, nil)
	write(t, c, "x")
	f.event(t, "default")
	write(t, c, `{"action":"ping"}`)
	if got := read(t, c); got != "later" {
		t.Errorf("the answer that was deployed later is %q", got)
	}
}

func TestNamesOfThings(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{})
	s := socketStage(t, g)
	a := s.api
	if again, err := g.API(a.ID()); err != nil || again != a {
		t.Errorf("the API is found as %v, %v", again, err)
	}
	if _, err := g.API("x"); err == nil {
		t.Error("an unknown API was found")
	}
	id := string(a.ID())
	for got, want := range map[string]string{
		a.ARN():          "arn:aws:apigateway:eu-west-1::/apis/" + id,
		a.ExecutionARN(): "arn:aws:execute-api:eu-west-1:000000000000:" + id,
		s.ARN():          "arn:aws:apigateway:eu-west-1::/apis/" + id + "/stages/local",
		s.ExecutionARN(): "arn:aws:execute-api:eu-west-1:000000000000:" + id + "/local",
		s.InvokeURL():    "ws://" + a.address + "/local",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
