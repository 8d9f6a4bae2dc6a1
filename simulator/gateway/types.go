package gateway

import (
	"context"
	"time"

	"heliograph/simulator/wire"
)

// Ids of the resources, in API Gateway's format.
type (
	// APIID is ten lower-case letters and digits.
	APIID string
	// AuthorizerID is a short id, like the next five: each names a resource of one API.
	AuthorizerID string
	// IntegrationID names an integration.
	IntegrationID string
	// IntegrationResponseID names an integration response.
	IntegrationResponseID string
	// RouteID names a route.
	RouteID string
	// RouteResponseID names a route response.
	RouteResponseID string
	// DeploymentID names a deployment.
	DeploymentID string
	// ConnectionID names a WebSocket connection: 15 characters of base64 and "=".
	ConnectionID string
)

// Protocol is the kind of an API.
type Protocol string

// The two protocols of API Gateway v2.
const (
	WebSocket Protocol = "WEBSOCKET"
	HTTP      Protocol = "HTTP"
)

// Options configure a Gateway. Each field says what its zero value means.
type Options struct {
	// Region and Account go into ARNs and events. Required.
	Region, Account string
	// Hosts are lower-case names, besides those of loopback, by which the APIs may be called. See package loopback.
	Hosts []string
	// Invoke runs a function and returns its answer. An error with a method ErrorMessage() string is the function's own
	// failure; any other error means that the function could not be run. Required.
	Invoke func(ctx context.Context, functionARN string, payload []byte) ([]byte, error)
	// Permitted reports whether a function's policy lets API Gateway invoke it from a source ARN
	// (arn:aws:execute-api:…:<api>/<stage>/<route>, or …/authorizers/<id>). Nil permits all.
	Permitted func(sourceARN, functionARN string) bool
	// Before is called before each @connections call, as by wire's endpoint. An error refuses the call, except
	// wire.ErrAnswerLost. Nil allows all.
	Before func(ctx context.Context, call wire.Call) error
	// AccessLog receives each line of a stage's access log. Nil drops them.
	AccessLog func(destinationARN, line string)
	// Problem receives the cause that API Gateway hides behind a 500 or a 403, in one line, with the API and the route.
	// Nil drops it.
	Problem func(text string)
	// Metric receives the gateway's own metrics, as CloudWatch has them in AWS/ApiGateway. Nil drops them.
	Metric func(Metric)
	// Disconnect can delay or lose a connection's $disconnect, to inject a fault. Nil does neither.
	Disconnect func(c Connection) (delay time.Duration, lost bool)
	// Limits are API Gateway's quotas.
	Limits Limits
	// LogRole is the ARN of the role with which API Gateway writes access logs of WebSocket APIs. Empty, as on a new
	// account, means none: then a WebSocket stage can't have an access log.
	LogRole string
	// Now is the clock of events and logs. Nil means time.Now.
	Now func() time.Time
}

// Limits are the quotas of API Gateway; a zero field means AWS's own value.
type Limits struct {
	// Idle ends a connection with no traffic in either direction. 0 means 10 minutes.
	Idle time.Duration
	// Life ends a connection after this long, whatever its traffic. 0 means 2 hours.
	Life time.Duration
	// Message is the largest message in either direction, in bytes. 0 means 128 KB.
	Message int64
	// Frame is the largest frame from a client, in bytes. 0 means 32 KB.
	Frame int64
	// SocketIntegration and HTTPIntegration bound an integration's answer. 0 means 29 s and 30 s.
	SocketIntegration, HTTPIntegration time.Duration
	// Body bounds the arrival of a request's body. 0 means 30 s; AWS documents no value.
	Body time.Duration
	// Connects is how many connections may be opened per second, and the size of the burst. 0 means 500; a negative
	// value means no limit.
	Connects int
	// Requests is how many requests, messages and posts all APIs together accept per second, and Burst how many at
	// once. 0 means 10,000 and 5,000; a negative value means no limit.
	Requests, Burst int
	// Buffer is how many bytes may wait for a client that does not read. 0 means 256 KB.
	Buffer int
}

// Metric is one value of a metric in the namespace AWS/ApiGateway, with the dimensions ApiId and, unless empty, Stage.
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

// APIConfig describes an API, like aws.apigatewayv2.Api.
type APIConfig struct {
	Name     string
	Protocol Protocol
	// RouteSelectionExpression is "$request.body.<field>" for WebSocket APIs (required there) and
	// "$request.method $request.path" for HTTP APIs.
	RouteSelectionExpression string
	// CORS is for HTTP APIs only; nil means none.
	CORS *CORS
	// Address is where the API listens, such as "127.0.0.1:4701". Port 0 picks a free port. It must be on loopback.
	// Required.
	Address string
}

// CORS is an HTTP API's CORS configuration.
type CORS struct {
	AllowCredentials                                        bool
	AllowHeaders, AllowMethods, AllowOrigins, ExposeHeaders []string
	// MaxAge is in seconds.
	MaxAge int
}

// AuthorizerConfig describes an authorizer, like aws.apigatewayv2.Authorizer.
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
	// ResultTTL must be 0: the simulator does not cache results.
	ResultTTL time.Duration
}

// IntegrationConfig describes an integration, like aws.apigatewayv2.Integration.
type IntegrationConfig struct {
	// Type is AWS_PROXY or MOCK.
	Type string
	// Method is POST for AWS_PROXY, empty for MOCK.
	Method string
	// URI is the function's invoke ARN.
	URI string
	// PayloadFormatVersion is "1.0" for WebSocket APIs, "2.0" for HTTP APIs. Empty means "1.0".
	PayloadFormatVersion string
	// RequestTemplates and TemplateSelectionExpression are for MOCK: the template's text is JSON with a statusCode.
	RequestTemplates            map[string]string
	TemplateSelectionExpression string
	// Timeout is between 50 ms and the API's limit. 0 means the limit.
	Timeout time.Duration
}

// IntegrationResponseConfig describes an integration response, like aws.apigatewayv2.IntegrationResponse.
type IntegrationResponseConfig struct {
	Integration IntegrationID
	// Key is "$default" or "/<status>/".
	Key                         string
	ResponseTemplates           map[string]string
	TemplateSelectionExpression string
}

// RouteConfig describes a route, like aws.apigatewayv2.Route.
type RouteConfig struct {
	// Key is "$connect", "$disconnect", "$default" or an action for WebSocket APIs; "GET /path" or "$default"
	// for HTTP APIs.
	Key string
	// Target is "integrations/<id>".
	Target string
	// AuthorizationType is NONE (or empty) or CUSTOM.
	AuthorizationType string
	Authorizer        AuthorizerID
	// RouteResponseSelectionExpression is "$default" if the route answers, otherwise empty.
	RouteResponseSelectionExpression string
}

// StageConfig describes a stage, like aws.apigatewayv2.Stage.
type StageConfig struct {
	// Name is "$default" (HTTP APIs only) or a name, which is then the first segment of the path.
	Name string
	// Deployment is the deployment to serve. With AutoDeploy (HTTP APIs) it stays empty: the latest routes are served.
	Deployment DeploymentID
	AutoDeploy bool
	Variables  map[string]string
	// AccessLogDestination is the ARN of a log group, AccessLogFormat a line with $context variables. Set both or
	// neither.
	AccessLogDestination, AccessLogFormat string
	// ThrottleRate and ThrottleBurst are the stage's default route settings, in requests per second. 0 means the
	// account's.
	ThrottleRate  float64
	ThrottleBurst int
	// DetailedMetrics adds metrics per route.
	DetailedMetrics bool
}
