package cloud

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/dynamodb"
)

// TestConsumedUnits proves that what a table and its index consume shows as AWS's metrics, each unit once, and
// nothing where nothing was consumed.
func TestConsumedUnits(t *testing.T) {
	t.Parallel()
	c := newTestCloud(t)
	table, err := c.Tables.CreateTable(dynamodb.Definition{
		Name: "things", HashKey: "pk", BillingMode: "PAY_PER_REQUEST",
		Attributes: []dynamodb.Attribute{{Name: "pk", Type: "S"}, {Name: "gpk", Type: "S"}},
		Indexes:    []dynamodb.Index{{Name: "gsi1", HashKey: "gpk", Projection: "KEYS_ONLY"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := api.New(api.Options{
		Region: c.Region, BaseEndpoint: aws.String(c.EndpointURL()), Credentials: credentials.NewStaticCredentialsProvider("me", "me", ""),
	})
	m := &tableMeter{table: table}
	put := func(attributes ...string) {
		t.Helper()
		item := map[string]types.AttributeValue{}
		for _, name := range attributes {
			item[name] = &types.AttributeValueMemberS{Value: "a"}
		}
		if _, err := client.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: item}); err != nil {
			t.Fatal(err)
		}
		c.watch.meter(m)
	}
	put("pk")
	put("pk", "gpk")
	c.watch.meter(m)
	got := map[string][2]float64{}
	for _, s := range summaries(c.Metrics) {
		got[s.Namespace+" "+s.Name+" "+s.Dimensions] = [2]float64{s.Sum, s.Count}
	}
	want := map[string][2]float64{
		"AWS/DynamoDB ConsumedWriteCapacityUnits TableName=things":                               {2, 2},
		"AWS/DynamoDB ConsumedWriteCapacityUnits GlobalSecondaryIndexName=gsi1 TableName=things": {1, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
