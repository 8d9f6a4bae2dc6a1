package dynamodb_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// change returns an UpdateItem of the item a/1.
func change(expression string, values item) *api.UpdateItemInput {
	return &api.UpdateItemInput{
		TableName: aws.String("things"), Key: key("a", "1"), UpdateExpression: aws.String(expression), ExpressionAttributeValues: values,
	}
}

// TestUpdateMakesItem proves the update that marks a user online: it creates the item, and counts its epoch up from the
// clock.
func TestUpdateMakesItem(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	in := change("SET #o = :t, epoch = if_not_exists(epoch, :now) + :one, gpk = :g, gsk = :u REMOVE #ttl",
		item{":t": s("yes"), ":now": n("41"), ":one": n("1"), ":g": s("online#1"), ":u": s("1")})
	in.ExpressionAttributeNames = map[string]string{"#o": "online", "#ttl": "ttl"}
	in.ReturnValues = "ALL_NEW"
	for _, epoch := range []string{"42", "43"} {
		out, err := f.UpdateItem(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		want := with(key("a", "1"), item{"online": s("yes"), "epoch": n(epoch), "gpk": s("online#1"), "gsk": s("1")})
		same(t, out.Attributes, want)
		same(t, f.get(t, "a", "1"), want)
	}
}

// TestUpdateReturnValues proves each kind of ReturnValues, for attributes, parts of documents and removed attributes.
func TestUpdateReturnValues(t *testing.T) {
	t.Parallel()
	old := with(key("a", "1"), item{"x": n("1"), "gone": s("g"), "m": m(item{"p": s("q"), "r": n("2")}), "l": l(n("1"), n("2"), n("3"))})
	const expression = "SET x = :9, fresh = :9, m.r = :9, l[1] = :9 REMOVE gone"
	tests := map[string]item{
		"":            nil,
		"NONE":        nil,
		"ALL_OLD":     old,
		"ALL_NEW":     with(key("a", "1"), item{"x": n("9"), "fresh": n("9"), "m": m(item{"p": s("q"), "r": n("9")}), "l": l(n("1"), n("9"), n("3"))}),
		"UPDATED_OLD": {"x": n("1"), "gone": s("g"), "m": m(item{"r": n("2")}), "l": l(n("2"))},
		"UPDATED_NEW": {"x": n("9"), "fresh": n("9"), "m": m(item{"r": n("9")}), "l": l(n("9"))},
	}
	for kind, want := range tests {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			f.put(t, old)
			in := change(expression, item{":9": n("9")})
			in.ReturnValues = types.ReturnValue(kind)
			out, err := f.UpdateItem(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			same(t, out.Attributes, want)
		})
	}
}

// TestUpdateOfNothing proves that an update without an expression creates the item, and that one that only removes does
// not.
func TestUpdateOfNothing(t *testing.T) {
	t.Parallel()
	made := key("a", "1")
	tests := map[string]item{
		"": made, "REMOVE x": nil, "DELETE x :set": nil, "REMOVE x.y, z[0]": nil, "REMOVE x DELETE y :set": nil,
		"REMOVE x ADD y :set": with(made, item{"y": ss("a")}), "REMOVE x SET y = :set": with(made, item{"y": ss("a")}),
	}
	for expression, want := range tests {
		f := setUp(t)
		in := change(expression, nil)
		if expression == "" {
			in.UpdateExpression = nil
		}
		if strings.Contains(expression, ":set") {
			in.ExpressionAttributeValues = item{":set": ss("a")}
		}
		in.ReturnValues = "ALL_NEW"
		out, err := f.UpdateItem(t.Context(), in)
		if err != nil {
			t.Fatal(expression, err)
		}
		same(t, out.Attributes, want)
		same(t, f.get(t, "a", "1"), want)
	}
}

// TestConditionalUpdate proves that a condition and an update see the same item, and that nothing changes if the
// condition fails.
func TestConditionalUpdate(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	in := change("SET v = v + :one", item{":one": n("1"), ":v": n("1")})
	in.ConditionExpression = aws.String("v = :v")
	in.ReturnValuesOnConditionCheckFailure = "ALL_OLD"
	_, err := f.UpdateItem(t.Context(), in)
	failed(t, err, nil)
	same(t, f.get(t, "a", "1"), item(nil))
	f.put(t, with(key("a", "1"), item{"v": n("1")}))
	if _, err := f.UpdateItem(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	_, err = f.UpdateItem(t.Context(), in)
	failed(t, err, with(key("a", "1"), item{"v": n("2")}))
}

// TestRefusedUpdates proves that updates of the key, and other faults, are refused in AWS's words.
func TestRefusedUpdates(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"x": s("x")}))
	const one = "One or more parameter values were invalid: "
	tests := []struct {
		expression string
		values     item
		want       string
	}{
		{"SET pk = :v", item{":v": s("b")}, one + "Cannot update attribute pk. This attribute is part of the key"},
		{"REMOVE sk", nil, one + "Cannot update attribute sk. This attribute is part of the key"},
		{"SET x = x + :v", item{":v": n("1")}, "An operand in the update expression has an incorrect data type"},
		{"SET y = nope", nil, "The provided expression refers to an attribute that does not exist in the item"},
		{"SET x.y = :v", item{":v": n("1")}, "The document path provided in the update expression is invalid for update"},
		{"SET gpk = :v", item{":v": n("1")}, one + "Type mismatch for Index Key gpk Expected: S Actual: N IndexName: gsi1"},
		{"SET y = :v", item{":v": s(strings.Repeat("x", 400<<10))}, "Item size to update has exceeded the maximum allowed size"},
		{"SET y = :v", item{":v": n("x")}, "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :v"},
		{"SET y = :v", item{":v": n("1"), ":w": n("1")}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"},
		{"SET y == :v", item{":v": n("1")}, `Invalid UpdateExpression: Syntax error; token: "=", near: "== :v"`},
		{"", nil, "Invalid UpdateExpression: The expression can not be empty;"},
	}
	for _, test := range tests {
		_, err := f.UpdateItem(t.Context(), change(test.expression, test.values))
		refused(t, err, "ValidationException", test.want)
	}
	in := change("SET y = :v", item{":v": n("1")})
	in.UpdateExpression = nil
	_, err := f.UpdateItem(t.Context(), in)
	refused(t, err, "ValidationException", "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null")
	same(t, f.get(t, "a", "1"), with(key("a", "1"), item{"x": s("x")}))
}

// TestConcurrentUpdates proves that concurrent updates are carried out one after the other: none is lost, and of
// several with the same condition exactly one succeeds.
func TestConcurrentUpdates(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	const writers = 8
	var wins sync.Map
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range 10 {
				if _, err := f.UpdateItem(t.Context(), change("ADD hits :one", item{":one": n("1")})); err != nil {
					t.Error(err)
				}
			}
			claim := change("SET winner = :w", item{":w": n("1")})
			claim.ConditionExpression = aws.String("attribute_not_exists(winner)")
			if _, err := f.UpdateItem(t.Context(), claim); err == nil {
				wins.Store(w, true)
			}
		})
	}
	group.Wait()
	same(t, f.get(t, "a", "1")["hits"], n("80"))
	won := 0
	wins.Range(func(any, any) bool { won++; return true })
	if won != 1 {
		t.Errorf("%d writers won, want 1", won)
	}
}
