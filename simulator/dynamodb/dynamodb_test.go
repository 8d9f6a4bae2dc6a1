package dynamodb_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/wire"
	"heliograph/simulator/wire/wiretest"
)

// These tests use the database as a program does: through the SDK's client, over HTTP.

type item = map[string]types.AttributeValue

func s(text string) types.AttributeValue      { return &types.AttributeValueMemberS{Value: text} }
func n(digits string) types.AttributeValue    { return &types.AttributeValueMemberN{Value: digits} }
func ss(texts ...string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: texts} }
func l(values ...types.AttributeValue) types.AttributeValue {
	return &types.AttributeValueMemberL{Value: values}
}
func m(fields item) types.AttributeValue { return &types.AttributeValueMemberM{Value: fields} }

// clock is a time that moves only when a test advances it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// start is the time at which every test begins.
var start = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// fixture is a database with one table, served to an SDK client.
type fixture struct {
	*api.Client
	db    *dynamodb.Database
	table *dynamodb.Table
	clock *clock
}

// definition is the table of these tests. It has the shape of Heliograph's own, plus an index that projects everything
// and has a number as its range key.
func definition() dynamodb.Definition {
	return dynamodb.Definition{
		Name: "things", HashKey: "pk", RangeKey: "sk", BillingMode: "PAY_PER_REQUEST",
		Attributes: []dynamodb.Attribute{{"pk", "S"}, {"sk", "S"}, {"gpk", "S"}, {"gsk", "S"}, {"score", "N"}},
		Indexes: []dynamodb.Index{
			{Name: "gsi1", HashKey: "gpk", RangeKey: "gsk", Projection: "KEYS_ONLY"},
			{Name: "byscore", HashKey: "gpk", RangeKey: "score", Projection: "ALL"},
		},
		TTLAttribute: "ttl", StreamViewType: "NEW_AND_OLD_IMAGES", Encrypted: true,
	}
}

func setUp(t testing.TB) fixture { return setUpUnder(t, dynamodb.Stress{}) }

func setUpUnder(t testing.TB, stress dynamodb.Stress) fixture {
	t.Helper()
	c := &clock{now: start}
	db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012", Now: c.Now, Stress: stress})
	table, err := db.CreateTable(definition())
	if err != nil {
		t.Fatal(err)
	}
	f := serve(t, db)
	f.table, f.clock = table, c
	return f
}

// serve puts a database behind an endpoint, and returns a client of it.
func serve(t testing.TB, db *dynamodb.Database) fixture {
	t.Helper()
	server := httptest.NewServer(wiretest.Handler(t, db.Service(), wire.Options{}))
	t.Cleanup(server.Close)
	return fixture{Client: client(server.URL), db: db}
}

// direct calls an action without a network, and returns the status and body of the answer.
func direct(t testing.TB, db *dynamodb.Database, action, body string) (int, string) {
	t.Helper()
	endpoint := wiretest.Handler(t, db.Service(), wire.Options{})
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+action)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=abc")
	w := httptest.NewRecorder()
	endpoint.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func client(url string) *api.Client {
	return api.New(api.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
}

// same compares outputs of the SDK.
func same(t testing.TB, got, want any) {
	t.Helper()
	ignore := cmpopts.IgnoreUnexported(
		types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberB{},
		types.AttributeValueMemberBOOL{}, types.AttributeValueMemberNULL{}, types.AttributeValueMemberL{},
		types.AttributeValueMemberM{}, types.AttributeValueMemberSS{}, types.AttributeValueMemberNS{},
		types.AttributeValueMemberBS{}, types.ConsumedCapacity{}, types.Capacity{}, types.KeysAndAttributes{},
		types.TableDescription{}, types.AttributeDefinition{}, types.KeySchemaElement{}, types.BillingModeSummary{},
		types.ProvisionedThroughputDescription{}, types.GlobalSecondaryIndexDescription{}, types.Projection{},
		types.StreamSpecification{}, types.SSEDescription{}, types.TimeToLiveDescription{},
	)
	if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
}

// refused asserts an error's code and, unless message is empty, its text.
func refused(t testing.TB, err error, code, message string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s: %s", err, code, message)
	}
	if e.ErrorCode() != code || message != "" && e.ErrorMessage() != message {
		t.Errorf("got  %s: %s\nwant %s: %s", e.ErrorCode(), e.ErrorMessage(), code, message)
	}
}

// put stores items, and fails the test if it can't.
func (f fixture) put(t testing.TB, items ...item) {
	t.Helper()
	for _, i := range items {
		if _, err := f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: i}); err != nil {
			t.Fatal(err)
		}
	}
}

// putBig stores an item of 384 KB and 8 bytes, plus its key's values. The item grows inside the database, because
// sending that much is slow under the race detector.
func (f fixture) putBig(t testing.TB, at item) {
	t.Helper()
	f.put(t, with(at, item{"l": l(s(strings.Repeat("x", 12<<10-1)))}))
	for range 5 {
		_, err := f.UpdateItem(t.Context(), &api.UpdateItemInput{TableName: aws.String("things"), Key: at, UpdateExpression: aws.String("SET l = list_append(l, l)")})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// get returns an item, read consistently, or nil.
func (f fixture) get(t testing.TB, pk, sk string) item {
	t.Helper()
	out, err := f.GetItem(context.Background(), &api.GetItemInput{
		TableName: aws.String("things"), Key: key(pk, sk), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

func key(pk, sk string) item { return item{"pk": s(pk), "sk": s(sk)} }

// with returns a key, or another item, with more attributes.
func with(base item, more item) item {
	all := item{}
	for _, part := range []item{base, more} {
		for name, v := range part {
			all[name] = v
		}
	}
	return all
}
