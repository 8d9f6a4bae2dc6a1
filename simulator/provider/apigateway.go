package provider

import (
	"errors"
	"fmt"
	"time"

	"heliograph/simulator/gateway"
	"heliograph/simulator/iam"
)

type apiInputs struct {
	tagged
	Name                     string      `json:"name"`
	Description              string      `json:"description"`
	ProtocolType             string      `json:"protocolType"`
	RouteSelectionExpression string      `json:"routeSelectionExpression"`
	CORSConfiguration        *corsInputs `json:"corsConfiguration"`
	// IPAddressType has no effect: everything listens on loopback.
	IPAddressType string `json:"ipAddressType"`
}

type corsInputs struct {
	AllowCredentials bool     `json:"allowCredentials"`
	AllowHeaders     []string `json:"allowHeaders"`
	AllowMethods     []string `json:"allowMethods"`
	AllowOrigins     []string `json:"allowOrigins"`
	ExposeHeaders    []string `json:"exposeHeaders"`
	MaxAge           int      `json:"maxAge"`
}

func createAPI(p *provider, _ declaration, in apiInputs) (created, error) {
	if err := errors.Join(
		oneOf("protocolType", in.ProtocolType, string(gateway.WebSocket), string(gateway.HTTP)),
		oneOf("ipAddressType", in.IPAddressType, "ipv4", "dualstack", ""),
	); err != nil {
		return created{}, err
	}
	config := gateway.APIConfig{
		Name: in.Name, Protocol: gateway.Protocol(in.ProtocolType), RouteSelectionExpression: in.RouteSelectionExpression,
		Address: p.AddressFor(gateway.Protocol(in.ProtocolType)),
	}
	if config.RouteSelectionExpression == "" && config.Protocol == gateway.HTTP {
		config.RouteSelectionExpression = "$request.method $request.path"
	}
	if in.CORSConfiguration != nil {
		cors := gateway.CORS(*in.CORSConfiguration)
		config.CORS = &cors
	}
	api, err := p.APIs.CreateAPI(config)
	if err != nil {
		return created{}, err
	}
	return created{string(api.ID()), map[string]any{
		"apiEndpoint": api.Endpoint(), "arn": api.ARN(), "executionArn": api.ExecutionARN(),
		"routeSelectionExpression": config.RouteSelectionExpression, "apiKeySelectionExpression": "$request.header.x-api-key",
	}}, nil
}

type authorizerInputs struct {
	APIID                          string   `json:"apiId"`
	Name                           string   `json:"name"`
	AuthorizerType                 string   `json:"authorizerType"`
	AuthorizerURI                  string   `json:"authorizerUri"`
	AuthorizerPayloadFormatVersion string   `json:"authorizerPayloadFormatVersion"`
	AuthorizerResultTTLInSeconds   *int     `json:"authorizerResultTtlInSeconds"`
	EnableSimpleResponses          bool     `json:"enableSimpleResponses"`
	IdentitySources                []string `json:"identitySources"`
}

func createAuthorizer(p *provider, _ declaration, in authorizerInputs) (created, error) {
	if in.EnableSimpleResponses {
		return created{}, errors.New("enableSimpleResponses is not simulated: authorizers answer with a policy")
	}
	api, err := p.APIs.API(gateway.APIID(in.APIID))
	if err != nil {
		return created{}, err
	}
	id, err := api.CreateAuthorizer(gateway.AuthorizerConfig{
		Name: in.Name, Type: in.AuthorizerType, URI: in.AuthorizerURI, PayloadFormatVersion: in.AuthorizerPayloadFormatVersion,
		IdentitySources: in.IdentitySources, ResultTTL: in.ttl(),
	})
	return created{string(id), nil}, err
}

// ttl is how long an authorizer's answer is cached. HTTP APIs cache it for 300 s unless the program says otherwise.
func (in authorizerInputs) ttl() time.Duration {
	if in.AuthorizerResultTTLInSeconds != nil {
		return time.Duration(*in.AuthorizerResultTTLInSeconds) * time.Second
	}
	if in.AuthorizerPayloadFormatVersion != "" {
		return 300 * time.Second
	}
	return 0
}

type integrationInputs struct {
	APIID                       string            `json:"apiId"`
	IntegrationType             string            `json:"integrationType"`
	IntegrationMethod           string            `json:"integrationMethod"`
	IntegrationURI              string            `json:"integrationUri"`
	PayloadFormatVersion        string            `json:"payloadFormatVersion"`
	RequestTemplates            map[string]string `json:"requestTemplates"`
	TemplateSelectionExpression string            `json:"templateSelectionExpression"`
	TimeoutMilliseconds         int               `json:"timeoutMilliseconds"`
}

func createIntegration(p *provider, _ declaration, in integrationInputs) (created, error) {
	api, err := p.APIs.API(gateway.APIID(in.APIID))
	if err != nil {
		return created{}, err
	}
	id, err := api.CreateIntegration(gateway.IntegrationConfig{
		Type: in.IntegrationType, Method: in.IntegrationMethod, URI: in.IntegrationURI,
		PayloadFormatVersion: in.PayloadFormatVersion, RequestTemplates: in.RequestTemplates,
		TemplateSelectionExpression: in.TemplateSelectionExpression, Timeout: time.Duration(in.TimeoutMilliseconds) * time.Millisecond,
	})
	return created{string(id), nil}, err
}

type integrationResponseInputs struct {
	APIID                       string            `json:"apiId"`
	IntegrationID               string            `json:"integrationId"`
	IntegrationResponseKey      string            `json:"integrationResponseKey"`
	ResponseTemplates           map[string]string `json:"responseTemplates"`
	TemplateSelectionExpression string            `json:"templateSelectionExpression"`
}

func createIntegrationResponse(p *provider, _ declaration, in integrationResponseInputs) (created, error) {
	api, err := p.APIs.API(gateway.APIID(in.APIID))
	if err != nil {
		return created{}, err
	}
	id, err := api.CreateIntegrationResponse(gateway.IntegrationResponseConfig{
		Integration: gateway.IntegrationID(in.IntegrationID), Key: in.IntegrationResponseKey,
		ResponseTemplates: in.ResponseTemplates, TemplateSelectionExpression: in.TemplateSelectionExpression,
	})
	return created{string(id), nil}, err
}

type routeInputs struct {
	APIID                            string `json:"apiId"`
	RouteKey                         string `json:"routeKey"`
	Target                           string `json:"target"`
	AuthorizationType                string `json:"authorizationType"`
	AuthorizerID                     string `json:"authorizerId"`
	RouteResponseSelectionExpression string `json:"routeResponseSelectionExpression"`
}

func createRoute(p *provider, _ declaration, in routeInputs) (created, error) {
	api, err := p.APIs.API(gateway.APIID(in.APIID))
	if err != nil {
		return created{}, err
	}
	id, err := api.CreateRoute(gateway.RouteConfig{
		Key: in.RouteKey, Target: in.Target, AuthorizationType: in.AuthorizationType,
		Authorizer: gateway.AuthorizerID(in.AuthorizerID), RouteResponseSelectionExpression: in.RouteResponseSelectionExpression,
	})
	return created{string(id), nil}, err
}

type routeResponseInputs struct {
	APIID            string `json:"apiId"`
	RouteID          string `json:"routeId"`
	RouteResponseKey string `json:"routeResponseKey"`
}

func createRouteResponse(p *provider, _ declaration, in routeResponseInputs) (created, error) {
	api, err := p.APIs.API(gateway.APIID(in.APIID))
	if err != nil {
		return created{}, err
	}
	id, err := api.CreateRouteResponse(gateway.RouteID(in.RouteID), in.RouteResponseKey)
	return created{string(id), nil}, err
}

type deploymentInputs struct {
	APIID       string            `json:"apiId"`
	Description string            `json:"description"`
	Triggers    map[string]string `json:"triggers"`
}

func createDeployment(p *provider, _ declaration, in deploymentInputs) (created, error) {
	api, err := p.APIs.API(gateway.APIID(in.APIID))
	if err != nil {
		return created{}, err
	}
	id, err := api.CreateDeployment(in.Description)
	return created{string(id), map[string]any{"autoDeployed": false}}, err
}

type stageInputs struct {
	tagged
	APIID             string `json:"apiId"`
	Name              string `json:"name"`
	DeploymentID      string `json:"deploymentId"`
	AutoDeploy        bool   `json:"autoDeploy"`
	AccessLogSettings struct {
		DestinationARN string `json:"destinationArn"`
		Format         string `json:"format"`
	} `json:"accessLogSettings"`
	DefaultRouteSettings struct {
		DetailedMetricsEnabled bool    `json:"detailedMetricsEnabled"`
		ThrottlingRateLimit    float64 `json:"throttlingRateLimit"`
		ThrottlingBurstLimit   int     `json:"throttlingBurstLimit"`
	} `json:"defaultRouteSettings"`
}

func createStage(p *provider, _ declaration, in stageInputs) (created, error) {
	api, err := p.APIs.API(gateway.APIID(in.APIID))
	if err != nil {
		return created{}, err
	}
	stage, err := api.CreateStage(gateway.StageConfig{
		Name: in.Name, Deployment: gateway.DeploymentID(in.DeploymentID), AutoDeploy: in.AutoDeploy,
		AccessLogDestination: in.AccessLogSettings.DestinationARN, AccessLogFormat: in.AccessLogSettings.Format,
		ThrottleRate:    in.DefaultRouteSettings.ThrottlingRateLimit,
		ThrottleBurst:   in.DefaultRouteSettings.ThrottlingBurstLimit,
		DetailedMetrics: in.DefaultRouteSettings.DetailedMetricsEnabled,
	})
	if err != nil {
		return created{}, err
	}
	return created{in.Name, map[string]any{
		"arn": stage.ARN(), "executionArn": stage.ExecutionARN(), "invokeUrl": stage.InvokeURL(),
	}}, nil
}

// gatewayAccountID is the id of API Gateway's settings for an account and Region, which always exist exactly once.
const gatewayAccountID = "api-gateway-account"

type gatewayAccountInputs struct {
	CloudWatchRoleARN string `json:"cloudwatchRoleArn"`
}

// createGatewayAccount sets the role with which API Gateway writes logs. Like AWS, it first checks the
// role's trust and permissions.
func createGatewayAccount(p *provider, _ declaration, in gatewayAccountInputs) (created, error) {
	const writesLogs = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
	err := roleExists(p.Roles, in.CloudWatchRoleARN, "apigateway.amazonaws.com")
	if err != nil || !p.Roles.Manages(iam.NameOf(in.CloudWatchRoleARN), writesLogs) {
		return created{}, errors.New("the role ARN does not have required permissions configured: it must trust " +
			"apigateway.amazonaws.com and have the policy " + writesLogs)
	}
	p.APIs.SetLogRole(in.CloudWatchRoleARN)
	return created{gatewayAccountID, nil}, nil
}

// readGatewayAccount returns the current settings.
func readGatewayAccount(p *provider, id string) (map[string]any, error) {
	if id != gatewayAccountID {
		return nil, fmt.Errorf("its id is %q; it must be %s", id, gatewayAccountID)
	}
	return map[string]any{"cloudwatchRoleArn": p.APIs.LogRole()}, nil
}
