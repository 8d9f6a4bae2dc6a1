package stack

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

// secretParameter is an SSM parameter that may not exist.
type secretParameter struct {
	name string // empty: the parameter does not exist
	arn  pulumi.StringOutput
}

// parameters are the SSM parameters of the stack that functions read.
type parameters struct{ jwtSecret, jwtSecretPrevious secretParameter }

// declareParameters declares the parameters that other systems look up (the contract's names under the stack's prefix) and the
// secrets that the authorizer reads.
func declareParameters(d *deployment, q queues, eventTopicARN pulumi.StringOutput) parameters {
	c := d.newComponent("Parameters", "parameters")
	defer c.complete()
	declare(c, "send-queue-url", ssm.NewParameter, &ssm.ParameterArgs{
		Name:        pulumi.String(d.config.ParameterPrefix + heliograph.ParameterSendQueueURL),
		Description: pulumi.String("URL of the queue that takes messages for users"),
		Type:        pulumi.String("String"),
		Value:       q.send.url,
	}, c.guard())
	declare(c, "event-topic-arn", ssm.NewParameter, &ssm.ParameterArgs{
		Name:        pulumi.String(d.config.ParameterPrefix + heliograph.ParameterEventTopicARN),
		Description: pulumi.String("ARN of the SNS topic of presence events"),
		Type:        pulumi.String("String"),
		Value:       eventTopicARN,
	}, c.guard())
	return parameters{
		jwtSecret:         c.declareSecret("jwt-secret", heliograph.ParameterJWTSecret, "Secret of the tokens that users connect with", d.config.JWTSecret),
		jwtSecretPrevious: c.declareSecret("jwt-secret-previous", heliograph.ParameterJWTSecretPrevious, "Former secret, accepted during a rotation", d.config.JWTSecretPrevious),
	}
}

// declareSecret declares a secret encrypted with the AWS managed key alias/aws/ssm, whose policy lets the account's
// principals decrypt through SSM: ssm:GetParameter is all that a reader needs. The SDK itself marks every parameter's
// value as a secret in Pulumi's state.
func (c *component) declareSecret(name, parameter, description, value string) secretParameter {
	if value == "" {
		return secretParameter{}
	}
	full := c.config.ParameterPrefix + parameter
	p := declare(c, name, ssm.NewParameter, &ssm.ParameterArgs{
		Name:        pulumi.String(full),
		Description: pulumi.String(description),
		Type:        pulumi.String("SecureString"),
		Value:       pulumi.String(value),
	})
	return secretParameter{name: full, arn: p.Arn}
}
