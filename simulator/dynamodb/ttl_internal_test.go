package dynamodb

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heliograph/simulator/dynamodb/attribute"
)

// TestExpiryIsPutOff proves that an item survives if its expiry is postponed just before its deletion.
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

// TestDueIsAllThatIsDue proves that the list of expiries finds exactly the items that a scan of the table would, after
// any puts, changes and deletes.
func TestDueIsAllThatIsDue(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_767_323_045, 0)
	values := []attribute.Value{
		{},
		attribute.StringOf("1767323044"), attribute.IntOf(-1), attribute.IntOf(0),
		attribute.IntOf(int(now.Add(-tooOld).Unix())), attribute.IntOf(int(now.Add(-tooOld).Unix()) + 1),
		attribute.IntOf(int(now.Unix()) - 1), attribute.IntOf(int(now.Unix())), attribute.IntOf(int(now.Unix()) + 1),
	}
	rapid.Check(t, func(r *rapid.T) {
		table, err := New(Options{Region: "eu-west-1", Account: "123456789012"}).CreateTable(Definition{
			Name: "things", HashKey: "pk", Attributes: []Attribute{{"pk", "S"}}, BillingMode: "PAY_PER_REQUEST", TTLAttribute: "ttl",
		})
		if err != nil {
			r.Fatal(err)
		}
		for range rapid.IntRange(1, 30).Draw(r, "writes") {
			item := attribute.Item{"pk": attribute.StringOf(rapid.StringMatching("[a-f]").Draw(r, "pk"))}
			write := writing{key: item, change: replaceBy(nil)}
			if rapid.IntRange(0, 3).Draw(r, "put") > 0 {
				if v := rapid.SampledFrom(values).Draw(r, "ttl"); v.Exists() {
					item["ttl"] = v
				}
				write.change = replaceBy(item)
			}
			if _, err := table.write(write); err != nil {
				r.Fatal(err)
			}
		}
		want := map[string]bool{}
		table.rows.Scan(func(one row) bool {
			if table.isDue(one.item, now) {
				want[one.item["pk"].Text()] = true
			}
			return true
		})
		got := map[string]bool{}
		for _, item := range table.due(now) {
			got[item["pk"].Text()] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Error(diff)
		}
	})
}
