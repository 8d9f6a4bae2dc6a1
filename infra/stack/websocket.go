package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// webSocketAPI is the API that clients connect to.
type webSocketAPI struct {
	*component
	api          *apigatewayv2.Api
	executionARN pulumi.StringOutput
	stage        string
	url          pulumi.StringOutput // wss://…/<stage>
	endpoint     pulumi.StringOutput // https://…/<stage>, which serves @connections
}

// declareWebSocketAPI declares only the API: the functions need its address before its routes need the functions.
func declareWebSocketAPI(d *deployment) webSocketAPI {
	c := d.newComponent("WebSocketApi", "websocket")
	api := declare(c, "api", apigatewayv2.NewApi, &apigatewayv2.ApiArgs{
		Name:                     pulumi.String(d.physical("websocket")),
		Description:              pulumi.String("Heliograph: where devices connect"),
		ProtocolType:             pulumi.String("WEBSOCKET"),
		RouteSelectionExpression: pulumi.String("$request.body.action"),
		IpAddressType:            pulumi.String(d.config.IPAddressType),
	}, c.guard())
	return webSocketAPI{
		component:    c,
		api:          api,
		executionARN: api.ExecutionArn,
		stage:        d.stage,
		url:          pulumi.Sprintf("%s/%s", api.ApiEndpoint, d.stage),
		endpoint:     pulumi.Sprintf("%s/%s", api.ApiEndpoint.ApplyT(managementAddress).(pulumi.StringOutput), d.stage),
	}
}

// managementAddress turns an API's address into that of its @connections: the same host over HTTP. A custom domain
// would not work, since it serves connections only.
func managementAddress(apiEndpoint string) (string, error) {
	scheme, rest, found := strings.Cut(apiEndpoint, "://")
	http := map[string]string{"wss": "https", "ws": "http"}[scheme]
	if !found || http == "" {
		return "", fmt.Errorf("the WebSocket API's endpoint %q begins with neither wss:// nor ws://", apiEndpoint)
	}
	return http + "://" + rest, nil
}

// serve declares the routes and the stage, and returns the stage.
func (a webSocketAPI) serve(functions functionSet, logRole []pulumi.Resource) *apigatewayv2.Stage {
	defer a.complete()
	s := &snapshot{component: a.component}
	allowed := a.declareAuthorizer(s, functions[heliograph.Authorizer])
	a.declareProxy(s, "$connect", functions[heliograph.Connect], allowed)
	a.declareProxy(s, "$disconnect", functions[heliograph.Disconnect], nil)
	a.declareProxy(s, "hello", functions[heliograph.Hello], nil) // a connection is authorized when it is opened
	a.declarePing(s)
	return a.declareStage(a.declareDeployment(s), logRole)
}

// declareAuthorizer declares the authorizer of $connect. It names no identity sources: a token may come in any of three
// places, and the gateway would demand all that are named.
func (a webSocketAPI) declareAuthorizer(s *snapshot, f function) *apigatewayv2.Authorizer {
	allowed := include(s, "authorizer", apigatewayv2.NewAuthorizer, &apigatewayv2.AuthorizerArgs{
		ApiId:          a.api.ID(),
		Name:           pulumi.String(f.physical),
		AuthorizerType: pulumi.String("REQUEST"),
		AuthorizerUri:  f.InvokeArn,
	})
	a.permit("authorizer-permission", f, pulumi.Sprintf("%s/authorizers/%s", a.executionARN, allowed.ID()))
	return allowed
}

// declareProxy declares a route to a function.
func (a webSocketAPI) declareProxy(s *snapshot, key string, f function, allowed *apigatewayv2.Authorizer) {
	name := strings.TrimPrefix(key, "$")
	integration := include(s, name+"-integration", apigatewayv2.NewIntegration, &apigatewayv2.IntegrationArgs{
		ApiId:             a.api.ID(),
		IntegrationType:   pulumi.String("AWS_PROXY"),
		IntegrationMethod: pulumi.String("POST"),
		IntegrationUri:    f.InvokeArn,
	})
	route := &apigatewayv2.RouteArgs{
		ApiId:             a.api.ID(),
		RouteKey:          pulumi.String(key),
		AuthorizationType: pulumi.String("NONE"),
		Target:            pulumi.Sprintf("integrations/%s", integration.ID()),
	}
	if allowed != nil {
		route.AuthorizationType, route.AuthorizerId = pulumi.String("CUSTOM"), allowed.ID()
	}
	include(s, name+"-route", apigatewayv2.NewRoute, route)
	a.permit(name+"-permission", f, pulumi.Sprintf("%s/%s/%s", a.executionARN, a.stage, key))
}

// The gateway itself answers a ping, for the price of a message and without a function: the ping keeps a connection
// from being cut after ten idle minutes. The template key is our own name, which must be the same in three places.
const (
	pingAction   = "ping"
	pingTemplate = "200"
	pingRequest  = `{"statusCode":200}`
	pingResponse = `{"action":"pong"}`
)

// declarePing declares the answer {"action":"pong"} to {"action":"ping"}.
func (a webSocketAPI) declarePing(s *snapshot) {
	integration := include(s, "ping-integration", apigatewayv2.NewIntegration, &apigatewayv2.IntegrationArgs{
		ApiId:                       a.api.ID(),
		IntegrationType:             pulumi.String("MOCK"),
		RequestTemplates:            pulumi.StringMap{pingTemplate: pulumi.String(pingRequest)},
		TemplateSelectionExpression: pulumi.String(pingTemplate),
	})
	include(s, "ping-integration-response", apigatewayv2.NewIntegrationResponse, &apigatewayv2.IntegrationResponseArgs{
		ApiId:                       a.api.ID(),
		IntegrationId:               integration.ID(),
		IntegrationResponseKey:      pulumi.String("$default"),
		ResponseTemplates:           pulumi.StringMap{pingTemplate: pulumi.String(pingResponse)},
		TemplateSelectionExpression: pulumi.String(pingTemplate),
	})
	route := include(s, "ping-route", apigatewayv2.NewRoute, &apigatewayv2.RouteArgs{
		ApiId:                            a.api.ID(),
		RouteKey:                         pulumi.String(pingAction),
		AuthorizationType:                pulumi.String("NONE"),
		Target:                           pulumi.Sprintf("integrations/%s", integration.ID()),
		RouteResponseSelectionExpression: pulumi.String("$default"), // without it the response is dropped
	})
	include(s, "ping-route-response", apigatewayv2.NewRouteResponse, &apigatewayv2.RouteResponseArgs{
		ApiId:            a.api.ID(),
		RouteId:          route.ID(),
		RouteResponseKey: pulumi.String("$default"),
	})
}

// snapshot holds the parts that a deployment freezes: each route, integration, response and authorizer, with all its
// arguments.
type snapshot struct {
	*component
	parts     pulumi.StringArray // the resources' arguments as JSON
	resources []pulumi.Resource
}

// include declares a resource and adds it to a snapshot.
func include[Args any, R pulumi.Resource](
	s *snapshot, name string, create func(*pulumi.Context, string, *Args, ...pulumi.ResourceOption) (R, error), args *Args,
) R {
	r := declare(s.component, name, create, args)
	s.parts, s.resources = append(s.parts, pulumi.JSONMarshal(args)), append(s.resources, r)
	return r
}

// fingerprint is a hash of a snapshot's arguments: it changes with every property of every part.
func (s *snapshot) fingerprint() pulumi.StringOutput {
	return s.parts.ToStringArrayOutput().ApplyT(func(parts []string) string {
		sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
		return hex.EncodeToString(sum[:])
	}).(pulumi.StringOutput)
}

// declareDeployment makes the routes live. A WebSocket stage serves routes only as they were when it was deployed, so
// every change to a route needs a new deployment, made after the change.
func (a webSocketAPI) declareDeployment(s *snapshot) *apigatewayv2.Deployment {
	return declare(a.component, "deployment", apigatewayv2.NewDeployment, &apigatewayv2.DeploymentArgs{
		ApiId:    a.api.ID(),
		Triggers: pulumi.StringMap{"routes": s.fingerprint()},
	}, pulumi.DependsOn(s.resources))
}

// declareStage serves a deployment. The throttle is set explicitly, since the provider's default of 0 refuses every
// request.
func (a webSocketAPI) declareStage(live *apigatewayv2.Deployment, logRole []pulumi.Resource) *apigatewayv2.Stage {
	return declare(a.component, "stage", apigatewayv2.NewStage, &apigatewayv2.StageArgs{
		ApiId:             a.api.ID(),
		Name:              pulumi.String(a.stage),
		DeploymentId:      live.ID(),
		AccessLogSettings: a.accessLog(),
		DefaultRouteSettings: &apigatewayv2.StageDefaultRouteSettingsArgs{
			DetailedMetricsEnabled: pulumi.Bool(false), // metrics for each route cost extra, and no alarm needs them
			ThrottlingRateLimit:    pulumi.Float64(a.config.ThrottleRate),
			ThrottlingBurstLimit:   pulumi.Int(a.config.ThrottleBurst),
		},
	}, pulumi.DependsOn(logRole), a.guard())
}

// accessLog is nil if the Region has no role to write it with.
func (a webSocketAPI) accessLog() apigatewayv2.StageAccessLogSettingsPtrInput {
	if a.config.APIGatewayLogRole == offLogRole {
		return nil
	}
	group := a.declareLogGroup("logs", "/aws/apigateway/"+a.physical("websocket"))
	return &apigatewayv2.StageAccessLogSettingsArgs{DestinationArn: group.Arn, Format: pulumi.String(webSocketLog())}
}

// permit lets the gateway invoke a function for a single route or authorizer of one API.
func (c *component) permit(name string, f function, source pulumi.StringInput) {
	c.permitService(name, f, "apigateway.amazonaws.com", source)
}

// permitService lets an AWS service invoke a function on behalf of a single source.
func (c *component) permitService(name string, f function, service string, source pulumi.StringInput) {
	declare(c, name, lambda.NewPermission, &lambda.PermissionArgs{
		Action:    pulumi.String("lambda:InvokeFunction"),
		Function:  f.Name,
		Principal: pulumi.String(service),
		SourceArn: source.ToStringOutput(),
	}, c.guard())
}
