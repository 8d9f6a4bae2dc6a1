package main

import (
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// queue is an SQS queue, of this program or of another.
type queue struct{ url, arn pulumi.StringOutput }

// permit lets services send to a queue, each for one source, by ARN. A queue has one policy: a second one would replace
// the first, so all senders are named here together.
func permit(ctx *pulumi.Context, name string, q queue, sources map[string]pulumi.StringInput) error {
	var statements pulumi.Array
	for _, service := range slices.Sorted(maps.Keys(sources)) {
		statements = append(statements, pulumi.Map{
			"Effect":    pulumi.String("Allow"),
			"Principal": pulumi.StringMap{"Service": pulumi.String(service)},
			"Action":    pulumi.String("sqs:SendMessage"),
			"Resource":  q.arn,
			"Condition": pulumi.Map{"ArnEquals": pulumi.Map{"aws:SourceArn": sources[service]}},
		})
	}
	_, err := sqs.NewQueuePolicy(ctx, name, &sqs.QueuePolicyArgs{
		QueueUrl: q.url,
		Policy:   pulumi.JSONMarshal(pulumi.Map{"Version": pulumi.String("2012-10-17"), "Statement": statements}),
	})
	return err
}
