package stack

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Outputs are what users of a stack need to reach it; `pulumi stack output` prints them under the names of
// Outputs.Await's map.
type Outputs struct {
	WebSocketURL       pulumi.StringOutput // where devices connect: wss://…, without the query string
	HTTPURL            pulumi.StringOutput // base of GET /user/online: https://…, without a slash at the end
	SendQueueURL       pulumi.StringOutput // where producers put messages
	DeadLetterQueueURL pulumi.StringOutput // where messages end that could not be delivered
	EventTopicARN      pulumi.StringOutput // the SNS topic of presence events
	TableName          pulumi.StringOutput // the DynamoDB table of connections and presence
	DashboardURL       pulumi.StringOutput // the stack's dashboard in the CloudWatch console
	Region             pulumi.StringOutput // the AWS Region that the stack lives in
	ParameterPrefix    pulumi.StringOutput // the SSM path that its parameters live under
}

// Await calls done with every output's plain value by its name (`webSocketUrl`, `httpUrl`, …), once all are known.
// pulumi.RunErr waits for that call. It never comes where a value stays unknown, as in a preview.
func (o *Outputs) Await(done func(map[string]string)) {
	inputs := pulumi.StringMap{}
	for name, value := range o.byName() {
		inputs[name] = value
	}
	inputs.ToStringMapOutput().ApplyT(func(values map[string]string) map[string]string {
		done(values)
		return values
	})
}

// byName gives the outputs under the names that they are exported by.
func (o *Outputs) byName() map[string]pulumi.StringOutput {
	return map[string]pulumi.StringOutput{
		"webSocketUrl":       o.WebSocketURL,
		"httpUrl":            o.HTTPURL,
		"sendQueueUrl":       o.SendQueueURL,
		"deadLetterQueueUrl": o.DeadLetterQueueURL,
		"eventTopicArn":      o.EventTopicARN,
		"tableName":          o.TableName,
		"dashboardUrl":       o.DashboardURL,
		"region":             o.Region,
		"parameterPrefix":    o.ParameterPrefix,
	}
}
