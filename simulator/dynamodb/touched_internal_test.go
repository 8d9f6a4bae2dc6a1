package dynamodb

import (
	"slices"
	"strings"
	"testing"

	"heliograph/simulator/dynamodb/attribute"
)

// TestTouched proves what IAM sees of each action: the partition keys, those of the table or of the index that is queried;
// the attributes that it names anywhere; and of reads, which attributes they return.
func TestTouched(t *testing.T) {
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
	query := func(index *string, text string, change func(*QueryInput)) *QueryInput {
		in := &QueryInput{
			TableName: "table", IndexName: index, KeyConditionExpression: &text,
			ExpressionAttributeValues: attribute.Item{":a": attribute.StringOf("a")},
		}
		change(in)
		return in
	}
	index, one, some, reads, sets := "index", "z", "a.b, #c", "c = :a OR size(d) > :a", "SET e = if_not_exists(f, :a) REMOVE g"
	names := map[string]string{"#c": "c"}
	as := func(in *QueryInput) {}
	const all, specific, projected, keys = "ALL_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "gpk pk sk"
	for name, tt := range map[string]struct {
		in                    bounded
		keys, names, selected string
	}{
		"put":    {&PutItemInput{writeInput{TableName: "table"}, key("a")}, "a", keys, ""},
		"update": {&UpdateItemInput{writeInput{TableName: "table", ConditionExpression: &reads, ExpressionAttributeValues: attribute.Item{":a": attribute.StringOf("a")}}, key("a"), &sets}, "a", "c d e f g " + keys, ""},
		"delete": {&DeleteItemInput{writeInput{TableName: "table"}, key("a")}, "a", keys, ""},
		"get":    {&GetItemInput{TableName: "table", Key: key("a")}, "a", keys, all},
		"get some": {
			&GetItemInput{TableName: "table", Key: key("a"), ProjectionExpression: &some, ExpressionAttributeNames: names},
			"a", "a c " + keys, specific,
		},
		"batch get": {&BatchGetItemInput{RequestItems: map[string]KeysAndAttributes{"table": {Keys: []attribute.Item{key("a"), key("b")}}}}, "a b", keys, all},
		"batch get some": {
			&BatchGetItemInput{RequestItems: map[string]KeysAndAttributes{"table": {Keys: []attribute.Item{key("a")}, ProjectionExpression: &some, ExpressionAttributeNames: names}}},
			"a", "a c " + keys, specific,
		},
		"batch get whole of one table": {
			&BatchGetItemInput{RequestItems: map[string]KeysAndAttributes{
				"table": {Keys: []attribute.Item{key("a")}, ProjectionExpression: &some, ExpressionAttributeNames: names},
				"arn:aws:dynamodb:eu-west-1:000000000000:table/table": {Keys: []attribute.Item{key("b")}},
			}},
			"a b", "a c " + keys, all,
		},
		"batch write":    {&BatchWriteItemInput{RequestItems: map[string][]WriteRequest{"table": {{PutRequest: &PutRequest{key("a")}}, {DeleteRequest: &DeleteRequest{key("b")}}}}}, "a b", keys, ""},
		"query":          {query(nil, "pk = :a AND sk > :a", as), "a", "pk sk", all},
		"query some":     {query(nil, "pk = :a", func(in *QueryInput) { in.ProjectionExpression = &one }), "a", "pk sk z", specific},
		"query filtered": {query(nil, "pk = :a", func(in *QueryInput) { in.FilterExpression, in.Select = &reads, "COUNT" }), "a", "c d pk sk", "COUNT"},
		"query of index": {query(&index, "gpk = :a", as), "a", keys, projected},
		"scan":           {&ScanInput{TableName: "table"}, "", "pk sk", all},
		"scan of index":  {&ScanInput{TableName: "table", IndexName: &index, ProjectionExpression: &some, ExpressionAttributeNames: names}, "", "a c " + keys, specific},
		"by ARN":         {&GetItemInput{TableName: "arn:aws:dynamodb:eu-west-1:000000000000:table/table", Key: key("a")}, "a", keys, all},
		"no such table":  {&GetItemInput{TableName: "other", Key: key("a")}, "", "", all},
		"bad query":      {query(nil, "pk =", as), "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := tt.in.touched(db).values()
			slices.Sort(values["dynamodb:LeadingKeys"])
			for key, want := range map[string]string{"LeadingKeys": tt.keys, "Attributes": tt.names, "Select": tt.selected} {
				if got := strings.Join(values["dynamodb:"+key], " "); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
		})
	}
}
