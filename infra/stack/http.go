package stack

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// httpAPI is the API of presence queries.
type httpAPI struct {
	*component
	api *apigatewayv2.Api
	url pulumi.StringOutput // https://…, without a trailing slash
}

// defaultStage is an HTTP API's stage that adds nothing to the paths.
const defaultStage = "$default"

// declareHTTPAPI declares the HTTP API with its only route, GET /user/online, and returns its stage.
func declareHTTPAPI(d *deployment, functions functionSet) (httpAPI, *apigatewayv2.Stage) {
	c := d.newComponent("HttpApi", "http")
	defer c.complete()
	api := declare(c, "api", apigatewayv2.NewApi, &apigatewayv2.ApiArgs{
		Name:              pulumi.String(d.physical("http")),
		Description:       pulumi.String("Heliograph: presence queries"),
		ProtocolType:      pulumi.String("HTTP"),
		CorsConfiguration: d.cors(),
		IpAddressType:     pulumi.String(d.config.IPAddressType),
	}, c.guard())
	a := httpAPI{component: c, api: api, url: api.ApiEndpoint}
	a.declareRoute(functions[heliograph.Online], a.declareAuthorizer(functions[heliograph.Authorizer]))
	return a, a.declareStage()
}

// cors admits browsers on pages of the configured origins. The gateway answers their preflight requests itself.
func (d *deployment) cors() apigatewayv2.ApiCorsConfigurationPtrInput {
	if len(d.config.CORSOrigins) == 0 {
		return nil
	}
	return &apigatewayv2.ApiCorsConfigurationArgs{
		AllowOrigins:  pulumi.ToStringArray(d.config.CORSOrigins),
		AllowMethods:  pulumi.ToStringArray([]string{"GET"}),
		AllowHeaders:  pulumi.ToStringArray([]string{"authorization"}),
		ExposeHeaders: pulumi.ToStringArray([]string{"link"}), // address of the next page
		MaxAge:        pulumi.Int(3600),
	}
}

// declareAuthorizer uses the same function as the WebSocket API: payload format 1.0 has the same event and the same
// response, an IAM policy. Nothing is cached; otherwise a policy made for one path would apply to another, and an
// expired token would still be accepted.
func (a httpAPI) declareAuthorizer(f function) *apigatewayv2.Authorizer {
	allowed := declare(a.component, "authorizer", apigatewayv2.NewAuthorizer, &apigatewayv2.AuthorizerArgs{
		ApiId:                          a.api.ID(),
		Name:                           pulumi.String(f.physical),
		AuthorizerType:                 pulumi.String("REQUEST"),
		AuthorizerUri:                  f.InvokeArn,
		AuthorizerPayloadFormatVersion: pulumi.String("1.0"),
		AuthorizerResultTtlInSeconds:   pulumi.Int(0),
		EnableSimpleResponses:          pulumi.Bool(false),
		IdentitySources:                pulumi.ToStringArray([]string{"$request.header.Authorization"}),
	})
	a.permit("authorizer-permission", f, pulumi.Sprintf("%s/authorizers/%s", a.api.ExecutionArn, allowed.ID()))
	return allowed
}

func (a httpAPI) declareRoute(f function, allowed *apigatewayv2.Authorizer) {
	integration := declare(a.component, "online-integration", apigatewayv2.NewIntegration, &apigatewayv2.IntegrationArgs{
		ApiId:                a.api.ID(),
		IntegrationType:      pulumi.String("AWS_PROXY"),
		IntegrationMethod:    pulumi.String("POST"), // the gateway's method for calling Lambda, whatever the route's method
		IntegrationUri:       f.InvokeArn,
		PayloadFormatVersion: pulumi.String("2.0"),
	})
	declare(a.component, "online-route", apigatewayv2.NewRoute, &apigatewayv2.RouteArgs{
		ApiId:             a.api.ID(),
		RouteKey:          pulumi.String("GET /user/online"),
		AuthorizationType: pulumi.String("CUSTOM"),
		AuthorizerId:      allowed.ID(),
		Target:            pulumi.Sprintf("integrations/%s", integration.ID()),
	}, a.guard())
	a.permit("online-permission", f, pulumi.Sprintf("%s/%s/GET/user/online", a.api.ExecutionArn, defaultStage))
}

// declareStage declares a stage that deploys on its own whenever a route changes, which HTTP APIs support.
func (a httpAPI) declareStage() *apigatewayv2.Stage {
	// HTTP APIs deliver logs as AWS services do, through a resource policy of limited size; all groups with this prefix
	// share one entry in it.
	group := a.declareLogGroup("logs", "/aws/vendedlogs/"+a.physical("http"))
	return declare(a.component, "stage", apigatewayv2.NewStage, &apigatewayv2.StageArgs{
		ApiId:             a.api.ID(),
		Name:              pulumi.String(defaultStage),
		AutoDeploy:        pulumi.Bool(true),
		AccessLogSettings: &apigatewayv2.StageAccessLogSettingsArgs{DestinationArn: group.Arn, Format: pulumi.String(httpLog())},
		DefaultRouteSettings: &apigatewayv2.StageDefaultRouteSettingsArgs{
			ThrottlingRateLimit:  pulumi.Float64(a.config.ThrottleRate),
			ThrottlingBurstLimit: pulumi.Int(a.config.ThrottleBurst),
		},
	}, a.guard())
}
