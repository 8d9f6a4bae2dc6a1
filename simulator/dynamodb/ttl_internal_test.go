package dynamodb

import (
	"testing"
	"time"

	"heliograph/simulator/dynamodb/attribute"
)

// An item whose time is put off just before it would be deleted stays.
func TestExpiryIsPutOff(t *testing.T) {
	t.Parallel()
	table, err := New(Options{Region: "eu-west-1", Account: "123456789012"}).CreateTable(Definition{
		Name: "things", HashKey: "pk", Attributes: []Attribute{{"pk", "S"}}, BillingMode: "PAY_PER_REQUEST", TTLAttribute: "ttl",
	})
	if err != nil {
		t.Fatal(err)
	}
	put := func(expires time.Time) {
		item := attribute.Item{"pk": attribute.StringOf("a"), "ttl": attribute.IntOf(int(expires.Unix()))}
		if _, err := table.write(writing{key: item, change: func(attribute.Item) (attribute.Item, error) { return item, nil }}); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	put(now.Add(-time.Minute))
	due := table.due(now)
	put(now.Add(time.Minute))
	if len(due) != 1 || table.expire(due[0], now) || table.Len() != 1 {
		t.Errorf("%d items were due, %d are left", len(due), table.Len())
	}
	put(now.Add(-time.Minute))
	if !table.expire(due[0], now) || table.expire(due[0], now) {
		t.Error("a due item must be deleted once")
	}
}
