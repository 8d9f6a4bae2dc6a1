package dynamodb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestPutAndDelete proves that an item is put, replaced and deleted, each time returning the old one if asked.
func TestPutAndDelete(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	first := with(key("a", "1"), item{"x": l(n("1.50"), m(item{"y": ss("b", "a")})), "b": &types.AttributeValueMemberB{Value: []byte{1}}, "t": &types.AttributeValueMemberBOOL{}, "nul": &types.AttributeValueMemberNULL{Value: true}})
	out, err := f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: first, ReturnValues: "ALL_OLD"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, out.Attributes, item{})
	first["x"] = l(n("1.5"), m(item{"y": ss("a", "b")}))
	same(t, f.get(t, "a", "1"), first)

	out, err = f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: with(key("a", "1"), item{"z": s("")}), ReturnValues: "ALL_OLD"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, out.Attributes, first)
	same(t, f.get(t, "a", "1"), with(key("a", "1"), item{"z": s("")}))

	for _, want := range []item{with(key("a", "1"), item{"z": s("")}), {}} {
		out, err := f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("things"), Key: key("a", "1"), ReturnValues: "ALL_OLD"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, out.Attributes, want)
	}
	same(t, f.get(t, "a", "1"), item(nil))
}

// TestConditionalPutAndDelete proves that a condition decides on a put and a delete, and that the item that failed it
// is returned if asked for.
func TestConditionalPutAndDelete(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	once := &api.PutItemInput{
		TableName: aws.String("things"), Item: with(key("a", "1"), item{"v": n("1")}),
		ConditionExpression: aws.String("attribute_not_exists(pk)"),
	}
	if _, err := f.PutItem(t.Context(), once); err != nil {
		t.Fatal(err)
	}
	_, err := f.PutItem(t.Context(), once)
	failed(t, err, nil)
	once.ReturnValuesOnConditionCheckFailure = "ALL_OLD"
	_, err = f.PutItem(t.Context(), once)
	failed(t, err, with(key("a", "1"), item{"v": n("1")}))

	remove := &api.DeleteItemInput{
		TableName: aws.String("things"), Key: key("a", "1"), ConditionExpression: aws.String("#v = :v"),
		ExpressionAttributeNames: map[string]string{"#v": "v"}, ExpressionAttributeValues: item{":v": n("2")},
		ReturnValuesOnConditionCheckFailure: "ALL_OLD",
	}
	_, err = f.DeleteItem(t.Context(), remove)
	failed(t, err, with(key("a", "1"), item{"v": n("1")}))
	remove.ExpressionAttributeValues = item{":v": n("1.0")}
	if _, err := f.DeleteItem(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	_, err = f.DeleteItem(t.Context(), remove)
	failed(t, err, nil) // there was no item to return
}

// failed asserts a ConditionalCheckFailedException with this item.
func failed(t *testing.T, err error, with item) {
	t.Helper()
	e, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		t.Fatalf("got %v, want a failed condition", err)
	}
	if e.ErrorMessage() != "The conditional request failed" {
		t.Errorf("the message is %q", e.ErrorMessage())
	}
	same(t, e.Item, with)
}

// TestRefusedItems proves that items that DynamoDB can't store are refused.
func TestRefusedItems(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	const (
		one   = "One or more parameter values were invalid: "
		empty = "One or more parameter values are not valid. "
	)
	// The names and keys of big take 4 + 2 bytes, its value the rest.
	big := func(size int) item { return with(key("a", "b"), item{"x": s(strings.Repeat("x", size-7))}) }
	tests := []struct {
		item item
		want string
	}{
		{item{"pk": s("a")}, one + "Missing the key sk in the item"},
		{item{"sk": s("a")}, one + "Missing the key pk in the item"},
		{item{"pk": s("a"), "sk": n("1")}, one + "Type mismatch for key sk expected: S actual: N"},
		{key("", "a"), empty + "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{key("a", ""), empty + "The AttributeValue for a key attribute cannot contain an empty string value. Key: sk"},
		{key(strings.Repeat("x", 2048), strings.Repeat("x", 1024)), ""},
		{key(strings.Repeat("x", 2049), "a"), one + "Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{key("a", strings.Repeat("x", 1025)), one + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"},
		{big(400 << 10), ""},
		{big(400<<10 + 1), "Item size has exceeded the maximum allowed size"},
		{with(key("a", "b"), item{"gpk": n("1")}), one + "Type mismatch for Index Key gpk Expected: S Actual: N IndexName: gsi1"},
		{with(key("a", "b"), item{"gsk": s("")}), empty + "A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: gsi1, IndexKey: gsk"},
		{with(key("a", "b"), item{"score": s("x")}), one + "Type mismatch for Index Key score Expected: N Actual: S IndexName: byscore"},
		{with(key("a", "b"), item{"gpk": s(strings.Repeat("x", 2049))}), one + "Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{with(key("a", "b"), item{"gsk": s(strings.Repeat("x", 1025))}), one + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"},
		{with(key("a", "b"), item{"x": n("x")}), "The parameter cannot be converted to a numeric value: x"},
		{with(key("a", "b"), item{"x": ss()}), one + "An string set  may not be empty"},
		{with(key("a", "b"), item{"": s("x")}), one + "Empty attribute name"},
	}
	for _, test := range tests {
		_, err := f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: test.item})
		switch {
		case test.want == "" && err != nil:
			t.Error(err)
		case test.want != "":
			refused(t, err, "ValidationException", test.want)
		}
	}
	if got := f.table.Len(); got != 2 {
		t.Errorf("%d items are stored, want the 2 good ones", got)
	}
}

// TestIndexKeysAndConditions proves that the index keys of a put are checked before the condition, and those of an
// update after it.
func TestIndexKeysAndConditions(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	_, err := f.PutItem(t.Context(), &api.PutItemInput{
		TableName: aws.String("things"), Item: with(key("a", "1"), item{"gpk": n("1")}), ConditionExpression: aws.String("attribute_exists(pk)"),
	})
	refused(t, err, "ValidationException", "One or more parameter values were invalid: Type mismatch for Index Key gpk Expected: S Actual: N IndexName: gsi1")
	in := change("SET gpk = :n", item{":n": n("1")})
	in.ConditionExpression = aws.String("attribute_exists(pk)")
	_, err = f.UpdateItem(t.Context(), in)
	failed(t, err, nil)
}

// TestRefusedWriteInputs proves that the members of the inputs are checked before anything else, all at once.
func TestRefusedWriteInputs(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	enum := func(member, value, set string) string {
		return "Value '" + value + "' at '" + member + "' failed to satisfy constraint: Member must satisfy enum value set: [" + set + "]"
	}
	const table = "' at 'tableName' failed to satisfy constraint: Member must "
	base := func() *api.PutItemInput {
		return &api.PutItemInput{TableName: aws.String("things"), Item: key("a", "1")}
	}
	tests := []struct {
		change func(*api.PutItemInput)
		code   string
		want   string
	}{
		{func(in *api.PutItemInput) { in.TableName = aws.String("nothing") }, "ResourceNotFoundException", "Requested resource not found"},
		{func(in *api.PutItemInput) { in.TableName = aws.String("") }, "ValidationException", "1 validation error detected: Value '" + table + "have length greater than or equal to 1"},
		{func(in *api.PutItemInput) { in.TableName = aws.String("a!") }, "ValidationException", "1 validation error detected: Value 'a!" + table + "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"},
		{func(in *api.PutItemInput) { in.ReturnValues = "ALL_NEW" }, "ValidationException", "ReturnValues can only be ALL_OLD or NONE"},
		{func(in *api.PutItemInput) { in.ReturnValues, in.ReturnConsumedCapacity = "X", "Y" }, "ValidationException", "2 validation errors detected: " + enum("returnValues", "X", "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW") + "; " + enum("returnConsumedCapacity", "Y", "INDEXES, TOTAL, NONE")},
		{func(in *api.PutItemInput) { in.ReturnItemCollectionMetrics = "X" }, "ValidationException", "1 validation error detected: " + enum("returnItemCollectionMetrics", "X", "SIZE, NONE")},
		{func(in *api.PutItemInput) { in.ReturnValuesOnConditionCheckFailure = "X" }, "ValidationException", "1 validation error detected: " + enum("returnValuesOnConditionCheckFailure", "X", "ALL_OLD, NONE")},
		{func(in *api.PutItemInput) { in.ConditionExpression = aws.String("") }, "ValidationException", "Invalid ConditionExpression: The expression can not be empty;"},
		{func(in *api.PutItemInput) { in.ExpressionAttributeNames = map[string]string{"#a": "a"} }, "ValidationException", "ExpressionAttributeNames can only be specified when using expressions"},
		{func(in *api.PutItemInput) { in.ExpressionAttributeValues = item{":a": s("a")} }, "ValidationException", "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"},
		{func(in *api.PutItemInput) {
			in.ConditionExpression, in.ExpressionAttributeValues = aws.String("attribute_exists(a)"), item{":a": s("a")}
		}, "ValidationException", "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}"},
		{func(in *api.PutItemInput) { in.Expected = map[string]types.ExpectedAttributeValue{} }, "ValidationException", "not supported here: Expected"},
		{func(in *api.PutItemInput) { in.ConditionalOperator = "AND" }, "ValidationException", "not supported here: ConditionalOperator"},
	}
	for _, test := range tests {
		in := base()
		test.change(in)
		_, err := f.PutItem(t.Context(), in)
		refused(t, err, test.code, test.want)
	}
	for _, badKey := range []item{{"pk": s("a")}, with(key("a", "1"), item{"x": s("x")}), {"pk": s("a"), "x": s("x")}, {"pk": n("1"), "sk": s("a")}} {
		_, err := f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("things"), Key: badKey})
		refused(t, err, "ValidationException", "The provided key element does not match the schema")
	}
	_, err := f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("things"), Key: key("a", "1"), ReturnValues: "UPDATED_OLD"})
	refused(t, err, "ValidationException", "ReturnValues can only be ALL_OLD or NONE")
	_, err = f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("nothing"), Key: key("a", "1")})
	refused(t, err, "ResourceNotFoundException", "Requested resource not found")
}

// TestTableByARN proves that a request may name a table by its ARN.
func TestTableByARN(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	if _, err := f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String(f.table.ARN()), Item: key("a", "1")}); err != nil {
		t.Error(err)
	}
	_, err := f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("arn:aws:dynamodb:eu-west-1:000000000000:table/things"), Item: key("a", "1")})
	refused(t, err, "ResourceNotFoundException", "")
}
