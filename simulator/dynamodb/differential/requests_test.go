package differential_test

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"heliograph/simulator/dynamodb"
)

// request draws any request of the actions that both sides know.
func request(t *rapid.T, def dynamodb.Definition) any {
	d := draw{t, def, map[string]string{}, item{}, map[string]bool{}}
	makers := []func() any{d.put, d.put, d.put, d.updateItem, d.updateItem, d.updateItem, d.remove, d.get, d.query, d.query, d.query, d.batch, d.batchWrite}
	if d.often(60) {
		return d.stranger()
	}
	return one(d, makers...)()
}

func (d draw) table() *string {
	return aws.String(d.def.Name)
}

func (d draw) capacity() types.ReturnConsumedCapacity {
	return usually[types.ReturnConsumedCapacity](d, "", "INDEXES", "TOTAL", "NONE", "ALL")
}

// conditionally draws a condition for every other request.
func (d draw) conditionally() *string {
	if d.often(2) {
		return nil
	}
	return d.written(d.condition(2))
}

// oldValues draws a ReturnValues that PutItem and DeleteItem allow, occasionally one that they refuse.
func (d draw) oldValues() types.ReturnValue {
	if d.often(40) {
		return one[types.ReturnValue](d, "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
	}
	return one[types.ReturnValue](d, "", "NONE", "ALL_OLD", "ALL_OLD")
}

func (d draw) onFailure() types.ReturnValuesOnConditionCheckFailure {
	return usually[types.ReturnValuesOnConditionCheckFailure](d, "", "ALL_OLD", "NONE", "ALL_OLD")
}

func (d draw) put() any {
	in := &api.PutItemInput{
		TableName: d.table(), Item: d.item(), ReturnConsumedCapacity: d.capacity(),
		ReturnValues: d.oldValues(),
	}
	if in.ConditionExpression = d.conditionally(); in.ConditionExpression != nil {
		in.ReturnValuesOnConditionCheckFailure = d.onFailure()
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = d.placeholders()
	return in
}

func (d draw) remove() any {
	in := &api.DeleteItemInput{
		TableName: d.table(), Key: d.key(), ReturnConsumedCapacity: d.capacity(),
		ReturnValues: d.oldValues(),
	}
	if in.ConditionExpression = d.conditionally(); in.ConditionExpression != nil {
		in.ReturnValuesOnConditionCheckFailure = d.onFailure()
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = d.placeholders()
	return in
}

func (d draw) updateItem() any {
	in := &api.UpdateItemInput{
		TableName: d.table(), Key: d.key(), ReturnConsumedCapacity: d.capacity(),
		ReturnValues: one[types.ReturnValue](d, "ALL_NEW", "", "NONE", "ALL_OLD", "UPDATED_OLD", "UPDATED_NEW"),
	}
	if !d.often(20) {
		in.UpdateExpression = d.written(d.update())
	}
	if in.UpdateExpression != nil && strings.Contains(*in.UpdateExpression, "[") && strings.HasPrefix(string(in.ReturnValues), "UPDATED") {
		in.ReturnValues = types.ReturnValueAllNew // see "elements past the end"
	}
	in.ConditionExpression = d.conditionally()
	if in.UpdateExpression != nil && onlyTakesAway(*in.UpdateExpression) {
		in.ConditionExpression = aws.String("attribute_exists(" + d.named(d.def.HashKey) + ")")
	}
	if in.ConditionExpression != nil {
		in.ReturnValuesOnConditionCheckFailure = d.onFailure()
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = d.placeholders()
	return in
}

// projected draws a projection for every other request.
func (d draw) projected() *string {
	if d.often(2) {
		return nil
	}
	return d.written(d.projection())
}

func (d draw) get() any {
	in := &api.GetItemInput{
		TableName: d.table(), Key: d.key(), ConsistentRead: aws.Bool(d.often(2)),
		ProjectionExpression: d.projected(), ReturnConsumedCapacity: d.capacity(),
	}
	in.ExpressionAttributeNames, _ = d.placeholders()
	return in
}

func (d draw) batch() any {
	keys := []item{d.batchKey()}
	for range d.upTo(5) {
		keys = append(keys, d.batchKey())
	}
	if !d.often(10) {
		keys = distinct(keys)
	}
	wanted := types.KeysAndAttributes{Keys: keys, ConsistentRead: aws.Bool(d.often(2)), ProjectionExpression: d.projected()}
	wanted.ExpressionAttributeNames, _ = d.placeholders()
	return &api.BatchGetItemInput{
		RequestItems:           map[string]types.KeysAndAttributes{*d.table(): wanted},
		ReturnConsumedCapacity: one[types.ReturnConsumedCapacity](d, "", "INDEXES", "TOTAL", "NONE"),
	}
}

// batchWrite draws puts and deletes of some items, occasionally of the same item twice.
func (d draw) batchWrite() any {
	var requests []types.WriteRequest
	keys := []item{d.batchKey()}
	for range d.upTo(5) {
		keys = append(keys, d.batchKey())
	}
	if !d.often(10) {
		keys = distinct(keys)
	}
	for _, key := range keys {
		if d.often(3) {
			requests = append(requests, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}})
			continue
		}
		whole := d.item()
		maps.Copy(whole, key)
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: whole}})
	}
	return &api.BatchWriteItemInput{
		RequestItems:           map[string][]types.WriteRequest{*d.table(): requests},
		ReturnConsumedCapacity: one[types.ReturnConsumedCapacity](d, "", "INDEXES", "TOTAL", "NONE"),
	}
}

// batchKey draws a key whose hash key is written in only one way: see "equal numbers are one key".
func (d draw) batchKey() item {
	key := d.key()
	if number, ok := key[d.def.HashKey].(*types.AttributeValueMemberN); ok && number.Value == "1.0" {
		number.Value = "1"
	}
	return key
}

// distinct drops keys that are written the same way as an earlier one.
func distinct(keys []item) []item {
	var list []item
	seen := map[string]bool{}
	for _, key := range keys {
		if text := shown(key); !seen[text] {
			seen[text] = true
			list = append(list, key)
		}
	}
	return list
}

func (d draw) query() any {
	in := &api.QueryInput{TableName: d.table(), ReturnConsumedCapacity: d.capacity()}
	hash, rng := d.def.HashKey, d.def.RangeKey
	if d.often(2) {
		x := one(d, d.def.Indexes...)
		hash, rng, in.IndexName = x.HashKey, x.RangeKey, aws.String(x.Name)
	}
	if d.often(60) {
		in.IndexName = aws.String("nothing")
	}
	if !d.often(60) {
		in.KeyConditionExpression = d.written(d.keyCondition(hash, rng))
	}
	if d.often(3) {
		in.FilterExpression = d.written(d.condition(1))
	}
	if d.often(3) {
		in.ProjectionExpression = d.written(d.projection())
	}
	in.Select = usually[types.Select](d, "", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "ALL")
	if d.often(2) {
		in.ScanIndexForward = aws.Bool(d.often(2))
	}
	if (rng != "" || in.IndexName != nil) && d.often(2) {
		in.Limit = aws.Int32(one[int32](d, 1, 2, 3, 1, 2, 3, 4, 5, 0))
	}
	if d.often(4) {
		in.ConsistentRead = aws.Bool(in.IndexName == nil || d.often(8))
	}
	if rng != "" && d.often(8) {
		in.ExclusiveStartKey = d.startKey(hash, rng)
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = d.placeholders()
	return in
}

// startKey draws a key for a Query to continue from, whether or not there is such an item; occasionally an incomplete
// one.
func (d draw) startKey(hash, rng string) item {
	key := d.key()
	for _, name := range []string{hash, rng} {
		if name != "" && key[name] == nil && !d.often(20) {
			key[name] = d.attribute(name)
		}
	}
	return key
}

// usually draws the usual value of a member, and one of the others in about one of three requests.
func usually[V any](d draw, usual V, others ...V) V {
	if d.often(3) {
		return one(d, others...)
	}
	return usual
}

// stranger draws a request for a table that does not exist, or can't.
func (d draw) stranger() any {
	table := aws.String(one(d, "nothing", "no/thing"))
	return one[any](d,
		&api.GetItemInput{TableName: table, Key: d.key()},
		&api.PutItemInput{TableName: table, Item: d.key()},
		&api.DeleteItemInput{TableName: table, Key: d.key()},
		&api.UpdateItemInput{TableName: table, Key: d.key()},
		&api.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*table: {Keys: []item{d.key()}}}},
		&api.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*table: {{DeleteRequest: &types.DeleteRequest{Key: d.key()}}}}},
	)
}

// onlyTakesAway reports whether an update has no section that adds something.
func onlyTakesAway(expression string) bool {
	words := strings.Fields(strings.ToUpper(expression))
	return !slices.Contains(words, "SET") && !slices.Contains(words, "ADD")
}
