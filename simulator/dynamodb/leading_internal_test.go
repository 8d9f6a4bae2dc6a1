package dynamodb

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/dynamodb/attribute"
)

// TestLeading proves which partition keys IAM sees of each action: those of the table, or of the index that is queried.
func TestLeading(t *testing.T) {
	t.Parallel()
	db := New(Options{Region: "eu-west-1", Account: "000000000000"})
	_, err := db.CreateTable(Definition{
		Name: "table", HashKey: "pk", RangeKey: "sk", BillingMode: "PAY_PER_REQUEST",
		Attributes: []Attribute{{Name: "pk", Type: "S"}, {Name: "sk", Type: "S"}, {Name: "gpk", Type: "S"}},
		Indexes:    []Index{{Name: "index", HashKey: "gpk", Projection: "KEYS_ONLY"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	key := func(pk string) attribute.Item {
		return attribute.Item{"pk": attribute.StringOf(pk), "sk": attribute.StringOf("s"), "gpk": attribute.StringOf("g")}
	}
	query := func(index *string, text string) *QueryInput {
		return &QueryInput{
			TableName: "table", IndexName: index, KeyConditionExpression: &text,
			ExpressionAttributeValues: attribute.Item{":a": attribute.StringOf("a")},
		}
	}
	index := "index"
	for name, tt := range map[string]struct {
		in   keyed
		want []string
	}{
		"put":            {&PutItemInput{writeInput{TableName: "table"}, key("a")}, []string{"a"}},
		"get":            {&GetItemInput{TableName: "table", Key: key("a")}, []string{"a"}},
		"delete":         {&DeleteItemInput{writeInput{TableName: "table"}, key("a")}, []string{"a"}},
		"batch get":      {&BatchGetItemInput{RequestItems: map[string]KeysAndAttributes{"table": {Keys: []attribute.Item{key("a"), key("b")}}}}, []string{"a", "b"}},
		"batch write":    {&BatchWriteItemInput{RequestItems: map[string][]WriteRequest{"table": {{PutRequest: &PutRequest{key("a")}}, {DeleteRequest: &DeleteRequest{key("b")}}}}}, []string{"a", "b"}},
		"query":          {query(nil, "pk = :a AND sk > :a"), []string{"a"}},
		"query of index": {query(&index, "gpk = :a"), []string{"a"}},
		"by ARN":         {&GetItemInput{TableName: "arn:aws:dynamodb:eu-west-1:000000000000:table/table", Key: key("a")}, []string{"a"}},
		"no such table":  {&GetItemInput{TableName: "other", Key: key("a")}, nil},
		"bad query":      {query(nil, "pk ="), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := tt.in.leading(db)
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
