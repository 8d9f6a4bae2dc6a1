package gateway

import (
	"context"
	"time"

	"heliograph/simulator/wire"
)

// Ids of the resources, as API Gateway gives them.
type (
	// APIID is ten lower-case letters and digits.
	APIID string
	// AuthorizerID is a short id, as are the next five: each of a resource of one API.
	AuthorizerID string
	// IntegrationID is an integration's.
	IntegrationID string
	// IntegrationResponseID is an integration response's.
	IntegrationResponseID string
	// RouteID is a route's.
	RouteID string
	// RouteResponseID is a route response's.
	RouteResponseID string
	// DeploymentID is a deployment's.
	DeploymentID string
	// ConnectionID names a WebSocket connection: 15 characters of base64 and "=".
	ConnectionID string
)

// Protocol is an API's kind.
type Protocol string

// The two protocols of API Gateway v2.
const (
	WebSocket Protocol = "WEBSOCKET"
	HTTP      Protocol = "HTTP"
)

// Options configure a Gateway. The zero value of a field means what its comment says.
type Options struct {
	// Region and Account go into ARNs and events. Required.
	Region, Account string
	// Hosts are the lower-case names under which the APIs may be called besides those of loopback. See package loopback.
	Hosts []string
	// Invoke runs a function and gives its answer. An error that has a method ErrorMessage() string is the
	// function's own failure, any other one means that it could not be run. Required.
	Invoke func(ctx context.Context, functionARN string, payload []byte) ([]byte, error)
	// Permitted says whether a function's policy lets API Gateway call it from a source ARN
	// (arn:aws:execute-api:…:<api>/<stage>/<route>, or …/authorizers/<id>). Nil permits all.
	Permitted func(sourceARN, functionARN string) bool
	// Before is asked about each @connections call before it is carried out, as wire's endpoint does.
	// An error refuses it, but wire.ErrAnswerLost. Nil allows all.
	Before func(ctx context.Context, call wire.Call) error
	// AccessLog takes a line of a stage's access log. Nil means nowhere.
	AccessLog func(destinationARN, line string)
	// Problem takes what API Gateway hides behind a 500 or a 403: what went wrong, in one line, with the API
	// and the route. Nil means nowhere.
	Problem func(text string)
	// Metric takes the gateway's own metrics, as CloudWatch has them in AWS/ApiGateway. Nil means nowhere.
	Metric func(Metric)
	// Disconnect may hold up or lose a connection's $disconnect: a fault on purpose. Nil means neither.
	Disconnect func(c Connection) (delay time.Duration, lost bool)
	// Limits are API Gateway's quotas.
	Limits Limits
	// LogRole is the ARN of the role by which API Gateway writes access logs of WebSocket APIs. Empty, as on a new account,
	// means none: then no such stage can have a log.
	LogRole string
	// Now is the clock of events and logs. Nil means time.Now.
	Now func() time.Time
}

// Limits are the quotas of API Gateway; a zero field means AWS's own value.
type Limits struct {
	// Idle ends a connection on which nothing was sent, either way. 0 means 10 minutes.
	Idle time.Duration
	// Life ends a connection. 0 means 2 hours.
	Life time.Duration
	// Message is the largest message either way, in bytes. 0 means 128 KB.
	Message int64
	// Frame is the largest frame from a client, in bytes. 0 means 32 KB.
	Frame int64
	// SocketIntegration and HTTPIntegration bound an integration's answer. 0 means 29 s and 30 s.
	SocketIntegration, HTTPIntegration time.Duration
	// Connects is how many connections may be opened in a second, with as much as a burst. 0 means 500;
	// less means no limit.
	Connects int
	// Requests is how many requests, messages and posts there may be in a second over all APIs, and
	// Burst how many at once. 0 means 10,000 and 5,000; less means no limit.
	Requests, Burst int
	// Buffer is how many bytes may wait for a client that does not read. 0 means 256 KB.
	Buffer int
}

// Metric is one value of a metric of namespace AWS/ApiGateway with the dimensions ApiId and, if it is
// not empty, Stage.
type Metric struct {
	API   APIID
	Stage string
	// Name is ConnectCount, MessageCount, IntegrationError, ClientError, ExecutionError, IntegrationLatency
	// for WebSocket APIs; Count, 4xx, 5xx, Latency, IntegrationLatency for HTTP APIs.
	Name  string
	Unit  string
	Value float64
	Time  time.Time
}

// Connection describes an open WebSocket connection.
type Connection struct {
	ID                  ConnectionID
	API                 APIID
	Stage               string
	ConnectedAt         time.Time
	LastActiveAt        time.Time
	SourceIP, UserAgent string
	// Principal is the principalId of the authorizer's answer, empty without an authorizer.
	Principal              string
	Sent, Received, Queued int
}

// APIConfig describes an API, as aws.apigatewayv2.Api does.
type APIConfig struct {
	Name     string
	Protocol Protocol
	// RouteSelectionExpression is "$request.body.<field>" for WebSocket APIs (required there) and
	// "$request.method $request.path" for HTTP APIs.
	RouteSelectionExpression string
	// CORS is for HTTP APIs; nil means none.
	CORS *CORS
	// Address is where the API listens, such as "127.0.0.1:4701". Port 0 takes a free one. It must be on
	// loopback. Required.
	Address string
}

// CORS is an HTTP API's CORS configuration.
type CORS struct {
	AllowCredentials                                        bool
	AllowHeaders, AllowMethods, AllowOrigins, ExposeHeaders []string
	// MaxAge is in seconds.
	MaxAge int
}

// AuthorizerConfig describes an authorizer, as aws.apigatewayv2.Authorizer does.
type AuthorizerConfig struct {
	Name string
	// Type is REQUEST.
	Type string
	// URI is the function's invoke ARN.
	URI string
	// PayloadFormatVersion is "1.0" for HTTP APIs and empty for WebSocket APIs.
	PayloadFormatVersion string
	// IdentitySources are "route.request.header.Name" and "route.request.querystring.name" for WebSocket
	// APIs, "$request.header.Name" and "$request.querystring.name" for HTTP APIs.
	IdentitySources []string
	// ResultTTL must be 0: results are not cached.
	ResultTTL time.Duration
}

// IntegrationConfig describes an integration, as aws.apigatewayv2.Integration does.
type IntegrationConfig struct {
	// Type is AWS_PROXY or MOCK.
	Type string
	// Method is POST for AWS_PROXY, empty for MOCK.
	Method string
	// URI is the function's invoke ARN.
	URI string
	// PayloadFormatVersion is "1.0" for WebSocket APIs, "2.0" for HTTP APIs. Empty means "1.0".
	PayloadFormatVersion string
	// RequestTemplates and TemplateSelectionExpression are for MOCK: a template whose text is JSON with a
	// statusCode.
	RequestTemplates            map[string]string
	TemplateSelectionExpression string
	// Timeout is 50 ms to the API's limit. 0 means the limit.
	Timeout time.Duration
}

// IntegrationResponseConfig describes an integration response, as aws.apigatewayv2.IntegrationResponse.
type IntegrationResponseConfig struct {
	Integration IntegrationID
	// Key is "$default" or "/<status>/".
	Key                         string
	ResponseTemplates           map[string]string
	TemplateSelectionExpression string
}

// RouteConfig describes a route, as aws.apigatewayv2.Route does.
type RouteConfig struct {
	// Key is "$connect", "$disconnect", "$default" or an action for WebSocket APIs; "GET /path" or "$default"
	// for HTTP APIs.
	Key string
	// Target is "integrations/<id>".
	Target string
	// AuthorizationType is NONE (or empty) or CUSTOM.
	AuthorizationType string
	Authorizer        AuthorizerID
	// RouteResponseSelectionExpression is "$default" where the route answers, else empty.
	RouteResponseSelectionExpression string
}

// StageConfig describes a stage, as aws.apigatewayv2.Stage does.
type StageConfig struct {
	// Name is "$default" (HTTP APIs only) or a name, which begins the path.
	Name string
	// Deployment is what the stage serves. Empty with AutoDeploy (HTTP APIs): always the newest routes.
	Deployment DeploymentID
	AutoDeploy bool
	Variables  map[string]string
	// AccessLogDestination is the ARN of a log group, AccessLogFormat a line with $context variables. Both or
	// neither.
	AccessLogDestination, AccessLogFormat string
	// ThrottleRate and ThrottleBurst are the stage's default route settings, in requests a second. 0 means the
	// account's.
	ThrottleRate  float64
	ThrottleBurst int
	// DetailedMetrics adds metrics for each route.
	DetailedMetrics bool
}
