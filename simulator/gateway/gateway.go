package gateway

import (
	"errors"
	"net/http"
)

var errLater = errors.New("gateway: not there yet")

// Gateway holds the APIs.
type Gateway struct{}

// New makes a Gateway without APIs.
func New(o Options) *Gateway { return nil }

// CreateAPI makes an API and starts to listen at its address. A port in use, or a value that API Gateway
// refuses, is an error.
func (g *Gateway) CreateAPI(c APIConfig) (*API, error) { return nil, errLater }

// API gives an API by its id; an unknown one is a NotFoundException.
func (g *Gateway) API(id APIID) (*API, error) { return nil, errLater }

// Connections lists the open connections of all APIs, oldest first.
func (g *Gateway) Connections() []Connection { return nil }

// ConnectionsHandler serves POST, GET and DELETE of …/@connections/{id} for the connections of all APIs, to be
// mounted at an AWS endpoint that clients use without a stage in the path.
func (g *Gateway) ConnectionsHandler() http.Handler { return nil }

// Close closes listeners and connections, without $disconnect, and waits for what is under way.
func (g *Gateway) Close() error { return nil }

// API is one WebSocket or HTTP API.
type API struct{}

// ID is the API's id.
func (a *API) ID() APIID { return "" }

// ARN is the API's ARN (arn:aws:apigateway:…), ExecutionARN what routes' ARNs begin with.
func (a *API) ARN() string { return "" }

// ExecutionARN is arn:aws:execute-api:<region>:<account>:<id>.
func (a *API) ExecutionARN() string { return "" }

// Endpoint is ws://127.0.0.1:<port> or http://127.0.0.1:<port>.
func (a *API) Endpoint() string { return "" }

// CreateAuthorizer adds an authorizer.
func (a *API) CreateAuthorizer(c AuthorizerConfig) (AuthorizerID, error) { return "", errLater }

// CreateIntegration adds an integration.
func (a *API) CreateIntegration(c IntegrationConfig) (IntegrationID, error) { return "", errLater }

// CreateIntegrationResponse adds an answer to a MOCK integration.
func (a *API) CreateIntegrationResponse(c IntegrationResponseConfig) (IntegrationResponseID, error) {
	return "", errLater
}

// CreateRoute adds a route.
func (a *API) CreateRoute(c RouteConfig) (RouteID, error) { return "", errLater }

// CreateRouteResponse lets a WebSocket route answer; the key is "$default".
func (a *API) CreateRouteResponse(route RouteID, key string) (RouteResponseID, error) {
	return "", errLater
}

// CreateDeployment takes a snapshot of the routes and all that they use.
func (a *API) CreateDeployment(description string) (DeploymentID, error) { return "", errLater }

// CreateStage serves a deployment.
func (a *API) CreateStage(c StageConfig) (*Stage, error) { return nil, errLater }

// Stage is a served deployment.
type Stage struct{}

// InvokeURL is ws://127.0.0.1:<port>/<stage>, http://127.0.0.1:<port>/<stage>, or http://127.0.0.1:<port>/ for
// $default.
func (s *Stage) InvokeURL() string { return "" }

// ARN is the stage's ARN; ExecutionARN what its routes' ARNs begin with.
func (s *Stage) ARN() string { return "" }

// ExecutionARN is arn:aws:execute-api:<region>:<account>:<api>/<stage>.
func (s *Stage) ExecutionARN() string { return "" }
