package stack

import (
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
)

const (
	queueBatch  = 10  // messages per invocation
	streamBatch = 100 // records per invocation
	// streamLanes is how many invocations process one shard of the stream at once. Lambda preserves the order of each
	// item's records, and announce needs no more: see docs/decisions/0016-stream-order.md. A table has a few shards,
	// and a new account has 10 concurrent executions.
	streamLanes = 2
	// streamWindow is how long Lambda gathers records for an invocation. Those of a stream come in ones and twos otherwise,
	// each at the price of an invocation; a change of presence is announced up to that much later.
	streamWindow = time.Second
	// streamPatience is how long a record is retried. A stream keeps records for 24 h; stopping an hour earlier lets
	// those that could not be announced still reach the failure destination.
	streamPatience = 23 * time.Hour
)

// graceConcurrency is how many batches of users who went offline are processed at once: half as many as of messages,
// but at least 2, which is Lambda's minimum. A new account has 10 concurrent executions in all: with 3 for send, 2 for
// these, 2 for the stream and 1 for sweep, 2 remain for connects and queries.
func graceConcurrency(sends int) int { return max(2, sends/2) }

// sendWindow is how long Lambda waits for a batch of messages to fill, in whole seconds.
func (d *deployment) sendWindow() time.Duration {
	return (d.config.SendBatchWindow + time.Second - 1).Truncate(time.Second)
}

// onlyTheFailed makes Lambda retry only the records that a function reports as failed.
var onlyTheFailed = pulumi.ToStringArray([]string{"ReportBatchItemFailures"})

// declareConsumers connects the queues and the stream to the functions that process them.
func declareConsumers(d *deployment, f foundations, functions functionSet) {
	c := d.newComponent("Consumers", "consumers")
	defer c.complete()
	declare(c, "send-queue", lambda.NewEventSourceMapping, &lambda.EventSourceMappingArgs{
		FunctionName:          functions[heliograph.Send].Name,
		EventSourceArn:        f.queues.send.arn,
		BatchSize:             pulumi.Int(queueBatch),
		FunctionResponseTypes: onlyTheFailed,
		ScalingConfig:         &lambda.EventSourceMappingScalingConfigArgs{MaximumConcurrency: pulumi.Int(d.config.MaxConcurrency)},

		MaximumBatchingWindowInSeconds: seconds(d.sendWindow()),
	}, c.guard())
	declare(c, "grace-queue", lambda.NewEventSourceMapping, &lambda.EventSourceMappingArgs{
		FunctionName:          functions[heliograph.Announce].Name,
		EventSourceArn:        f.queues.grace.arn,
		BatchSize:             pulumi.Int(queueBatch),
		FunctionResponseTypes: onlyTheFailed,
		ScalingConfig:         &lambda.EventSourceMappingScalingConfigArgs{MaximumConcurrency: pulumi.Int(graceConcurrency(d.config.MaxConcurrency))},
	}, c.guard())
	declare(c, "stream", lambda.NewEventSourceMapping, &lambda.EventSourceMappingArgs{
		FunctionName:               functions[heliograph.Announce].Name,
		EventSourceArn:             f.table.streamARN,
		StartingPosition:           pulumi.String("TRIM_HORIZON"),
		BatchSize:                  pulumi.Int(streamBatch),
		ParallelizationFactor:      pulumi.Int(streamLanes),
		BisectBatchOnFunctionError: pulumi.Bool(true),
		MaximumRetryAttempts:       pulumi.Int(-1), // no limit but streamPatience
		MaximumRecordAgeInSeconds:  seconds(streamPatience),
		FunctionResponseTypes:      onlyTheFailed,
		FilterCriteria:             streamFilters(),

		MaximumBatchingWindowInSeconds: seconds(streamWindow),

		DestinationConfig: &lambda.EventSourceMappingDestinationConfigArgs{
			OnFailure: &lambda.EventSourceMappingDestinationConfigOnFailureArgs{DestinationArn: f.queues.streamFailures.arn},
		},
	}, c.guard())
}

// streamFilters pass the records of which announce has to do something, as a rule three of the seven that a session
// makes. They are changes of presence
//
//   - of a user who is online and not announced as such, whose announced is false or still missing;
//   - of a user who has just come online, announced or not, since announce verifies each coming;
//   - of a user who is offline and still announced as online;
//
// and deleted connections: the table's TTL deletes silently, and a function may die between deleting a connection and
// marking its user offline; announce settles both. Lambda takes five filters.
func streamFilters() *lambda.EventSourceMappingFilterCriteriaArgs {
	is := func(values ...any) map[string]any { return map[string]any{"BOOL": values} }
	sortKey := func(rule any) map[string]any { return map[string]any{"sk": map[string]any{"S": []any{rule}}} }
	presence := func(before, after map[string]any) lambda.EventSourceMappingFilterCriteriaFilterInput {
		change := map[string]any{"Keys": sortKey("presence"), "NewImage": after}
		if before != nil {
			change["OldImage"] = before
		}
		return streamFilter(map[string]any{"dynamodb": change})
	}
	return &lambda.EventSourceMappingFilterCriteriaArgs{Filters: lambda.EventSourceMappingFilterCriteriaFilterArray{
		presence(nil, map[string]any{"online": is(true), "announced": is(false)}),
		presence(nil, map[string]any{"online": is(true), "announced": is(map[string]any{"exists": false})}),
		presence(map[string]any{"online": is(false)}, map[string]any{"online": is(true)}),
		presence(nil, map[string]any{"online": is(false), "announced": is(true)}),
		streamFilter(map[string]any{
			"eventName": []string{"REMOVE"},
			"dynamodb":  map[string]any{"Keys": sortKey(map[string]any{"prefix": "conn#"})},
		}),
	}}
}

func streamFilter(pattern map[string]any) lambda.EventSourceMappingFilterCriteriaFilterInput {
	return &lambda.EventSourceMappingFilterCriteriaFilterArgs{Pattern: pulumi.JSONMarshal(pattern)}
}
