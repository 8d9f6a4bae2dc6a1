package dynamodb_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/simulator/wire"
)

// TestUnknownIsRefused proves that everything that the simulator does not know is refused by name, and changes nothing.
func TestUnknownIsRefused(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	const good = `"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"S":"1"}}`
	tests := []struct{ action, body, code, names string }{
		{"TransactWriteItems", `{}`, "UnknownOperationException", "TransactWriteItems"},
		{"PutItem", `{` + good + `,"Expected":{}}`, "ValidationException", "not supported here: Expected"},
		{"PutItem", `{` + good + `,"returnValues":"NONE"}`, "SerializationException", "returnValues"},
		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"s":"1"}}}`, "ValidationException", "Supplied AttributeValue is empty"},
		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"S":1}}}`, "SerializationException", "Item.sk"},
		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"S":"1"},"sk":{"S":"2"}}}`, "SerializationException", "Item.sk"},
		{"PutItem", `{"TableName":"things"}`, "ValidationException", "Value null at 'item'"},
		{"DeleteItem", `{"TableName":"things"}`, "ValidationException", "Value null at 'key'"},
		{"UpdateItem", `{"TableName":"things","Key":{},"AttributeUpdates":{}}`, "ValidationException", "not supported here: AttributeUpdates"},
		{"Query", `{"TableName":"things","KeyConditions":{}}`, "ValidationException", "not supported here: KeyConditions"},
		{"Scan", `{"TableName":"things","Segment":0,"TotalSegments":1}`, "ValidationException", "not supported here: Segment"},
		{"BatchGetItem", `{"RequestItems":{"things":{"Keys":[],"AttributesToGet":["a"]}}}`, "ValidationException", "not supported here: RequestItems.things.AttributesToGet"},
		{"DescribeTable", `{"Table":"things"}`, "SerializationException", "Table"},
	}
	for _, test := range tests {
		status, body := direct(t, f.db, test.action, test.body)
		if status != 400 || !strings.Contains(body, "#"+test.code+`"`) || !strings.Contains(body, test.names) {
			t.Errorf("%s %s gives %d %s, want %s with %s", test.action, test.body, status, body, test.code, test.names)
		}
	}
	same(t, f.table.Len(), 0)
}

// TestResources proves the resources that IAM checks: a call's tables or, for a read of an index, the index.
func TestResources(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	var mu sync.Mutex
	touched := map[string][]string{}
	endpoint := wire.NewEndpoint(wire.Options{Before: func(_ context.Context, call wire.Call) error {
		mu.Lock()
		defer mu.Unlock()
		touched[call.Permission] = call.Resources
		return wire.Errorf("Enough", "this test only looks")
	}})
	endpoint.Register(f.db.Service())
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	c, ctx, name := client(server.URL), t.Context(), aws.String("things")
	_, _ = c.PutItem(ctx, &api.PutItemInput{TableName: name, Item: key("a", "1")})
	_, _ = c.GetItem(ctx, &api.GetItemInput{TableName: aws.String(f.table.ARN()), Key: key("a", "1")})
	_, _ = c.UpdateItem(ctx, &api.UpdateItemInput{TableName: name, Key: key("a", "1")})
	_, _ = c.DeleteItem(ctx, &api.DeleteItemInput{TableName: name, Key: key("a", "1")})
	_, _ = c.Query(ctx, &api.QueryInput{TableName: name, IndexName: aws.String("gsi1")})
	_, _ = c.Scan(ctx, &api.ScanInput{TableName: name})
	_, _ = c.BatchGetItem(ctx, &api.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"things": {Keys: []item{key("a", "1")}}, "others": {Keys: []item{key("a", "1")}}}})
	_, _ = c.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"things": {putting(key("a", "1"))}, "others": {deleting(key("a", "1"))}}})
	_, _ = c.DescribeTable(ctx, &api.DescribeTableInput{TableName: name})
	_, _ = c.DescribeTimeToLive(ctx, &api.DescribeTimeToLiveInput{TableName: name})
	_, _ = c.ListTables(ctx, &api.ListTablesInput{})
	const arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/things"
	same(t, touched, map[string][]string{
		"dynamodb:PutItem": {arn}, "dynamodb:GetItem": {arn}, "dynamodb:UpdateItem": {arn}, "dynamodb:DeleteItem": {arn},
		"dynamodb:Query": {arn + "/index/gsi1"}, "dynamodb:Scan": {arn},
		"dynamodb:BatchGetItem":   {strings.Replace(arn, "things", "others", 1), arn},
		"dynamodb:BatchWriteItem": {strings.Replace(arn, "things", "others", 1), arn},
		"dynamodb:DescribeTable":  {arn}, "dynamodb:DescribeTimeToLive": {arn}, "dynamodb:ListTables": {"*"},
	})
}
