package dynamodb_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"heliograph/simulator/dynamodb"
)

// These tests bypass the network, so that they can make thousands of calls.

// caller calls a database's actions directly, with plain JSON.
type caller struct {
	*rapid.T
	t     *testing.T
	db    *dynamodb.Database
	table *dynamodb.Table
}

func newCaller(t *testing.T, r *rapid.T) caller {
	db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
	table, err := db.CreateTable(definition())
	if err != nil {
		r.Fatal(err)
	}
	return caller{r, t, db, table}
}

type object = map[string]any

// do calls an action, and fails the test if that fails.
func (c caller) do(action string, in object) object {
	in["TableName"] = "things"
	body, _ := json.Marshal(in)
	status, answer := direct(c.t, c.db, action, string(body))
	if status != 200 {
		c.Fatalf("%s %s: %d %s", action, body, status, answer)
	}
	var out object
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		c.Fatal(err)
	}
	return out
}

// change makes a random change to one of a few items. Most of the items are in the indexes, some are not.
func (c caller) change() {
	at := object{
		"pk": object{"S": rapid.SampledFrom([]string{"p", "q"}).Draw(c.T, "pk")},
		"sk": object{"S": rapid.StringMatching(`[a-d]{1,2}`).Draw(c.T, "sk")},
	}
	switch rapid.IntRange(0, 3).Draw(c.T, "change") {
	case 0:
		c.do("DeleteItem", object{"Key": at})
	case 1:
		c.do("UpdateItem", object{
			"Key": at, "UpdateExpression": "SET score = if_not_exists(score, :v) + :v REMOVE gsk",
			"ExpressionAttributeValues": object{":v": object{"N": fmt.Sprint(rapid.IntRange(-2, 2).Draw(c.T, "v"))}},
		})
	default:
		item := maps.Clone(at)
		for _, name := range []string{"gpk", "gsk"} {
			if rapid.IntRange(0, 4).Draw(c.T, "has") > 0 {
				item[name] = object{"S": rapid.SampledFrom([]string{"x", "y"}).Draw(c.T, name)}
			}
		}
		if rapid.IntRange(0, 4).Draw(c.T, "has") > 0 {
			item["score"] = object{"N": fmt.Sprintf("%de%d", rapid.IntRange(-9, 9).Draw(c.T, "digit"), rapid.IntRange(-3, 3).Draw(c.T, "exponent"))}
		}
		c.do("PutItem", object{"Item": item})
	}
}

func (c caller) changes() {
	for range rapid.IntRange(0, 40).Draw(c.T, "changes") {
		c.change()
	}
}

// all follows the pages of a Query or Scan and returns its items as JSON.
func (c caller) all(action string, in object) []string {
	var items []string
	for {
		out := c.do(action, in)
		for _, i := range out["Items"].([]any) {
			items = append(items, text(c, i))
		}
		if out["LastEvaluatedKey"] == nil {
			return items
		}
		in["ExclusiveStartKey"] = out["LastEvaluatedKey"]
	}
}

// TestStreamReplayGivesTable proves that replaying the stream from its start yields the table's content.
func TestStreamReplayGivesTable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := newCaller(t, r)
		c.do("PutItem", object{"Item": object{"pk": object{"S": "p"}, "sk": object{"S": "first"}}})
		c.changes()
		records, err := c.table.Stream().Shards()[0].Read(t.Context(), "", 1000)
		if err != nil {
			c.Fatal(err)
		}
		replica := map[string]string{}
		for _, record := range records {
			at := text(c, record.Keys)
			if old, ok := replica[at]; ok != (record.OldImage != nil) || ok && old != text(c, record.OldImage) {
				c.Fatalf("record %s says that %s was %s, but it was %s", record.Sequence, at, text(c, record.OldImage), old)
			}
			if replica[at] = text(c, record.NewImage); record.NewImage == nil {
				delete(replica, at)
			}
		}
		want := slices.Sorted(maps.Values(replica))
		got := c.all("Scan", object{})
		slices.Sort(got)
		if !slices.Equal(got, want) {
			c.Fatalf("the table has\n%v\nthe stream\n%v", got, want)
		}
	})
}

// TestPagingEqualsUnpaged proves that pages of any size add up to the content of a single page, in order.
func TestPagingEqualsUnpaged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := newCaller(t, r)
		c.changes()
		requests := []struct {
			action string
			in     object
		}{
			{"Query", object{"KeyConditionExpression": "pk = :k", "ExpressionAttributeValues": object{":k": object{"S": "p"}}}},
			{"Query", object{"IndexName": "gsi1", "KeyConditionExpression": "gpk = :k AND gsk >= :k", "ExpressionAttributeValues": object{":k": object{"S": "x"}}}},
			{"Query", object{"IndexName": "byscore", "KeyConditionExpression": "gpk = :k", "FilterExpression": "attribute_exists(gsk)", "ExpressionAttributeValues": object{":k": object{"S": "x"}}}},
			{"Scan", object{}},
			{"Scan", object{"IndexName": "byscore"}},
		}
		request := rapid.SampledFrom(requests).Draw(r, "request")
		if request.action == "Query" {
			request.in["ScanIndexForward"] = rapid.Bool().Draw(r, "forward")
		}
		whole := c.all(request.action, maps.Clone(request.in))
		request.in["Limit"] = rapid.IntRange(1, 5).Draw(r, "limit")
		if paged := c.all(request.action, request.in); !slices.Equal(paged, whole) {
			c.Fatalf("in pages of %v: %v\nin one: %v", request.in["Limit"], paged, whole)
		}
	})
}

// TestQueryEqualsFilteredScan proves that a Query of an index or table returns the same items as a Scan of the whole
// table, filtered by hand.
func TestQueryEqualsFilteredScan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := newCaller(t, r)
		c.changes()
		hash, rng, in := "pk", "sk", object{}
		if rapid.Bool().Draw(r, "index") {
			hash, rng = "gpk", "gsk"
			in["IndexName"] = "gsi1"
		}
		k := rapid.SampledFrom([]string{"p", "q", "x", "y"}).Draw(r, "key")
		a := rapid.StringMatching(`[a-dxy]{1,2}`).Draw(r, "a")
		b := a + rapid.StringMatching(`[a-dxy]?`).Draw(r, "b")
		op := rapid.SampledFrom(slices.Sorted(maps.Keys(ranges))).Draw(r, "op")
		in["KeyConditionExpression"] = strings.NewReplacer("HASH", hash, "RANGE", rng).Replace("HASH = :k AND " + op)
		given := object{":k": object{"S": k}, ":a": object{"S": a}}
		if strings.Contains(op, ":b") {
			given[":b"] = object{"S": b}
		}
		in["ExpressionAttributeValues"] = given
		in["ProjectionExpression"] = "pk, sk, " + hash + ", " + rng
		if hash == "pk" {
			in["ProjectionExpression"] = "pk, sk"
		}
		got := c.all("Query", in)

		var want []string
		for _, one := range c.all("Scan", object{"ProjectionExpression": "pk, sk, gpk, gsk"}) {
			var i map[string]map[string]string
			_ = json.Unmarshal([]byte(one), &i)
			if i[hash]["S"] == k && i[rng] != nil && ranges[op](i[rng]["S"], a, b) {
				if hash == "pk" {
					delete(i, "gpk")
					delete(i, "gsk")
				}
				want = append(want, text(c, i))
			}
		}
		byRange := func(x, y string) int {
			var i, j map[string]map[string]string
			_, _ = json.Unmarshal([]byte(x), &i), json.Unmarshal([]byte(y), &j)
			return cmp.Or(cmp.Compare(i[rng]["S"], j[rng]["S"]), cmp.Compare(x, y))
		}
		if !slices.IsSortedFunc(got, func(x, y string) int {
			var i, j map[string]map[string]string
			_, _ = json.Unmarshal([]byte(x), &i), json.Unmarshal([]byte(y), &j)
			return cmp.Compare(i[rng]["S"], j[rng]["S"])
		}) {
			c.Fatalf("%v is out of order: %v", in, got)
		}
		slices.SortFunc(got, byRange)
		slices.SortFunc(want, byRange)
		if !slices.Equal(got, want) {
			c.Fatalf("%v gives\n%v\nwant\n%v", in, got, want)
		}
	})
}

// ranges are conditions on a range key, each with its meaning.
var ranges = map[string]func(v, a, b string) bool{
	"RANGE = :a":              func(v, a, _ string) bool { return v == a },
	"RANGE < :a":              func(v, a, _ string) bool { return v < a },
	"RANGE <= :a":             func(v, a, _ string) bool { return v <= a },
	"RANGE > :a":              func(v, a, _ string) bool { return v > a },
	"RANGE >= :a":             func(v, a, _ string) bool { return v >= a },
	"RANGE BETWEEN :a AND :b": func(v, a, b string) bool { return a <= v && v <= b },
	"begins_with(RANGE, :a)":  func(v, a, _ string) bool { return strings.HasPrefix(v, a) },
}
