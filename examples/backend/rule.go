package main

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// shipped matches events such as {"source":"shop","detail-type":"Order shipped","detail":{"customer":"1234","order":17}}.
const shipped = `{"source":["shop"],"detail-type":["Order shipped"]}`

// declareRule tells each customer that an order was shipped: EventBridge turns the event into a message of ours, and
// quotes what it puts in place of <customer>, a text.
func declareRule(ctx *pulumi.Context, send queue) (arn pulumi.StringOutput, err error) {
	rule, err := cloudwatch.NewEventRule(ctx, "shipped", &cloudwatch.EventRuleArgs{EventPattern: pulumi.String(shipped)})
	if err != nil {
		return arn, err
	}
	_, err = cloudwatch.NewEventTarget(ctx, "shipped-to-customer", &cloudwatch.EventTargetArgs{
		Rule: rule.Name, Arn: send.arn,
		InputTransformer: cloudwatch.EventTargetInputTransformerArgs{
			InputPaths:    pulumi.StringMap{"customer": pulumi.String("$.detail.customer"), "order": pulumi.String("$.detail.order")},
			InputTemplate: pulumi.String(`{"UserId":<customer>,"Body":{"Shipped":<order>}}`),
		},
	})
	return rule.Arn, err
}
