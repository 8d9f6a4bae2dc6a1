package gateway

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// API is one WebSocket or HTTP API.
type API struct {
	g       *Gateway
	id      APIID
	config  APIConfig
	address string // host:port
	server  *http.Server

	mu           sync.Mutex
	authorizers  map[AuthorizerID]AuthorizerConfig
	integrations map[IntegrationID]*integration
	routes       map[RouteID]*route
	deployments  map[DeploymentID]*deployment
	stages       map[string]*Stage
}

// integration is an integration with the responses added to it.
type integration struct {
	IntegrationConfig
	function  string // the ARN, for AWS_PROXY
	responses map[string]IntegrationResponseConfig
}

// route is a route with the responses added to it.
type route struct {
	RouteConfig
	responses map[string]bool
}

func newAPI(g *Gateway, c APIConfig, l net.Listener) *API {
	return &API{
		g: g, id: APIID(resourceID(10)), config: c, address: l.Addr().String(),
		authorizers: map[AuthorizerID]AuthorizerConfig{}, integrations: map[IntegrationID]*integration{},
		routes: map[RouteID]*route{}, deployments: map[DeploymentID]*deployment{}, stages: map[string]*Stage{},
	}
}

// ID is the API's id.
func (a *API) ID() APIID { return a.id }

// ARN is the API's ARN, arn:aws:apigateway:<region>::/apis/<id>.
func (a *API) ARN() string {
	return fmt.Sprintf("arn:aws:apigateway:%s::/apis/%s", a.g.options.Region, a.id)
}

// ExecutionARN is arn:aws:execute-api:<region>:<account>:<id>, the prefix of the ARNs of all routes.
func (a *API) ExecutionARN() string {
	return fmt.Sprintf("arn:aws:execute-api:%s:%s:%s", a.g.options.Region, a.g.options.Account, a.id)
}

// Endpoint is ws://127.0.0.1:<port> or http://127.0.0.1:<port>.
func (a *API) Endpoint() string {
	if a.config.Protocol == WebSocket {
		return "ws://" + a.address
	}
	return "http://" + a.address
}

// bodySelection is a route selection expression of a WebSocket API.
var bodySelection = regexp.MustCompile(`^\$(?:request\.body\.([A-Za-z0-9_-]+)|\{request\.body\.([A-Za-z0-9_-]+)\})$`)

// check refuses what API Gateway refuses, and any address that other machines could reach.
func (c APIConfig) check() error {
	host, _, err := net.SplitHostPort(c.Address)
	switch {
	case c.Name == "":
		return badRequest("an API needs a name")
	case err != nil:
		return badRequest("the address of the API %s: %v", c.Name, err)
	case !net.ParseIP(host).IsLoopback() && host != "localhost":
		return badRequest("the API %s would listen at %s, which is not on loopback", c.Name, c.Address)
	case c.Protocol == WebSocket && c.CORS != nil:
		return badRequest("the WebSocket API %s has a CORS configuration, which is for HTTP APIs", c.Name)
	case c.Protocol == WebSocket && !bodySelection.MatchString(c.RouteSelectionExpression):
		return badRequest("the route selection expression %q of %s is not $request.body.<field>", c.RouteSelectionExpression, c.Name)
	case c.Protocol == HTTP && c.RouteSelectionExpression != "" && c.RouteSelectionExpression != "$request.method $request.path" &&
		c.RouteSelectionExpression != "${request.method} ${request.path}":
		return badRequest("the route selection expression %q of the HTTP API %s is not $request.method $request.path", c.RouteSelectionExpression, c.Name)
	case c.Protocol != WebSocket && c.Protocol != HTTP:
		return badRequest("the protocol %q of the API %s is neither WEBSOCKET nor HTTP", c.Protocol, c.Name)
	}
	return c.CORS.check()
}

// routeField is the field of a message that names its route.
func (c APIConfig) routeField() string {
	parts := bodySelection.FindStringSubmatch(c.RouteSelectionExpression)
	return parts[1] + parts[2]
}

// invokeARN extracts the function's ARN from an invoke ARN.
var invokeARN = regexp.MustCompile(`^arn:aws:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/(arn:aws:lambda:[^/]+)/invocations$`)

func functionOf(uri string) (string, error) {
	if parts := invokeARN.FindStringSubmatch(uri); parts != nil {
		return parts[1], nil
	}
	if strings.HasPrefix(uri, "arn:aws:lambda:") && strings.Contains(uri, ":function:") {
		return uri, nil
	}
	return "", badRequest("the URI %q is no function's invoke ARN", uri)
}

// CreateAuthorizer adds an authorizer.
func (a *API) CreateAuthorizer(c AuthorizerConfig) (AuthorizerID, error) {
	if err := a.checkAuthorizer(c); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, other := range a.authorizers {
		if other.Name == c.Name {
			return "", badRequest("Authorizer name must be unique. Authorizer %s already exists in this API", c.Name)
		}
	}
	id := AuthorizerID(resourceID(6))
	a.authorizers[id] = c
	return id, nil
}

// checkAuthorizer refuses settings that the simulator would otherwise ignore.
func (a *API) checkAuthorizer(c AuthorizerConfig) error {
	prefix, format := "route.request.", ""
	if a.config.Protocol == HTTP {
		prefix, format = "$request.", "1.0"
	}
	switch {
	case c.Name == "":
		return badRequest("an authorizer needs a name")
	case c.Type != "REQUEST":
		return badRequest("the authorizer %s is of the type %q; the simulator knows REQUEST", c.Name, c.Type)
	case c.PayloadFormatVersion != format:
		return badRequest("the authorizer %s has the payload format version %q; for %s APIs the simulator knows %q", c.Name, c.PayloadFormatVersion, a.config.Protocol, format)
	case c.ResultTTL != 0:
		return badRequest("the authorizer %s keeps its results for %v; the simulator knows 0", c.Name, c.ResultTTL)
	case len(c.IdentitySources) == 0 && a.config.Protocol == HTTP && c.ResultTTL != 0:
		return badRequest("the authorizer %s needs an identity source to keep results", c.Name)
	}
	for _, source := range c.IdentitySources {
		kind, name, _ := strings.Cut(strings.TrimPrefix(source, prefix), ".")
		if !strings.HasPrefix(source, prefix) || name == "" || kind != "header" && kind != "querystring" {
			return badRequest("the identity source %q of %s is neither %sheader.<name> nor %squerystring.<name>", source, c.Name, prefix, prefix)
		}
	}
	_, err := functionOf(c.URI)
	return err
}

// CreateIntegration adds an integration.
func (a *API) CreateIntegration(c IntegrationConfig) (IntegrationID, error) {
	setDefault(&c.PayloadFormatVersion, "1.0")
	limit := a.g.options.Limits.SocketIntegration
	if a.config.Protocol == HTTP {
		limit = a.g.options.Limits.HTTPIntegration
	}
	setDefault(&c.Timeout, limit)
	if c.Timeout < min(50*time.Millisecond, limit) || c.Timeout > limit {
		return "", badRequest("the time-out of an integration is %v; it must be from 50 ms to %v", c.Timeout, limit)
	}
	in := &integration{IntegrationConfig: c, responses: map[string]IntegrationResponseConfig{}}
	if err := a.checkIntegration(in); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	id := IntegrationID(resourceID(7))
	a.integrations[id] = in
	return id, nil
}

// checkIntegration refuses integrations that the simulator can't run, and finds the function of the others.
func (a *API) checkIntegration(in *integration) (err error) {
	switch {
	case in.Type == "MOCK" && a.config.Protocol == WebSocket:
		return checkMock(in.IntegrationConfig)
	case in.Type != "AWS_PROXY":
		return badRequest("the simulator does not know integrations of the type %q for %s APIs", in.Type, a.config.Protocol)
	case in.Method != "POST":
		return badRequest("an integration with a function has the method POST, not %q", in.Method)
	case a.config.Protocol == WebSocket && in.PayloadFormatVersion != "1.0",
		a.config.Protocol == HTTP && in.PayloadFormatVersion != "2.0":
		return badRequest("the simulator does not know the payload format version %q for %s APIs", in.PayloadFormatVersion, a.config.Protocol)
	case len(in.RequestTemplates) > 0 || in.TemplateSelectionExpression != "":
		return badRequest("an integration with a function has no request templates")
	}
	in.function, err = functionOf(in.URI)
	return err
}

// CreateIntegrationResponse adds a response to a MOCK integration.
func (a *API) CreateIntegrationResponse(c IntegrationResponseConfig) (IntegrationResponseID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	in, ok := a.integrations[c.Integration]
	switch {
	case !ok:
		return "", notFound("Unable to find Integration with the ID %s", c.Integration)
	case in.Type != "MOCK":
		return "", badRequest("the simulator knows integration responses of MOCK integrations only, not of %s", in.Type)
	case c.Key != "$default" && !statusKey.MatchString(c.Key):
		return "", badRequest("the key %q of an integration response is neither $default nor /<status>/", c.Key)
	}
	if _, taken := in.responses[c.Key]; taken {
		return "", conflict("the integration %s has a response with the key %s", c.Integration, c.Key)
	}
	if _, err := chooseTemplate(c.ResponseTemplates, c.TemplateSelectionExpression); err != nil {
		return "", err
	}
	in.responses[c.Key] = c
	return IntegrationResponseID(resourceID(7)), nil
}

var statusKey = regexp.MustCompile(`^/\d{3}/$`)

// CreateRoute adds a route.
func (a *API) CreateRoute(c RouteConfig) (RouteID, error) {
	if err := a.checkRoute(c); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, other := range a.routes {
		if other.Key == c.Key {
			return "", conflict("Route with key %s already exists for this API", c.Key)
		}
	}
	if in := IntegrationID(strings.TrimPrefix(c.Target, "integrations/")); a.integrations[in] == nil {
		return "", notFound("Unable to find Integration with the ID %s", in)
	}
	if _, ok := a.authorizers[c.Authorizer]; !ok && c.Authorizer != "" {
		return "", notFound("Unable to find Authorizer with the ID %s", c.Authorizer)
	}
	id := RouteID(resourceID(7))
	a.routes[id] = &route{RouteConfig: c, responses: map[string]bool{}}
	a.redeploy()
	return id, nil
}

// checkRoute refuses route keys and settings that AWS rejects or the simulator does not support.
func (a *API) checkRoute(c RouteConfig) error {
	switch {
	case a.config.Protocol == HTTP && !httpRoute.MatchString(c.Key):
		return badRequest("the route key %q is not <METHOD> <path> or $default; the simulator knows no path variables", c.Key)
	case a.config.Protocol == WebSocket && (c.Key == "" || strings.ContainsAny(c.Key, " /")):
		return badRequest("%q is not a route key of a WebSocket API", c.Key)
	case strings.HasPrefix(c.Key, "$") && !slices.Contains(predefined[a.config.Protocol], c.Key):
		return badRequest("the route key %q is not predefined", c.Key)
	case c.AuthorizationType == "CUSTOM" && c.Authorizer == "":
		return badRequest("the route %s has no authorizer", c.Key)
	case c.AuthorizationType != "CUSTOM" && c.AuthorizationType != "NONE" && c.AuthorizationType != "":
		return badRequest("the simulator does not know the authorization type %q", c.AuthorizationType)
	case c.AuthorizationType != "CUSTOM" && c.Authorizer != "":
		return badRequest("the route %s has an authorizer and the authorization type %q", c.Key, c.AuthorizationType)
	case a.config.Protocol == WebSocket && c.Key != "$connect" && c.AuthorizationType == "CUSTOM":
		return badRequest("Currently, authorization is restricted to the $connect route only")
	case c.RouteResponseSelectionExpression != "" && (a.config.Protocol == HTTP || c.RouteResponseSelectionExpression != "$default"):
		return badRequest("the route response selection expression %q of %s is not $default", c.RouteResponseSelectionExpression, c.Key)
	case !strings.HasPrefix(c.Target, "integrations/"):
		return badRequest("the target %q of the route %s is not integrations/<id>", c.Target, c.Key)
	}
	return nil
}

var (
	httpRoute  = regexp.MustCompile(`^(\$default|(ANY|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /[^\s{}]*)$`)
	predefined = map[Protocol][]string{WebSocket: {"$connect", "$disconnect", "$default"}, HTTP: {"$default"}}
)

// CreateRouteResponse makes a WebSocket route answer; the key is "$default".
func (a *API) CreateRouteResponse(id RouteID, key string) (RouteResponseID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.routes[id]
	switch {
	case !ok:
		return "", notFound("Unable to find Route with the ID %s", id)
	case a.config.Protocol != WebSocket:
		return "", badRequest("only routes of WebSocket APIs have responses")
	case key != "$default":
		return "", badRequest("the simulator knows the route response $default, not %q", key)
	case r.responses[key]:
		return "", conflict("the route %s has a response %s", r.Key, key)
	}
	r.responses[key] = true
	return RouteResponseID(resourceID(6)), nil
}
