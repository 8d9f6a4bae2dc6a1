package stack

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigateway"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
)

// Access logs hold no query string, since it may contain a token, and neither user id nor path, since clients put ids into
// paths. Each request has one line, and each byte of it is paid for: the log event has the time, the route key the kind
// of event, and the metrics have the latencies. `$context.error.message` is the raw text; messageString adds quotes, but
// only if there is an error, so no JSON format is right for both cases. Sources: AWS's pages "Configure logging for
// WebSocket APIs" and "Customize HTTP API access logs".

// webSocketLog is the format of the WebSocket API's access log: a line for each connect, disconnect and message.
func webSocketLog() string {
	return logFormat(map[string]string{
		"requestId":    "$context.requestId",
		"route":        "$context.routeKey",
		"connectionId": "$context.connectionId",
		"status":       "$context.status",
		"ip":           "$context.identity.sourceIp",
		"error":        "$context.error.message",
		"authorizer":   "$context.authorizer.error",
		"integration":  "$context.integration.error",
	})
}

// httpLog is the format of the HTTP API's access log: a line for each request.
func httpLog() string {
	return logFormat(map[string]string{
		"requestId":   "$context.requestId",
		"route":       "$context.routeKey",
		"status":      "$context.status",
		"ip":          "$context.identity.sourceIp",
		"error":       "$context.error.message",
		"authorizer":  "$context.authorizer.error",
		"integration": "$context.integrationErrorMessage",
	})
}

// logFormat returns a JSON object on one line; the gateway fills in the variables.
func logFormat(fields map[string]string) string {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a map of strings can always be marshaled
	}
	return string(text)
}

// Values of the setting apiGatewayLogRole.
const (
	autoLogRole     = "auto"     // use the Region's role; set ours if there is none
	createLogRole   = "create"   // set ours, replacing any other
	existingLogRole = "existing" // assume that the Region has a role, without looking
	offLogRole      = "off"      // no access logs on the WebSocket stage
)

// accessLogRole is the physical name, below deployment.global, of the role that API Gateway writes logs with.
const accessLogRole = "apigateway"

// declareAccessLogRole declares the role that API Gateway writes access logs of WebSocket APIs with, and returns the
// resources that their stage must wait for. API Gateway has one such role for all APIs of an account and Region, so an
// existing role is kept, and ours outlives the stack. docs/decisions/0017-gateway-log-role.md explains why the program
// looks it up.
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

// currentLogRole returns the ARN of the Region's role; empty if it has none. The provider looks it up, in the account
// and Region that the stack is deployed to, even in `pulumi preview`.
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

// setLogRole makes our role the Region's. kept means that it already is, perhaps since an earlier life of the stack: it
// is then imported, which changes nothing if the stack already has it. AWS demands this managed policy, wildcards and
// all.
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
