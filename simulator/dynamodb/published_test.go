package dynamodb_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/wire/wiretest"
)

// own is the reason for checking a rule in this package rather than by the model.
const own = "DynamoDB's words and order differ from those of its model"

// TestHoldsAgainstPublishedModel proves that the actions agree with AWS's published model, except for the rules that
// this package checks itself.
func TestHoldsAgainstPublishedModel(t *testing.T) {
	t.Parallel()
	wiretest.HoldAgainstModel(t, dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "1"}).Service(), wiretest.Published{
		Folder: "dynamodb/2012-08-10", Client: &sdk.Client{}, Own: map[string]string{
			"TableName":                   "an ARN is a table's name, too, since 2024: constraints.table",
			"ReturnValue":                 own,
			"ReturnConsumedCapacity":      own,
			"ReturnItemCollectionMetrics": own,
			"Select":                      own,
			"PositiveIntegerObject":       own,
			"ListTablesInputLimit":        own,
			"BatchGetRequestMap":          own,
			"KeyList":                     own,
			"BatchWriteItemRequestMap":    own,
			"WriteRequests":               own,
		},
		Taken: "ResourceNotFoundException",
		Samples: map[string]map[string]any{
			"AttributeValue": {"S": "a"},
			"WriteRequest":   {"DeleteRequest": map[string]any{"Key": map[string]any{"a": map[string]any{"S": "a"}}}},
			"QueryInput": {
				"IndexName": "aaa", "KeyConditionExpression": "a = :a", "ExpressionAttributeValues": map[string]any{":a": map[string]any{"S": "a"}},
			},
		},
	})
}
