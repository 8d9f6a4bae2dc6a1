package dynamodb_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestGetItem proves that a projection picks parts of an item, and that an item without any of them is empty, not
// missing.
func TestGetItem(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	whole := with(key("a", "1"), item{"name": s("n"), "m": m(item{"x": n("1"), "y": n("2")}), "l": l(n("1"), n("2"))})
	f.put(t, whole)
	tests := []struct {
		projection string
		names      map[string]string
		want       item
	}{
		{"", nil, whole},
		{"#n, m.y, l[1]", map[string]string{"#n": "name"}, item{"name": s("n"), "m": m(item{"y": n("2")}), "l": l(n("2"))}},
		{"nope", nil, item{}},
	}
	for _, test := range tests {
		in := &api.GetItemInput{TableName: aws.String("things"), Key: key("a", "1"), ExpressionAttributeNames: test.names}
		if test.projection != "" {
			in.ProjectionExpression = aws.String(test.projection)
		}
		out, err := f.GetItem(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		same(t, out.Item, test.want)
		if out.Item == nil {
			t.Errorf("%q: the item is missing, though there is one", test.projection)
		}
	}
	out, err := f.GetItem(t.Context(), &api.GetItemInput{TableName: aws.String("things"), Key: key("a", "2"), ProjectionExpression: aws.String("x")})
	if err != nil || out.Item != nil {
		t.Errorf("what is not there is %v, %v", out.Item, err)
	}
}

// TestRefusedGetItem proves that a GetItem with a fault is refused in AWS's words.
func TestRefusedGetItem(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	const schema = "The provided key element does not match the schema"
	tests := []struct {
		in   api.GetItemInput
		code string
		want string
	}{
		{api.GetItemInput{TableName: aws.String("nothing"), Key: key("a", "1")}, "ResourceNotFoundException", "Requested resource not found"},
		{api.GetItemInput{TableName: aws.String("ab"), Key: key("a", "1")}, "ValidationException", "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"},
		{api.GetItemInput{TableName: aws.String("things"), Key: item{"pk": s("a")}}, "ValidationException", schema},
		{api.GetItemInput{TableName: aws.String("things"), Key: item{"pk": n("1"), "sk": s("a")}}, "ValidationException", schema},
		{api.GetItemInput{TableName: aws.String("things"), Key: key("", "1")}, "ValidationException", "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{api.GetItemInput{TableName: aws.String("things"), Key: key("a", "1"), ProjectionExpression: aws.String("a,")}, "ValidationException", `Invalid ProjectionExpression: Syntax error; token: "<EOF>", near: ","`},
		{api.GetItemInput{TableName: aws.String("things"), Key: key("a", "1"), ExpressionAttributeNames: map[string]string{"#a": "a"}}, "ValidationException", "ExpressionAttributeNames can only be specified when using expressions"},
		{api.GetItemInput{TableName: aws.String("things"), Key: key("a", "1"), AttributesToGet: []string{"a"}}, "ValidationException", "not supported here: AttributesToGet"},
	}
	for _, test := range tests {
		_, err := f.GetItem(t.Context(), &test.in)
		refused(t, err, test.code, test.want)
	}
}

// TestBatchGetItem proves that a batch returns the existing items, in the order of their keys in the request.
func TestBatchGetItem(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"x": n("1"), "y": n("1")}), with(key("b", "1"), item{"x": n("2")}))
	out, err := f.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		"things": {Keys: []item{key("b", "1"), key("nope", "1"), key("a", "1")}, ProjectionExpression: aws.String("x")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, out.Responses, map[string][]item{"things": {{"x": n("2")}, {"x": n("1")}}})
	same(t, out.UnprocessedKeys, map[string]types.KeysAndAttributes{})
}

// TestBatchGetItemIsBounded proves that keys beyond 16 MB come back unprocessed, with everything needed to request them
// again.
func TestBatchGetItemIsBounded(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	var keys []item
	for i := range 45 {
		k := key("a", fmt.Sprintf("%02d", i))
		keys = append(keys, k)
		f.putBig(t, k)
	}
	request := map[string]types.KeysAndAttributes{"things": {
		Keys: keys, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("#s"), ExpressionAttributeNames: map[string]string{"#s": "sk"},
	}}
	var got []item
	var pages []int
	for len(request) > 0 {
		out, err := f.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: request})
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(out.Responses["things"]))
		got = append(got, out.Responses["things"]...)
		request = out.UnprocessedKeys
	}
	same(t, pages, []int{42, 3}) // 42 × (384 KB + 11 bytes) is the most that fits 16 MB
	for i, one := range got {
		same(t, one, item{"sk": keys[i]["sk"]})
	}
}

// TestRefusedBatchGetItem proves that a batch with any fault is refused in AWS's words.
func TestRefusedBatchGetItem(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	many := make([]item, 101)
	for i := range many {
		many[i] = key("a", fmt.Sprint(i))
	}
	of := func(keys ...item) map[string]types.KeysAndAttributes {
		return map[string]types.KeysAndAttributes{"things": {Keys: keys}}
	}
	const member = "1 validation error detected: Value at 'RequestItems.things.member.Keys' failed to satisfy constraint: Member must have length "
	tests := []struct {
		request map[string]types.KeysAndAttributes
		code    string
		want    string
	}{
		{map[string]types.KeysAndAttributes{}, "ValidationException", "The requestItems parameter is required for BatchGetItem"},
		{map[string]types.KeysAndAttributes{"things": {Keys: []item{}}}, "ValidationException", member + "greater than or equal to 1"},
		{of(many...), "ValidationException", member + "less than or equal to 100"},
		{map[string]types.KeysAndAttributes{"things": {Keys: many[:60]}, "others": {Keys: many[:60]}}, "ValidationException", "Too many items requested for the BatchGetItem call"},
		{of(key("a", "1"), key("b", "1"), key("a", "1")), "ValidationException", "Provided list of item keys contains duplicates"},
		{of(item{"pk": s("a")}), "ValidationException", "The provided key element does not match the schema"},
		{map[string]types.KeysAndAttributes{"nothing": {Keys: many[:1]}}, "ResourceNotFoundException", "Requested resource not found"},
		{map[string]types.KeysAndAttributes{"nothing": {Keys: []item{key("a", "1"), {"pk": n("x")}}}}, "ValidationException", "The parameter cannot be converted to a numeric value: x"},
		{map[string]types.KeysAndAttributes{"no/thing": {Keys: many[:1]}}, "ValidationException", "1 validation error detected: Value 'no/thing' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"},
		{map[string]types.KeysAndAttributes{"things": {Keys: many[:1], AttributesToGet: []string{"a"}}}, "ValidationException", "not supported here: RequestItems.things.AttributesToGet"},
	}
	for _, test := range tests {
		_, err := f.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: test.request})
		refused(t, err, test.code, test.want)
	}
}
