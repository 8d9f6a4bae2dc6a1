package presence_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph"
	"heliograph/presence"
	"heliograph/simulator/dynamodb"
	"heliograph/simulator/wire"
)

// These tests run the store against the simulator's DynamoDB, through the SDK's own client.

type item = map[string]types.AttributeValue

// tb is what testing.T and rapid.T have in common.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// clock is a time that moves only when advanced or slept on.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

var _ presence.Clock = (*clock)(nil)

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.advance(d)
	return ctx.Err()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// start is when every test begins.
var start = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

const tableName = "heliograph-test"

// fixture is a store over a table of its own.
type fixture struct {
	*clock
	db       presence.DynamoDB
	database *dynamodb.Database
	table    *dynamodb.Table
	store    *presence.Store
	inProcess
}

func setUp(t tb) *fixture {
	t.Helper()
	c := &clock{now: start}
	f := setUpStressed(t, dynamodb.Stress{}, c.Now)
	f.clock, f.store = c, presence.NewStore(f.db, tableName, c)
	return f
}

// setUpStressed is a fixture without a store, whose table behaves as unpleasantly as AWS's can.
func setUpStressed(t tb, stress dynamodb.Stress, now func() time.Time) *fixture {
	t.Helper()
	database := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012", Now: now, Stress: stress})
	table, err := database.CreateTable(dynamodb.Definition{
		Name: tableName, HashKey: "pk", RangeKey: "sk", BillingMode: "PAY_PER_REQUEST",
		Attributes:   []dynamodb.Attribute{{Name: "pk", Type: "S"}, {Name: "sk", Type: "S"}, {Name: "gpk", Type: "S"}, {Name: "gsk", Type: "S"}},
		Indexes:      []dynamodb.Index{{Name: presence.Index, HashKey: "gpk", RangeKey: "gsk", Projection: "KEYS_ONLY"}},
		TTLAttribute: "ttl", StreamViewType: "NEW_AND_OLD_IMAGES",
	})
	if err != nil {
		t.Fatalf("create table: %v", err)
	}
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(database.Service())
	f := &fixture{database: database, table: table, inProcess: inProcess{endpoint}}
	f.db = f.client(f.inProcess)
	return f
}

// client is the SDK's client over a transport.
func (f *fixture) client(transport api.HTTPClient) *api.Client {
	return api.New(api.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://dynamodb.test"), HTTPClient: transport,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""), RetryMaxAttempts: 1,
	})
}

// inProcess carries requests to a handler without a network in between, so that tests are fast and no call's outcome
// depends on time.
type inProcess struct{ handler http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// connect opens a connection and must succeed.
func (f *fixture) connect(t tb, user heliograph.UserID, id heliograph.ConnectionID) {
	t.Helper()
	if err := f.store.Connect(context.Background(), presence.Connection{User: user, ID: id}); err != nil {
		t.Fatalf("connect %s of %s: %v", id, user, err)
	}
}

// disconnect closes a connection now and must succeed.
func (f *fixture) disconnect(t tb, user heliograph.UserID, id heliograph.ConnectionID) {
	t.Helper()
	if err := f.store.Disconnect(context.Background(), user, id, f.Now()); err != nil {
		t.Fatalf("disconnect %s of %s: %v", id, user, err)
	}
}

// open are the ids of a user's open connections.
func (f *fixture) open(t tb, user heliograph.UserID) []heliograph.ConnectionID {
	t.Helper()
	connections, _, err := f.store.Connections(context.Background(), user)
	if err != nil {
		t.Fatalf("connections of %s: %v", user, err)
	}
	var ids []heliograph.ConnectionID
	for _, c := range connections {
		ids = append(ids, c.ID)
	}
	return ids
}

// status is the status of a user.
func (f *fixture) status(t tb, user heliograph.UserID) presence.Status {
	t.Helper()
	statuses, err := f.store.Statuses(context.Background(), []heliograph.UserID{user})
	if err != nil || len(statuses) != 1 {
		t.Fatalf("status of %s: %v, %v", user, statuses, err)
	}
	return statuses[0]
}

// statusWithin is the status that comes with a user's connections, which alone has OfflineSince.
func (f *fixture) statusWithin(t tb, user heliograph.UserID) presence.Status {
	t.Helper()
	_, status, err := f.store.Connections(context.Background(), user)
	if err != nil {
		t.Fatalf("connections of %s: %v", user, err)
	}
	return status
}

// listed are the users in the online list, over all its pages.
func (f *fixture) listed(t tb, limit int) []heliograph.UserID {
	t.Helper()
	var users []heliograph.UserID
	for cursor, pages := "", 0; ; pages++ {
		page, err := f.store.Online(context.Background(), limit, cursor)
		if err != nil || pages > 10_000 {
			t.Fatalf("page %d of the online list: %v", pages, err)
		}
		for _, s := range page.Users {
			users = append(users, s.User)
		}
		if cursor = page.Next; cursor == "" {
			return users
		}
	}
}

// records reads the table's stream after a sequence number.
func (f *fixture) records(t tb, after dynamodb.Sequence) []dynamodb.Record {
	t.Helper()
	if after == f.table.Stream().Shards()[0].Latest() {
		return nil
	}
	records, err := f.table.Stream().Shards()[0].Read(context.Background(), after, 1_000_000)
	if err != nil {
		t.Fatalf("read stream: %v", err)
	}
	return records
}

// recordOf is a record of the stream in the form that the Announcer takes, converted by way of Lambda's event.
func recordOf(r dynamodb.Record) presence.Record {
	var event struct {
		Change struct{ Keys, OldImage, NewImage map[string]map[string]any } `json:"dynamodb"`
	}
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &event)
	}
	if err != nil {
		panic(fmt.Sprintf("a record of the stream is no JSON: %v", err))
	}
	return presence.Record{
		Created: r.Created, Expired: r.UserIdentity == dynamodb.TimeToLive,
		Keys: itemOf(event.Change.Keys), Old: itemOf(event.Change.OldImage), New: itemOf(event.Change.NewImage),
	}
}

// itemOf reads an item, such as {"pk": {"S": "user#1234"}}; a missing item is nil.
func itemOf(attributes map[string]map[string]any) item {
	if len(attributes) == 0 {
		return nil
	}
	i := item{}
	for name, value := range attributes {
		switch {
		case value["S"] != nil:
			i[name] = &types.AttributeValueMemberS{Value: value["S"].(string)}
		case value["N"] != nil:
			i[name] = &types.AttributeValueMemberN{Value: value["N"].(string)}
		case value["BOOL"] != nil:
			i[name] = &types.AttributeValueMemberBOOL{Value: value["BOOL"].(bool)}
		default:
			panic(fmt.Sprintf("an item of the table has the attribute %s: %v", name, value))
		}
	}
	return i
}

// text is a value of type string.
func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// same fails the test unless got is want.
func same(t tb, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

var (
	_ tb = (*testing.T)(nil)
	_ tb = (*testing.B)(nil)
)
