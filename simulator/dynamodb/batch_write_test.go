package dynamodb_test

import (
	"fmt"
	"strings"
	"testing"

	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func putting(i item) types.WriteRequest {
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: i}}
}

func deleting(key item) types.WriteRequest {
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}}
}

func things(requests ...types.WriteRequest) map[string][]types.WriteRequest {
	return map[string][]types.WriteRequest{"things": requests}
}

// TestBatchWriteItem proves that a batch puts and deletes, in the table, its indexes and its stream, and costs the sum
// of its writes.
func TestBatchWriteItem(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"x": s(strings.Repeat("x", 1500)), "gpk": s("g"), "gsk": s("1")}))
	before := f.table.Stream().Shards()[0].Latest()
	out, err := f.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{ReturnConsumedCapacity: "INDEXES", RequestItems: things(
		deleting(key("a", "1")), putting(with(key("b", "1"), item{"gpk": s("g"), "gsk": s("2")})), deleting(key("nope", "1")),
	)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, out.UnprocessedItems, map[string][]types.WriteRequest{})
	same(t, out.ConsumedCapacity, []types.ConsumedCapacity{*consumed(4, map[string]float64{"gsi1": 2})})
	same(t, f.get(t, "a", "1"), item(nil))
	same(t, f.get(t, "b", "1"), with(key("b", "1"), item{"gpk": s("g"), "gsk": s("2")}))
	records, err := f.table.Stream().Shards()[0].Read(t.Context(), before, 10)
	if err != nil || len(records) != 2 || records[0].EventName != "REMOVE" || records[1].EventName != "INSERT" {
		t.Errorf("the stream has %v, %v", records, err)
	}
}

// TestRefusedBatchWriteItem proves that a batch with any fault writes nothing at all.
func TestRefusedBatchWriteItem(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	many := make([]types.WriteRequest, 26)
	for i := range many {
		many[i] = putting(key("a", fmt.Sprint(i)))
	}
	good := putting(key("good", "1"))
	tests := []struct {
		request map[string][]types.WriteRequest
		code    string
		want    string
	}{
		{map[string][]types.WriteRequest{}, "ValidationException", "The requestItems parameter is required for BatchWriteItem"},
		{things(many...), "ValidationException", "1 validation error detected: Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]"},
		{things(), "ValidationException", "1 validation error detected: Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]"},
		{map[string][]types.WriteRequest{"things": many[:13], "others": many[:13]}, "ValidationException", "Too many items requested for the BatchWriteItem call"},
		{things(good, putting(key("a", "1")), deleting(key("a", "1"))), "ValidationException", "Provided list of item keys contains duplicates"},
		{things(good, putting(item{"pk": s("a")})), "ValidationException", "One or more parameter values were invalid: Missing the key sk in the item"},
		{things(good, deleting(item{"pk": s("a")})), "ValidationException", "The provided key element does not match the schema"},
		{things(good, putting(with(key("a", "1"), item{"gpk": n("1")}))), "ValidationException", "One or more parameter values were invalid: Type mismatch for Index Key gpk Expected: S Actual: N IndexName: gsi1"},
		{things(good, putting(with(key("a", "1"), item{"x": s(strings.Repeat("x", 400<<10))}))), "ValidationException", "Item size has exceeded the maximum allowed size"},
		{map[string][]types.WriteRequest{"nothing": {good}, "things": {good}}, "ResourceNotFoundException", "Requested resource not found"},
	}
	for _, test := range tests {
		_, err := f.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{RequestItems: test.request})
		refused(t, err, test.code, test.want)
	}
	for _, request := range []string{`{}`, `{"PutRequest":{"Item":{"pk":{"S":"a"},"sk":{"S":"1"}}},"DeleteRequest":{"Key":{"pk":{"S":"a"},"sk":{"S":"2"}}}}`} {
		if status, body := direct(t, f.db, "BatchWriteItem", `{"RequestItems":{"things":[`+request+`]}}`); status != 400 || !strings.Contains(body, "ValidationException") {
			t.Errorf("%s gives %d %s", request, status, body)
		}
	}
	if n := f.table.Len(); n != 0 {
		t.Errorf("%d items were written", n)
	}
}
