package dynamodb_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

func TestSmoke(t *testing.T) {
	f := setUp(t)
	f.put(t, with(key("user#1", "conn#a"), item{"gpk": s("lease#1"), "gsk": s("001"), "x": l(n("1.50"), m(item{"y": ss("b", "a")}))}))
	same(t, f.get(t, "user#1", "conn#a"), with(key("user#1", "conn#a"), item{"gpk": s("lease#1"), "gsk": s("001"), "x": l(n("1.5"), m(item{"y": ss("a", "b")}))}))
	out, err := f.UpdateItem(t.Context(), &api.UpdateItemInput{
		TableName: aws.String("things"), Key: key("user#1", "presence"),
		UpdateExpression:          aws.String("SET #o = :t, epoch = if_not_exists(epoch, :now) + :one, gpk = :g, gsk = :u REMOVE #ttl"),
		ExpressionAttributeNames:  map[string]string{"#o": "online", "#ttl": "ttl"},
		ExpressionAttributeValues: item{":t": s("yes"), ":now": n("41"), ":one": n("1"), ":g": s("online#1"), ":u": s("1")},
		ConditionExpression:       aws.String("attribute_not_exists(pk)"), ReturnValues: "ALL_NEW", ReturnConsumedCapacity: "INDEXES",
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, out.Attributes["epoch"], n("42"))
	q, err := f.Query(t.Context(), &api.QueryInput{
		TableName: aws.String("things"), IndexName: aws.String("gsi1"),
		KeyConditionExpression:    aws.String("gpk = :g AND begins_with(gsk, :p)"),
		ExpressionAttributeValues: item{":g": s("online#1"), ":p": s("1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, q.Items, []item{with(key("user#1", "presence"), item{"gpk": s("online#1"), "gsk": s("1")})})
	q, err = f.Query(t.Context(), &api.QueryInput{
		TableName: aws.String("things"), ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1),
		KeyConditionExpression: aws.String("pk = :g"), ExpressionAttributeValues: item{":g": s("user#1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, q.LastEvaluatedKey, key("user#1", "presence"))
	_, err = f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("things"), Key: key("user#1", "presence"), ConditionExpression: aws.String("epoch = :e"), ExpressionAttributeValues: item{":e": n("1")}})
	refused(t, err, "ConditionalCheckFailedException", "The conditional request failed")
	rs, err := f.table.Stream().Read(t.Context(), "", 10)
	if err != nil || len(rs) != 2 {
		t.Fatal(rs, err)
	}
}
