package dynamodb_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"heliograph/simulator/dynamodb"
)

func at(d time.Duration) string { return strconv.FormatInt(start.Add(d).Unix(), 10) }

// TestExpireDue proves that expired items are deleted when the database looks for them, not before, and that the record
// names the service that did so.
func TestExpireDue(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(
		t,
		with(key("due", "1"), item{"ttl": n(at(time.Minute)), "gpk": s("g"), "score": n("1")}),
		with(key("due", "2"), item{"ttl": n(at(time.Minute) + ".5")}),
		with(key("due", "3"), item{"ttl": n("176732310e1")}), // 03:05:00
		with(key("later", "1"), item{"ttl": n(at(time.Hour))}),
		with(key("never", "1"), nil),
		with(key("never", "2"), item{"ttl": s(at(time.Minute))}),
		with(key("never", "3"), item{"ttl": n("162777600")}), // years ago, so a mistake
		with(key("never", "4"), item{"ttl": n("-1")}),
	)
	latest := f.table.Stream().Shards()[0].Latest()
	same(t, f.db.ExpireDue(start.Add(time.Minute-time.Second)), 1)
	if f.get(t, "due", "1") == nil {
		t.Error("an item is gone before its time")
	}
	same(t, f.db.ExpireDue(start.Add(2*time.Minute)), 2)
	same(t, f.db.ExpireDue(start.Add(2*time.Minute)), 0)
	same(t, f.table.Len(), 5)
	for _, r := range f.records(t, latest) {
		same(t, r.EventName, "REMOVE")
		same(t, r.UserIdentity, dynamodb.TimeToLive)
	}
	// A deletion by a request has no identity.
	f.remove(t, "later", "1")
	records := f.records(t, latest)
	same(t, len(records), 4)
	same(t, records[3].UserIdentity, dynamodb.Identity{})
	in := query("gpk = :g", item{":g": s("g")})
	in.IndexName = aws.String("byscore")
	out, err := f.Query(t.Context(), in)
	if err != nil || out.Count != 0 {
		t.Errorf("the index still has %v, %v", out, err)
	}
	// Time to live costs no write units beyond those of the puts and the delete above.
	same(t, f.table.Usage().Table.Write, 9.0)
}

// TestNoTimeToLive proves that a table without time to live keeps everything.
func TestNoTimeToLive(t *testing.T) {
	t.Parallel()
	db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
	def := definition()
	def.TTLAttribute = ""
	if _, err := db.CreateTable(def); err != nil {
		t.Fatal(err)
	}
	f := serve(t, db)
	f.put(t, with(key("a", "1"), item{"ttl": n(at(0))}))
	same(t, db.ExpireDue(start.Add(time.Hour)), 0)
}

// TestRun proves that Run looks for expired items at each interval, by the database's clock, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
		table, err := db.CreateTable(definition())
		if err != nil {
			t.Fatal(err)
		}
		expires := strconv.FormatInt(time.Now().Add(90*time.Second).Unix(), 10)
		direct(t, db, "PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"S":"1"},"ttl":{"N":"`+expires+`"}}}`)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			db.Run(ctx, time.Minute)
			close(done)
		}()
		time.Sleep(119 * time.Second)
		synctest.Wait()
		same(t, table.Len(), 1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		same(t, table.Len(), 0)
		cancel()
		<-done
	})
}
