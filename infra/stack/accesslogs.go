package stack

import (
	"encoding/json"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigateway"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Access logs hold no query string, since tokens travel there, and no user id. `$context.path` of an HTTP API is
// the path alone. `$context.error.message` is the raw text; messageString has quotes around it, but only where there is an
// error, so no JSON format is right for both. Sources: AWS's pages "Configure logging for WebSocket APIs" and "Customize HTTP API access logs".

// webSocketLog is one line for each connect, disconnect and message.
func webSocketLog() string {
	return logFormat(map[string]string{
		"requestId":        "$context.requestId",
		"time":             "$context.requestTimeEpoch",
		"routeKey":         "$context.routeKey",
		"eventType":        "$context.eventType",
		"connectionId":     "$context.connectionId",
		"status":           "$context.status",
		"sourceIp":         "$context.identity.sourceIp",
		"error":            "$context.error.message",
		"authorizerStatus": "$context.authorizer.status",
		"authorizerError":  "$context.authorizer.error",
		"integrationError": "$context.integration.error",
		"integrationMs":    "$context.integrationLatency",
	})
}

// httpLog is one line for each request.
func httpLog() string {
	return logFormat(map[string]string{
		"requestId":        "$context.requestId",
		"time":             "$context.requestTimeEpoch",
		"routeKey":         "$context.routeKey",
		"path":             "$context.path",
		"status":           "$context.status",
		"sourceIp":         "$context.identity.sourceIp",
		"error":            "$context.error.message",
		"authorizerError":  "$context.authorizer.error",
		"integrationError": "$context.integrationErrorMessage",
		"integrationMs":    "$context.integrationLatency",
		"responseMs":       "$context.responseLatency",
	})
}

// logFormat is a JSON object on one line; the gateway fills in the variables.
func logFormat(fields map[string]string) string {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return string(text)
}

// The setting apiGatewayLogRole.
const (
	existingLogRole = "existing"
	createLogRole   = "create"
)

// declareAccessLogRole sets the role by which API Gateway writes logs, where the account has none in this Region, and
// gives what the WebSocket stage must wait for. All APIs of the Region share the role, so it stays when the stack
// goes, and AWS demands this managed policy, wildcards and all.
func declareAccessLogRole(d *deployment) []pulumi.Resource {
	if d.config.APIGatewayLogRole != createLogRole {
		return nil
	}
	c := d.newComponent("AccessLogRole", "access-log-role")
	defer c.complete()
	keep := pulumi.RetainOnDelete(true)
	// Without a physical name: the role outlives the stack, and a second life of the stack must not meet its name.
	role := declare(c, "role", iam.NewRole, &iam.RoleArgs{
		Description:      pulumi.String("API Gateway writes its logs by this role, for all APIs of the Region"),
		AssumeRolePolicy: trust("apigateway.amazonaws.com"),
	}, keep)
	policy := declare(c, "policy", iam.NewRolePolicyAttachment, &iam.RolePolicyAttachmentArgs{
		Role:      role.Name,
		PolicyArn: pulumi.String("arn:" + d.home.partition + ":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"),
	}, keep)
	account := declare(c, "account", apigateway.NewAccount, &apigateway.AccountArgs{CloudwatchRoleArn: role.Arn},
		keep, pulumi.DependsOn([]pulumi.Resource{policy}))
	return []pulumi.Resource{account}
}
