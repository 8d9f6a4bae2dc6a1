package mailbox

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph/simulator/dynamodb"
	"heliograph/simulator/wire"
)

// These tests run the store against the simulator's DynamoDB, through the SDK's own client.

const tableName = "heliograph-test"

// start is when every test begins.
var start = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// tb is what testing.T and the model have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// database returns an empty table, and the SDK's client for it.
func database(t tb, now func() time.Time) (*dynamodb.Table, *api.Client) {
	t.Helper()
	db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012", Now: now})
	table, err := db.CreateTable(dynamodb.Definition{
		Name: tableName, HashKey: "pk", RangeKey: "sk", BillingMode: "PAY_PER_REQUEST", TTLAttribute: "ttl",
		Attributes: []dynamodb.Attribute{{Name: "pk", Type: "S"}, {Name: "sk", Type: "S"}},
	})
	if err != nil {
		t.Fatalf("create the table: %v", err)
	}
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(db.Service())
	return table, api.New(api.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://dynamodb.test"), HTTPClient: inProcess{endpoint},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""), RetryMaxAttempts: 1,
	})
}

// inProcess carries requests to a handler without a network in between.
type inProcess struct{ handler http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// fixture is a store over a table of its own, whose clock moves only when a test moves it.
type fixture struct {
	*Store
	*testing.T
	table *dynamodb.Table
	at    time.Time
}

func setUp(t *testing.T, limit Limit) *fixture {
	t.Helper()
	f := &fixture{T: t, at: start}
	now := func() time.Time { return f.at }
	table, client := database(t, now)
	f.table, f.Store = table, NewStore(client, tableName, limit, now)
	return f
}

// keep keeps a message for user 1234, for an hour unless another time is given, and returns its cursor.
func (f *fixture) keep(body string, keep ...time.Duration) string {
	f.Helper()
	until := f.at.Add(time.Hour)
	if len(keep) > 0 {
		until = f.at.Add(keep[0])
	}
	cursor, err := f.Keep(context.Background(), "1234", Message{ID: "order-17", SentAt: f.at, Body: body, Expires: until})
	if err != nil {
		f.Fatalf("keep %.20s: %v", body, err)
	}
	return cursor
}

// since returns the bodies that were kept after a cursor.
func (f *fixture) since(cursor string) (bodies []string, live Live) {
	f.Helper()
	live, err := f.Since(context.Background(), "1234", cursor, func(page []Kept) error {
		for _, kept := range page {
			bodies = append(bodies, kept.Body)
		}
		return nil
	})
	if err != nil {
		f.Fatalf("since %s: %v", cursor, err)
	}
	return bodies, live
}

// check fails the test unless these bodies were kept after a cursor, and the reader is told so.
func (f *fixture) check(cursor string, reset bool, want ...string) (live Live) {
	f.Helper()
	bodies, live := f.since(cursor)
	if len(bodies) != len(want) || live.Reset != reset {
		f.Fatalf("since %s: %d messages %.100q, reset %v; want %.100q, %v", cursor, len(bodies), bodies, live.Reset, want, reset)
	}
	for i := range want {
		if bodies[i] != want[i] {
			f.Fatalf("since %s: message %d is %.20s, want %.20s", cursor, i, bodies[i], want[i])
		}
	}
	return live
}
