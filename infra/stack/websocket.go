package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// webSocketAPI is the API that devices connect to.
type webSocketAPI struct {
	*component
	api          *apigatewayv2.Api
	executionARN pulumi.StringOutput
	stage        string
	url          pulumi.StringOutput // wss://…/<stage>
	endpoint     pulumi.StringOutput // https://…/<stage>, where @connections answers
}

// declareWebSocketAPI declares the API alone: the functions need its address before its routes need the functions.
func declareWebSocketAPI(d *deployment) webSocketAPI {
	c := d.newComponent("WebSocketApi", "websocket")
	api := declare(c, "api", apigatewayv2.NewApi, &apigatewayv2.ApiArgs{
		Name:                     pulumi.String(d.physical("websocket")),
		Description:              pulumi.String("Heliograph: where devices connect"),
		ProtocolType:             pulumi.String("WEBSOCKET"),
		RouteSelectionExpression: pulumi.String("$request.body.action"),
	})
	return webSocketAPI{
		component:    c,
		api:          api,
		executionARN: api.ExecutionArn,
		stage:        d.stage,
		url:          pulumi.Sprintf("%s/%s", api.ApiEndpoint, d.stage),
		endpoint:     pulumi.Sprintf("%s/%s", api.ApiEndpoint.ApplyT(managementAddress).(pulumi.StringOutput), d.stage),
	}
}

// managementAddress turns an API's address into that of its @connections: the same host, spoken to by HTTP. A
// custom domain would not do, it serves connections only.
func managementAddress(apiEndpoint string) (string, error) {
	scheme, rest, found := strings.Cut(apiEndpoint, "://")
	http := map[string]string{"wss": "https", "ws": "http"}[scheme]
	if !found || http == "" {
		return "", fmt.Errorf("the WebSocket API's endpoint %q begins with neither wss:// nor ws://", apiEndpoint)
	}
	return http + "://" + rest, nil
}

// serve declares routes and stage, and gives the stage.
func (a webSocketAPI) serve(functions functionSet, logRole []pulumi.Resource) *apigatewayv2.Stage {
	defer a.complete()
	allowed := a.declareAuthorizer(functions[heliograph.Authorizer])
	routes := []socketRoute{
		a.declareProxy("$connect", functions[heliograph.Connect], allowed),
		a.declareProxy("$disconnect", functions[heliograph.Disconnect], nil),
		a.declarePing(),
	}
	return a.declareStage(a.declareDeployment(routes), logRole)
}

// declareAuthorizer declares the authorizer of $connect. It has no identity sources: a token may come in any of three
// places, and the gateway would demand all that are named.
func (a webSocketAPI) declareAuthorizer(f function) *apigatewayv2.Authorizer {
	allowed := declare(a.component, "authorizer", apigatewayv2.NewAuthorizer, &apigatewayv2.AuthorizerArgs{
		ApiId:          a.api.ID(),
		Name:           pulumi.String(f.physical),
		AuthorizerType: pulumi.String("REQUEST"),
		AuthorizerUri:  f.InvokeArn,
	})
	a.permit("authorizer-permission", f, pulumi.Sprintf("%s/authorizers/%s", a.executionARN, allowed.ID()))
	return allowed
}

// socketRoute is a route as the deployment must know it: what it is, for the hash; its resources, to wait for.
type socketRoute struct {
	definition pulumi.Map
	resources  []pulumi.Resource
}

// declareProxy routes to a function.
func (a webSocketAPI) declareProxy(key string, f function, allowed *apigatewayv2.Authorizer) socketRoute {
	name := strings.TrimPrefix(key, "$")
	integration := declare(a.component, name+"-integration", apigatewayv2.NewIntegration, &apigatewayv2.IntegrationArgs{
		ApiId:             a.api.ID(),
		IntegrationType:   pulumi.String("AWS_PROXY"),
		IntegrationMethod: pulumi.String("POST"),
		IntegrationUri:    f.InvokeArn,
	})
	args := &apigatewayv2.RouteArgs{
		ApiId:             a.api.ID(),
		RouteKey:          pulumi.String(key),
		AuthorizationType: pulumi.String("NONE"),
		Target:            pulumi.Sprintf("integrations/%s", integration.ID()),
	}
	definition := pulumi.Map{"key": pulumi.String(key), "target": args.Target, "uri": f.InvokeArn}
	if allowed != nil {
		args.AuthorizationType, args.AuthorizerId = pulumi.String("CUSTOM"), allowed.ID()
		definition["authorizer"], definition["authorizerUri"] = allowed.ID(), allowed.AuthorizerUri
	}
	route := declare(a.component, name+"-route", apigatewayv2.NewRoute, args)
	a.permit(name+"-permission", f, pulumi.Sprintf("%s/%s/%s", a.executionARN, a.stage, key))
	return socketRoute{definition, []pulumi.Resource{integration, route}}
}

// The ping is answered by the gateway itself, at the price of a message and no function: it keeps a connection
// from being cut after ten idle minutes. The template key is a name of our own that three places must share.
const (
	pingAction   = "ping"
	pingTemplate = "200"
	pingRequest  = `{"statusCode":200}`
	pingResponse = `{"action":"pong"}`
)

// declarePing answers {"action":"ping"} with {"action":"pong"}.
func (a webSocketAPI) declarePing() socketRoute {
	integration := declare(a.component, "ping-integration", apigatewayv2.NewIntegration, &apigatewayv2.IntegrationArgs{
		ApiId:                       a.api.ID(),
		IntegrationType:             pulumi.String("MOCK"),
		RequestTemplates:            pulumi.StringMap{pingTemplate: pulumi.String(pingRequest)},
		TemplateSelectionExpression: pulumi.String(pingTemplate),
	})
	answer := declare(a.component, "ping-integration-response", apigatewayv2.NewIntegrationResponse, &apigatewayv2.IntegrationResponseArgs{
		ApiId:                       a.api.ID(),
		IntegrationId:               integration.ID(),
		IntegrationResponseKey:      pulumi.String("$default"),
		ResponseTemplates:           pulumi.StringMap{pingTemplate: pulumi.String(pingResponse)},
		TemplateSelectionExpression: pulumi.String(pingTemplate),
	})
	route := declare(a.component, "ping-route", apigatewayv2.NewRoute, &apigatewayv2.RouteArgs{
		ApiId:                            a.api.ID(),
		RouteKey:                         pulumi.String(pingAction),
		AuthorizationType:                pulumi.String("NONE"), // a connection was authorized when it was opened
		Target:                           pulumi.Sprintf("integrations/%s", integration.ID()),
		RouteResponseSelectionExpression: pulumi.String("$default"), // without it the answer is dropped
	})
	routeResponse := declare(a.component, "ping-route-response", apigatewayv2.NewRouteResponse, &apigatewayv2.RouteResponseArgs{
		ApiId:            a.api.ID(),
		RouteId:          route.ID(),
		RouteResponseKey: pulumi.String("$default"),
	})
	return socketRoute{
		definition: pulumi.Map{
			"key": pulumi.String(pingAction), "request": pulumi.String(pingRequest), "response": pulumi.String(pingResponse),
			"target": integration.ID(), "routeResponse": routeResponse.ID(),
		},
		resources: []pulumi.Resource{integration, answer, route, routeResponse},
	}
}

// declareDeployment makes the routes live. A WebSocket stage shows routes only as they were when it was deployed, so
// every change to one must make a new deployment, after the change.
func (a webSocketAPI) declareDeployment(routes []socketRoute) *apigatewayv2.Deployment {
	var definitions pulumi.Array
	var resources []pulumi.Resource
	for _, route := range routes {
		definitions = append(definitions, route.definition)
		resources = append(resources, route.resources...)
	}
	return declare(a.component, "deployment", apigatewayv2.NewDeployment, &apigatewayv2.DeploymentArgs{
		ApiId:    a.api.ID(),
		Triggers: pulumi.StringMap{"routes": definitions.ToArrayOutput().ApplyT(fingerprint).(pulumi.StringOutput)},
	}, pulumi.DependsOn(resources))
}

// fingerprint is a hash of any plain value; equal values have equal ones.
func fingerprint(value []any) (string, error) {
	text, err := json.Marshal(value) // sorts the keys of maps
	if err != nil {
		return "", fmt.Errorf("hashing the routes: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

func (a webSocketAPI) declareStage(live *apigatewayv2.Deployment, logRole []pulumi.Resource) *apigatewayv2.Stage {
	return declare(a.component, "stage", apigatewayv2.NewStage, &apigatewayv2.StageArgs{
		ApiId:             a.api.ID(),
		Name:              pulumi.String(a.stage),
		DeploymentId:      live.ID(),
		AccessLogSettings: a.accessLog(),
		DefaultRouteSettings: &apigatewayv2.StageDefaultRouteSettingsArgs{
			DetailedMetricsEnabled: pulumi.Bool(true),
			ThrottlingRateLimit:    pulumi.Float64(a.config.ThrottleRate),
			ThrottlingBurstLimit:   pulumi.Int(a.config.ThrottleBurst),
		},
	}, pulumi.DependsOn(logRole))
}

// accessLog is nil where the Region shall have no role to write it.
func (a webSocketAPI) accessLog() apigatewayv2.StageAccessLogSettingsPtrInput {
	if a.config.APIGatewayLogRole == offLogRole {
		return nil
	}
	group := a.declareLogGroup("logs", "/aws/apigateway/"+a.physical("websocket"))
	return &apigatewayv2.StageAccessLogSettingsArgs{DestinationArn: group.Arn, Format: pulumi.String(webSocketLog())}
}

// permit lets the gateway invoke a function, for one route or authorizer of one API alone.
func (c *component) permit(name string, f function, source pulumi.StringInput) {
	c.permitService(name, f, "apigateway.amazonaws.com", source)
}

func (c *component) permitService(name string, f function, service string, source pulumi.StringInput) {
	declare(c, name, lambda.NewPermission, &lambda.PermissionArgs{
		Action:    pulumi.String("lambda:InvokeFunction"),
		Function:  f.Name,
		Principal: pulumi.String(service),
		SourceArn: source.ToStringOutput(),
	})
}
