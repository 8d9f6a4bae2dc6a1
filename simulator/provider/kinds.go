package provider

import (
	"encoding/json"
	"fmt"
	"slices"
)

// kinds are the resource types that the simulator can create, by Pulumi's type tokens. Each service's file says how.
var kinds = map[string]kind{
	"aws:apigateway/account:Account":                                 kindOf(createGatewayAccount),
	"aws:apigatewayv2/api:Api":                                       kindOf(createAPI),
	"aws:apigatewayv2/authorizer:Authorizer":                         kindOf(createAuthorizer),
	"aws:apigatewayv2/deployment:Deployment":                         kindOf(createDeployment),
	"aws:apigatewayv2/integration:Integration":                       kindOf(createIntegration),
	"aws:apigatewayv2/integrationResponse:IntegrationResponse":       kindOf(createIntegrationResponse),
	"aws:apigatewayv2/route:Route":                                   kindOf(createRoute),
	"aws:apigatewayv2/routeResponse:RouteResponse":                   kindOf(createRouteResponse),
	"aws:apigatewayv2/stage:Stage":                                   kindOf(createStage),
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":                   kindOf(createCompositeAlarm),
	"aws:cloudwatch/dashboard:Dashboard":                             kindOf(createDashboard),
	"aws:cloudwatch/eventRule:EventRule":                             kindOf(createEventRule),
	"aws:cloudwatch/eventTarget:EventTarget":                         kindOf(createEventTarget),
	"aws:cloudwatch/logGroup:LogGroup":                               kindOf(createLogGroup),
	"aws:cloudwatch/metricAlarm:MetricAlarm":                         kindOf(createMetricAlarm),
	"aws:dynamodb/table:Table":                                       kindOf(createTable),
	"aws:iam/role:Role":                                              kindOf(createRole),
	"aws:iam/rolePolicy:RolePolicy":                                  kindOf(createRolePolicy),
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":              kindOf(createRolePolicyAttachment),
	"aws:lambda/eventSourceMapping:EventSourceMapping":               kindOf(createEventSourceMapping),
	"aws:lambda/function:Function":                                   kindOf(createFunction),
	"aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": kindOf(createFunctionEventInvokeConfig),
	"aws:lambda/permission:Permission":                               kindOf(createPermission),
	"aws:sns/topic:Topic":                                            kindOf(createTopic),
	"aws:sns/topicSubscription:TopicSubscription":                    kindOf(createTopicSubscription),
	"aws:sqs/queue:Queue":                                            kindOf(createQueue),
	"aws:ssm/parameter:Parameter":                                    kindOf(createParameter),
}

// reads are the types that a program can read by id without declaring them.
var reads = map[string]func(p *provider, id string) (map[string]any, error){
	"aws:apigateway/account:Account": readGatewayAccount,
}

// oneOf returns an error if AWS would not accept a value, because Pulumi's mock engine accepts any.
func oneOf(property, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s is %q; it must be one of %q", property, value, allowed)
}

// validJSON returns an error if the value of a property is not a JSON document.
func validJSON(property, document string) error {
	if json.Valid([]byte(document)) {
		return nil
	}
	return fmt.Errorf("%s is no JSON document: %.200s", property, document)
}
