package local

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
	"heliograph/simulator/iam"
)

// TestCompromisedOnline proves that foreign code in the function that answers who is online reads statuses, and nothing
// about the devices of users.
func TestCompromisedOnline(t *testing.T) {
	s, err := Start(t.Context(), Options{Root: ".", EndpointsFile: filepath.Join(t.TempDir(), "local.json"), Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	table := s.Endpoints().TableName
	client := func(accessKey string) *dynamodb.Client {
		return dynamodb.New(dynamodb.Options{
			Region: s.Endpoints().Region, BaseEndpoint: aws.String(s.Endpoints().AWSEndpointURL), RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(accessKey, "secret", ""),
		})
	}
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	key := map[string]types.AttributeValue{"pk": text("user#u"), "sk": text("conn#c")}
	if _, err := client(s.Endpoints().AccessKey).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{
		"pk": key["pk"], "sk": key["sk"], "sourceIp": text("192.0.2.1"), "userAgent": text("Mozilla"),
	}}); err != nil {
		t.Fatal(err)
	}
	online := client(s.cloud.Roles.AccessKey(iam.RoleName("heliograph-local-" + s.Endpoints().Region + "-" + heliograph.Online)))
	get := func(projection *string) error {
		_, err := online.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			table: {Keys: []map[string]types.AttributeValue{key}, ProjectionExpression: projection},
		}})
		return err
	}
	query := func(index *string, condition string) error {
		_, err := online.Query(t.Context(), &dynamodb.QueryInput{
			TableName: &table, IndexName: index, KeyConditionExpression: &condition,
			ExpressionAttributeValues: map[string]types.AttributeValue{":a": text("user#u")},
		})
		return err
	}
	if err := get(aws.String("pk, sk, lastActivity")); err != nil {
		t.Errorf("a status can't be read: %v", err)
	}
	for what, err := range map[string]error{
		"a whole item":   get(nil),
		"an address":     get(aws.String("pk, sourceIp")),
		"a program":      get(aws.String("userAgent")),
		"a user's items": query(nil, "pk = :a"),
		"leases":         query(aws.String("gsi1"), "gpk = :a"),
	} {
		if err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
			t.Errorf("%s: got %v, want AccessDeniedException", what, err)
		}
	}
}
