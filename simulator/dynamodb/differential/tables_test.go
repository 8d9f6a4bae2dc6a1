package differential_test

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/wire"
)

// definitions are the kinds of tables that both sides get: keys of all types, with and without a range key; indexes of
// all projections, including some over attributes of the table's own key.
var definitions = []dynamodb.Definition{
	{
		HashKey: "pk", RangeKey: "sk",
		Attributes: []dynamodb.Attribute{{Name: "pk", Type: "S"}, {Name: "sk", Type: "S"}, {Name: "gpk", Type: "S"}, {Name: "gsk", Type: "S"}, {Name: "score", Type: "N"}, {Name: "tag", Type: "B"}},
		Indexes: []dynamodb.Index{
			{Name: "gsi1", HashKey: "gpk", RangeKey: "gsk", Projection: "KEYS_ONLY"},
			{Name: "byscore", HashKey: "gpk", RangeKey: "score", Projection: "ALL"},
			{Name: "bytag", HashKey: "tag", Projection: "INCLUDE", NonKeyAttributes: []string{"n", "m"}},
		},
	},
	{
		HashKey: "pk", RangeKey: "sk",
		Attributes: []dynamodb.Attribute{{Name: "pk", Type: "N"}, {Name: "sk", Type: "B"}},
		Indexes:    []dynamodb.Index{{Name: "flip", HashKey: "sk", RangeKey: "pk", Projection: "ALL"}},
	},
	{
		HashKey:    "pk",
		Attributes: []dynamodb.Attribute{{Name: "pk", Type: "B"}, {Name: "score", Type: "N"}, {Name: "gsk", Type: "S"}},
		Indexes: []dynamodb.Index{
			{Name: "some", HashKey: "score", RangeKey: "gsk", Projection: "INCLUDE", NonKeyAttributes: []string{"s", "l"}},
		},
	},
}

// sides are clients of the two implementations, of the same kind.
type sides struct {
	database            *dynamodb.Database
	simulator, emulator *api.Client
}

// start runs both sides until the end of the test.
func start(t *testing.T) sides {
	t.Helper()
	db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(db.Service())
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	return sides{db, client(server.URL), startEmulator(t)}
}

// pair is the two sides and a table that exists on both.
type pair struct {
	sides
	definition dynamodb.Definition
}

// create makes the same table on both sides.
func (s sides) create(t testing.TB, name string, def dynamodb.Definition) pair {
	t.Helper()
	def.Name, def.BillingMode = name, "PAY_PER_REQUEST"
	if _, err := s.database.CreateTable(def); err != nil {
		t.Fatal(err)
	}
	if _, err := s.emulator.CreateTable(t.Context(), creation(def)); err != nil {
		t.Fatal(err)
	}
	return pair{s, def}
}

// creation returns the request that makes the defined table.
func creation(def dynamodb.Definition) *api.CreateTableInput {
	in := &api.CreateTableInput{
		TableName: aws.String(def.Name), BillingMode: types.BillingModePayPerRequest, KeySchema: keySchema(def.HashKey, def.RangeKey),
	}
	for _, a := range def.Attributes {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(a.Name), AttributeType: types.ScalarAttributeType(a.Type),
		})
	}
	for _, x := range def.Indexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(x.Name), KeySchema: keySchema(x.HashKey, x.RangeKey),
			Projection: &types.Projection{ProjectionType: types.ProjectionType(x.Projection), NonKeyAttributes: x.NonKeyAttributes},
		})
	}
	return in
}

func keySchema(hash, rng string) []types.KeySchemaElement {
	schema := []types.KeySchemaElement{{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash}}
	if rng != "" {
		schema = append(schema, types.KeySchemaElement{AttributeName: aws.String(rng), KeyType: types.KeyTypeRange})
	}
	return schema
}

// typeOf returns the type of a key attribute, or "" for any other.
func typeOf(def dynamodb.Definition, name string) string {
	i := slices.IndexFunc(def.Attributes, func(a dynamodb.Attribute) bool { return a.Name == name })
	if i < 0 {
		return ""
	}
	return def.Attributes[i].Type
}
