package stack

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// statement allows actions on resources, as in an IAM policy.
type statement struct {
	actions    []string
	resources  pulumi.StringArray
	partitions []string // patterns of the table's or index's partition keys; none: any
	attributes []string // the only ones that reads may return; none: any
}

// allow starts a statement that reads as a sentence: allow(these actions).on(those resources).
func allow(actions ...string) statement { return statement{actions: actions} }

func (s statement) on(resources ...pulumi.StringInput) statement {
	s.resources = resources
	return s
}

// of narrows access to the table to items of some partitions.
func (s statement) of(partitions ...string) statement {
	s.partitions = partitions
	return s
}

// reading narrows reads of items to some attributes: a call that does not name the attributes it wants is refused. Those of
// the key must be among them.
func (s statement) reading(attributes ...string) statement {
	s.attributes = attributes
	return s
}

// conditions are the statement's conditions as IAM has them. dynamodb:Select always has a value in reads, so StringEquals is
// safe; see "Using IAM policy conditions for fine-grained access control" in the DynamoDB developer guide.
func (s statement) conditions() map[string]any {
	conditions := map[string]any{}
	if len(s.partitions) > 0 {
		conditions["ForAllValues:StringLike"] = map[string]any{"dynamodb:LeadingKeys": s.partitions}
	}
	if len(s.attributes) > 0 {
		conditions["ForAllValues:StringEquals"] = map[string]any{"dynamodb:Attributes": s.attributes}
		conditions["StringEquals"] = map[string]any{"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}
	}
	return conditions
}

// policyDocument is the JSON of an identity policy. It is known once the resources in it are.
func policyDocument(statements []statement) pulumi.StringOutput {
	document := make([]any, len(statements))
	for i, s := range statements {
		member := map[string]any{"Effect": "Allow", "Action": s.actions, "Resource": s.resources}
		if conditions := s.conditions(); len(conditions) > 0 {
			member["Condition"] = conditions
		}
		document[i] = member
	}
	return pulumi.JSONMarshal(map[string]any{"Version": policyVersion, "Statement": document})
}

// policyVersion is the current version of IAM's policy language.
const policyVersion = "2012-10-17"

// trust returns the policy of a role that a service may assume.
func trust(service string) pulumi.StringOutput {
	return pulumi.JSONMarshal(map[string]any{"Version": policyVersion, "Statement": []any{map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": service},
	}}})
}

// traces lets a function send its X-Ray segments. These actions have no resources, so AWS demands the wildcard.
func traces() statement {
	return allow("xray:PutTraceSegments", "xray:PutTelemetryRecords").on(pulumi.String("*"))
}

// logs lets a function write to its own log group, which already exists. Lambda names the streams in it, hence the
// wildcard after the group.
func logs(group pulumi.StringOutput) statement {
	return allow("logs:CreateLogStream", "logs:PutLogEvents").on(pulumi.Sprintf("%s:*", group))
}

// polls lets Lambda receive messages from a queue on a function's behalf.
func polls(q queue) statement {
	return allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes").on(q.arn)
}

// streams lets Lambda read the table's stream on a function's behalf.
func streams(t table) statement {
	return allow("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator").on(t.streamARN)
}

// listsStreams is the other thing that Lambda demands of a function that reads a stream. This action knows no resources, so
// AWS demands the wildcard; it gives away the names of the Region's streams and nothing in them.
func listsStreams() statement { return allow("dynamodb:ListStreams").on(pulumi.String("*")) }

// The partitions of the table and its index, see packages presence, delivery and mailbox.
const (
	userPartitions   = "user#*"   // a user's presence and connections
	claimPartitions  = "sent#*"   // which messages with an id have arrived
	keyPartitions    = "key#*"    // the keys of follow-ups
	keptPartitions   = "kept#*"   // messages that are kept for users
	leasePartitions  = "lease#*"  // of the index: connections by the end of their lease
	onlinePartitions = "online#*" // of the index: users who are online
)

// settles lets a function make a user offline where no connection is left.
func settles(t table) statement {
	return allow("dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem").on(t.arn).of(userPartitions)
}

// forgets lets a function delete a connection. A function that does must settle the user, too.
func forgets(t table) statement { return allow("dynamodb:DeleteItem").on(t.arn).of(userPartitions) }

// claims lets a function remember which messages with an id have arrived.
func claims(t table) statement {
	return allow("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem").on(t.arn).of(claimPartitions)
}

// seals lets a function read and make the keys that seal follow-ups.
func seals(t table) statement {
	return allow("dynamodb:GetItem", "dynamodb:PutItem").on(t.arn).of(keyPartitions)
}

// keeps lets a function keep messages for users.
func keeps(t table) statement {
	return allow("dynamodb:UpdateItem", "dynamodb:PutItem").on(t.arn).of(keptPartitions)
}

// replays lets a function read what was kept for users, and fill positions that are empty.
func replays(t table) statement {
	return allow("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem").on(t.arn).of(keptPartitions)
}

// manages lets a function call @connections. A single action covers all methods; the method is in the ARN, followed by
// the connection id, which can't be known in advance.
func manages(api webSocketAPI, methods ...string) statement {
	s := allow("execute-api:ManageConnections")
	for _, method := range methods {
		s.resources = append(s.resources, pulumi.Sprintf("%s/%s/%s/@connections/*", api.executionARN, api.stage, method))
	}
	return s
}
