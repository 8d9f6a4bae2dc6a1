package dynamodb_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/simulator/dynamodb"
)

// TestRefusedDefinitions proves that a wrong definition is refused with an error that names the fault.
func TestRefusedDefinitions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		change func(*dynamodb.Definition)
		want   string
	}{
		{func(d *dynamodb.Definition) { d.Name = "a!" }, `create table "a!": the name must match`},
		{func(d *dynamodb.Definition) { d.BillingMode = "PROVISIONED" }, `billing mode "PROVISIONED" is not simulated`},
		{func(d *dynamodb.Definition) { d.BillingMode = "" }, `billing mode "" is not simulated`},
		{func(d *dynamodb.Definition) { d.StreamViewType = "NEW" }, `stream view type "NEW" is not one of`},
		{func(d *dynamodb.Definition) { d.HashKey = "" }, "table: a hash key"},
		{func(d *dynamodb.Definition) { d.RangeKey = "pk" }, "table: a hash key, and a range key other than it"},
		{func(d *dynamodb.Definition) { d.HashKey = "other" }, `table: key attribute "other" is not among the attributes`},
		{func(d *dynamodb.Definition) {
			d.Attributes = append(d.Attributes, dynamodb.Attribute{Name: "x", Type: "S"})
		}, `attribute "x" is not a key`},
		{func(d *dynamodb.Definition) {
			d.Attributes = append(d.Attributes, dynamodb.Attribute{Name: "pk", Type: "S"})
		}, `attribute "pk": stands twice`},
		{func(d *dynamodb.Definition) { d.Attributes[0].Type = "L" }, `attribute "pk": type "L"`},
		{func(d *dynamodb.Definition) { d.Indexes[0].Name = "x" }, `index "x": the name`},
		{func(d *dynamodb.Definition) { d.Indexes[0].Name = "byscore" }, `index "byscore": stands twice`},
		{func(d *dynamodb.Definition) { d.Indexes[0].Projection = "SOME" }, `index "gsi1": projection "SOME"`},
		{func(d *dynamodb.Definition) { d.Indexes[0].Projection = "INCLUDE" }, `index "gsi1": non-key attributes`},
		{func(d *dynamodb.Definition) { d.Indexes[0].NonKeyAttributes = []string{"x"} }, `index "gsi1": non-key attributes`},
		{func(d *dynamodb.Definition) { d.Indexes[0].HashKey = "x" }, `index "gsi1": key attribute "x"`},
		{func(d *dynamodb.Definition) { d.Indexes = make([]dynamodb.Index, 21) }, "21 indexes; 20 are allowed"},
		{func(d *dynamodb.Definition) { d.Name = "taken" }, `create table "taken": a table of that name exists`},
	}
	for _, test := range tests {
		db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
		def := definition()
		def.Name = "taken"
		if _, err := db.CreateTable(def); err != nil {
			t.Fatal(err)
		}
		def = definition()
		test.change(&def)
		if _, err := db.CreateTable(def); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// TestIncludedAttributes proves that an index with INCLUDE has the named attributes and the keys, and that a table may
// lack a range key.
func TestIncludedAttributes(t *testing.T) {
	t.Parallel()
	db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
	_, err := db.CreateTable(dynamodb.Definition{
		Name: "things", HashKey: "id", BillingMode: "PAY_PER_REQUEST",
		Attributes: []dynamodb.Attribute{{Name: "id", Type: "N"}, {Name: "kind", Type: "B"}},
		Indexes:    []dynamodb.Index{{Name: "bykind", HashKey: "kind", Projection: "INCLUDE", NonKeyAttributes: []string{"x"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := serve(t, db)
	kind := &types.AttributeValueMemberB{Value: []byte{0, 0xFF}}
	f.put(t, item{"id": n("1"), "kind": kind, "x": s("x"), "y": s("y")}, item{"id": n("2"), "x": s("x")})
	in := query("kind = :k", item{":k": kind})
	in.IndexName = aws.String("bykind")
	out, err := f.Query(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	same(t, out.Items, []item{{"id": n("1"), "kind": kind, "x": s("x")}})
	_, err = f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: item{"id": n("3"), "kind": &types.AttributeValueMemberB{Value: []byte{}}}})
	refused(t, err, "ValidationException", "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty binary value. IndexName: bykind, IndexKey: kind")
	in = query("id = :k AND begins_with(kind, :k)", item{":k": n("1")})
	_, err = f.Query(t.Context(), in)
	refused(t, err, "ValidationException", "")
}

// TestHighestPrefix proves begins_with for a prefix that no key can follow, since it consists of the highest byte.
func TestHighestPrefix(t *testing.T) {
	t.Parallel()
	db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
	_, err := db.CreateTable(dynamodb.Definition{
		Name: "things", HashKey: "pk", RangeKey: "sk", BillingMode: "PAY_PER_REQUEST",
		Attributes: []dynamodb.Attribute{{Name: "pk", Type: "S"}, {Name: "sk", Type: "B"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := serve(t, db)
	at := func(data ...byte) item {
		return item{"pk": s("p"), "sk": &types.AttributeValueMemberB{Value: data}}
	}
	f.put(t, at(0xFE, 0xFF), at(0xFF), at(0xFF, 0xFF))
	in := query("pk = :p AND begins_with(sk, :b)", item{":p": s("p"), ":b": at(0xFF)["sk"]})
	for _, forward := range []bool{true, false} {
		in.ScanIndexForward = &forward
		out, err := f.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		want := []item{at(0xFF), at(0xFF, 0xFF)}
		if !forward {
			slices.Reverse(want)
		}
		same(t, out.Items, want)
	}
}

// TestDescribe proves that DescribeTable and DescribeTimeToLive show a table's definition and current sizes, and that
// their error names a missing table.
func TestDescribe(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"gpk": s("g"), "gsk": s("h"), "x": s("x")}))
	out, err := f.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: aws.String("things")})
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/things"
	none := &types.ProvisionedThroughputDescription{NumberOfDecreasesToday: aws.Int64(0), ReadCapacityUnits: aws.Int64(0), WriteCapacityUnits: aws.Int64(0)}
	keys := func(hash, rng string) []types.KeySchemaElement {
		return []types.KeySchemaElement{{AttributeName: &hash, KeyType: "HASH"}, {AttributeName: &rng, KeyType: "RANGE"}}
	}
	attribute := func(name, kind string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(kind)}
	}
	if id := *out.Table.TableId; len(id) != 36 {
		t.Errorf("the id is %q", id)
	}
	out.Table.TableId = nil
	same(t, out.Table, &types.TableDescription{
		TableName: aws.String("things"), TableArn: aws.String(arn), TableStatus: "ACTIVE", CreationDateTime: &start,
		AttributeDefinitions: []types.AttributeDefinition{attribute("pk", "S"), attribute("sk", "S"), attribute("gpk", "S"), attribute("gsk", "S"), attribute("score", "N")},
		KeySchema:            keys("pk", "sk"), BillingModeSummary: &types.BillingModeSummary{BillingMode: "PAY_PER_REQUEST"}, ProvisionedThroughput: none,
		TableSizeBytes: aws.Int64(6 + 4 + 4 + 2), ItemCount: aws.Int64(1),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndexDescription{
			{
				IndexName: aws.String("gsi1"), IndexArn: aws.String(arn + "/index/gsi1"), IndexStatus: "ACTIVE", KeySchema: keys("gpk", "gsk"),
				Projection: &types.Projection{ProjectionType: "KEYS_ONLY"}, ProvisionedThroughput: none, IndexSizeBytes: aws.Int64(6 + 4 + 4), ItemCount: aws.Int64(1),
			},
			{
				IndexName: aws.String("byscore"), IndexArn: aws.String(arn + "/index/byscore"), IndexStatus: "ACTIVE", KeySchema: keys("gpk", "score"),
				Projection: &types.Projection{ProjectionType: "ALL"}, ProvisionedThroughput: none, IndexSizeBytes: aws.Int64(0), ItemCount: aws.Int64(0),
			},
		},
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "NEW_AND_OLD_IMAGES"},
		LatestStreamArn:     aws.String(f.table.Stream().ARN()), LatestStreamLabel: aws.String("2026-01-02T03:04:05.678"),
		SSEDescription: &types.SSEDescription{SSEType: "KMS", Status: "ENABLED"}, DeletionProtectionEnabled: aws.Bool(false),
	})
	f.remove(t, "a", "1")
	if out, err = f.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: aws.String("things")}); err != nil {
		t.Fatal(err)
	}
	gsi1 := out.Table.GlobalSecondaryIndexes[0]
	same(t, []int64{*out.Table.TableSizeBytes, *out.Table.ItemCount, *gsi1.IndexSizeBytes, *gsi1.ItemCount}, []int64{0, 0, 0, 0})
	ttl, err := f.DescribeTimeToLive(t.Context(), &api.DescribeTimeToLiveInput{TableName: aws.String("things")})
	if err != nil {
		t.Fatal(err)
	}
	same(t, ttl.TimeToLiveDescription, &types.TimeToLiveDescription{AttributeName: aws.String("ttl"), TimeToLiveStatus: "ENABLED"})

	_, err = f.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: aws.String("nothing")})
	refused(t, err, "ResourceNotFoundException", "Requested resource not found: Table: nothing not found")
	_, err = f.DescribeTimeToLive(t.Context(), &api.DescribeTimeToLiveInput{TableName: aws.String("nothing")})
	refused(t, err, "ResourceNotFoundException", "Requested resource not found: Table: nothing not found")
}

// TestListTables proves that tables are listed page by page, by name, and that a table without a stream or time to live
// shows neither.
func TestListTables(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for _, name := range []string{"zebras", "apes"} {
		def := definition()
		def.Name, def.TTLAttribute, def.StreamViewType = name, "", ""
		if _, err := f.db.CreateTable(def); err != nil {
			t.Fatal(err)
		}
	}
	var pages [][]string
	for p := api.NewListTablesPaginator(f, &api.ListTablesInput{Limit: aws.Int32(2)}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page.TableNames)
	}
	same(t, pages, [][]string{{"apes", "things"}, {"zebras"}})
	_, err := f.ListTables(t.Context(), &api.ListTablesInput{Limit: aws.Int32(101)})
	refused(t, err, "ValidationException", "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100")

	apes, err := f.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: aws.String("apes")})
	if err != nil {
		t.Fatal(err)
	}
	if apes.Table.StreamSpecification != nil || apes.Table.LatestStreamArn != nil {
		t.Error("a table without a stream shows one")
	}
	ttl, err := f.DescribeTimeToLive(t.Context(), &api.DescribeTimeToLiveInput{TableName: aws.String("apes")})
	if err != nil {
		t.Fatal(err)
	}
	same(t, ttl.TimeToLiveDescription, &types.TimeToLiveDescription{TimeToLiveStatus: "DISABLED"})
}
