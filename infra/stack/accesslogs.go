package stack

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigateway"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
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
	autoLogRole     = "auto"     // use the Region's role; set one where there is none
	createLogRole   = "create"   // set ours, in place of any other
	existingLogRole = "existing" // rely on the Region's role without looking
	offLogRole      = "off"      // no access logs on the WebSocket stage
)

// accessLogRole is the physical name, below deployment.global, of the role by which API Gateway writes logs.
const accessLogRole = "apigateway"

// declareAccessLogRole declares the role by which API Gateway writes access logs of WebSocket APIs, and gives what their
// stage must wait for. API Gateway has one such role for all APIs of an account and Region, so a role that is set already
// stays, and ours outlives the stack. docs/decisions/0017-gateway-log-role.md says why the program looks.
func declareAccessLogRole(d *deployment) []pulumi.Resource {
	mode := d.config.APIGatewayLogRole
	if mode != autoLogRole && mode != createLogRole {
		return nil
	}
	c := d.newComponent("AccessLogRole", "access-log-role")
	defer c.complete()
	ours := "arn:" + d.home.partition + ":iam::" + d.home.account + ":role/" + d.global(accessLogRole)
	current := c.currentLogRole()
	if mode == autoLogRole && current != "" && current != ours {
		return nil
	}
	return []pulumi.Resource{c.setLogRole(current == ours)}
}

// currentLogRole is the ARN of the role that the Region has; empty without one. The provider reads it, so it is that of
// the account and Region that the stack goes to, and `pulumi preview` reads it too.
func (c *component) currentLogRole() string {
	const id = "api-gateway-account" // every Region has exactly one
	account, err := apigateway.GetAccount(c.ctx, c.name+"-current", pulumi.ID(id), nil, pulumi.Parent(c))
	if err != nil {
		panic(undeclared{fmt.Errorf("reading API Gateway's log role: %w", err)})
	}
	role, err := internals.UnsafeAwaitOutput(c.ctx.Context(), account.CloudwatchRoleArn)
	if err != nil {
		panic(undeclared{fmt.Errorf("reading API Gateway's log role: %w", err)})
	}
	arn, _ := role.Value.(string)
	return arn
}

// setLogRole makes our role the Region's. kept says that it is already, perhaps since an earlier life of the stack: then
// the role is imported, which changes nothing where the stack knows it. AWS demands this managed policy, wildcards and all.
func (c *component) setLogRole(kept bool) pulumi.Resource {
	keep, name := pulumi.RetainOnDelete(true), c.global(accessLogRole)
	known := []pulumi.ResourceOption{keep}
	if kept {
		known = append(known, pulumi.Import(pulumi.ID(name)))
	}
	role := declare(c, "role", iam.NewRole, &iam.RoleArgs{
		Name:             pulumi.String(name),
		Description:      pulumi.String("API Gateway writes its logs by this role, for all APIs of the Region"),
		AssumeRolePolicy: trust("apigateway.amazonaws.com"),
	}, known...)
	policy := declare(c, "policy", iam.NewRolePolicyAttachment, &iam.RolePolicyAttachmentArgs{
		Role:      role.Name,
		PolicyArn: pulumi.String("arn:" + c.home.partition + ":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"),
	}, keep)
	return declare(c, "account", apigateway.NewAccount, &apigateway.AccountArgs{CloudwatchRoleArn: role.Arn},
		keep, pulumi.DependsOn([]pulumi.Resource{policy}))
}
