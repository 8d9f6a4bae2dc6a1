package dynamodb_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestPathsIntoKeys proves that no projection, filter or update may lead into a key attribute, of the table or of an
// index: keys are scalars.
func TestPathsIntoKeys(t *testing.T) {
	t.Parallel()
	f, ctx, table := setUp(t), t.Context(), aws.String("things")
	const message = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	update := func(expression string, values item) error {
		_, err := f.UpdateItem(ctx, change(expression, values))
		return err
	}
	project := func(expression string) error {
		_, err := f.GetItem(ctx, &api.GetItemInput{TableName: table, Key: key("a", "1"), ProjectionExpression: aws.String(expression)})
		return err
	}
	batch := func(expression string) error {
		_, err := f.BatchGetItem(ctx, &api.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			*table: {Keys: []item{key("a", "1")}, ProjectionExpression: aws.String(expression)},
		}})
		return err
	}
	filter := func(expression string) error {
		in := query("gpk = :g", item{":g": s("g")})
		in.IndexName, in.FilterExpression = aws.String("gsi1"), aws.String(expression)
		_, err := f.Query(ctx, in)
		return err
	}
	scan := func(expression string) error {
		_, err := f.Scan(ctx, &api.ScanInput{TableName: table, FilterExpression: aws.String(expression)})
		return err
	}
	refused(t, project("x, pk.y"), "ValidationException", message+"Key: pk")
	refused(t, project("score[0]"), "ValidationException", message+"IndexKey: score")
	refused(t, batch("sk[1]"), "ValidationException", message+"Key: sk")
	refused(t, filter("attribute_exists(pk.x)"), "ValidationException", message+"Key: pk")
	refused(t, filter("size(score.x) = :g"), "ValidationException", message+"IndexKey: score")
	refused(t, scan("NOT attribute_exists(gsk[0])"), "ValidationException", message+"IndexKey: gsk")
	refused(t, update("SET gpk.x = :1", item{":1": n("1")}), "ValidationException", message+"IndexKey: gpk")
	refused(t, update("SET x = list_append(l, gpk[1])", nil), "ValidationException", message+"IndexKey: gpk")
	refused(t, update("SET x = y - if_not_exists(sk.x, :1)", item{":1": n("1")}), "ValidationException", message+"Key: sk")
}
