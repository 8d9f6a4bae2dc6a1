package differential_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// sized is an item of that many bytes: 4 for the names of its key, 1 for another name, the key's values, and the
// remainder.
func sized(sk string, bytes int) item {
	all := key("p", sk)
	all["x"] = s(strings.Repeat("x", bytes-4-1-1-len(sk)))
	return all
}

// agreeing makes requests on both sides, and fails the test unless they agree on each.
func (p pair) agreeing(t *testing.T, requests ...any) {
	t.Helper()
	for _, in := range requests {
		if v := p.both(t.Context(), in); v.difference != "" {
			t.Error(v.difference)
		}
	}
}

// TestItemSizesAgree proves that both sides agree on the size of the largest item, and on the cost of items just below,
// at and above a multiple of a capacity unit.
func TestItemSizesAgree(t *testing.T) {
	t.Parallel()
	p := start(t).create(t, "things", definitions[0])
	name := &p.definition.Name
	for _, bytes := range []int{1023, 1024, 1025, 2048, 2049, 4095, 4096, 4097, 8192, 8193, 400<<10 - 1, 400 << 10, 400<<10 + 1} {
		sk := fmt.Sprint(bytes)
		p.agreeing(t,
			&api.PutItemInput{TableName: name, Item: sized(sk, bytes), ReturnConsumedCapacity: "TOTAL"},
			&api.GetItemInput{TableName: name, Key: key("p", sk), ReturnConsumedCapacity: "TOTAL"},
			&api.GetItemInput{TableName: name, Key: key("p", sk), ReturnConsumedCapacity: "INDEXES", ConsistentRead: aws.Bool(true)},
			&api.UpdateItemInput{
				TableName: name, Key: key("p", sk), ReturnConsumedCapacity: "INDEXES", UpdateExpression: aws.String("SET y = :y, gpk = :y, score = :n"),
				ExpressionAttributeValues: item{":y": s("y"), ":n": n("-12.5")},
			},
			&api.UpdateItemInput{TableName: name, Key: key("p", sk), ReturnConsumedCapacity: "INDEXES", UpdateExpression: aws.String("REMOVE x"), ConditionExpression: aws.String("attribute_exists(pk)")},
			&api.PutItemInput{TableName: name, Item: sized(sk, bytes), ReturnConsumedCapacity: "INDEXES", ReturnValues: "ALL_OLD"},
			&api.DeleteItemInput{TableName: name, Key: key("p", sk), ReturnConsumedCapacity: "INDEXES"},
		)
	}
}

// TestPageSizesAgree proves that both sides end a page at 1 MB, count the items they read for it, and charge the same.
func TestPageSizesAgree(t *testing.T) {
	t.Parallel()
	p := start(t).create(t, "things", definitions[0])
	name := &p.definition.Name
	batch := types.KeysAndAttributes{}
	for i := range 40 {
		big := sized(fmt.Sprintf("%02d", i), 64<<10-i)
		big["gpk"], big["score"] = s("g"), n(fmt.Sprint(i))
		p.agreeing(t, &api.PutItemInput{TableName: name, Item: big, ReturnConsumedCapacity: "INDEXES"})
		batch.Keys = append(batch.Keys, key("p", fmt.Sprintf("%02d", i)))
	}
	byScore := aws.String("byscore")
	for _, forward := range []bool{true, false} {
		of := func(index *string, condition string, value string) *api.QueryInput {
			return &api.QueryInput{
				TableName: name, IndexName: index, ScanIndexForward: &forward, ReturnConsumedCapacity: "INDEXES",
				KeyConditionExpression: &condition, ExpressionAttributeValues: item{":k": s(value)},
			}
		}
		some := of(nil, "pk = :k", "p")
		some.FilterExpression, some.Limit, some.Select = aws.String("score > :n"), aws.Int32(10), types.SelectCount
		some.ExpressionAttributeValues[":n"] = n("20")
		p.agreeing(t, of(nil, "pk = :k", "p"), of(byScore, "gpk = :k", "g"), of(aws.String("gsi1"), "gpk = :k", "g"), some)
	}
	p.agreeing(t, &api.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*name: batch}, ReturnConsumedCapacity: "TOTAL"})
}
