package dynamodb_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"heliograph/simulator/dynamodb"
)

// TestKeep proves that a table survives its process: items, index entries and time to live come back without records of
// their own, and of the records only those that a reader has not handled.
func TestKeep(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"gpk": s("g"), "gsk": s("1"), "ttl": n(strconv.FormatInt(start.Unix()-1, 10))}), with(key("b", "1"), item{"x": ss("p", "q")}))
	handled := f.records(t, "")[1].Sequence
	f.remove(t, "b", "1")
	f.put(t, with(key("c", "1"), item{"x": n("1")}))
	shard := f.table.Stream().Shards()[0].ID()
	instant := false
	kept := f.db.Keep(func(*dynamodb.Stream) map[string]dynamodb.Sequence {
		return map[string]dynamodb.Sequence{shard: handled}
	}, func() { instant = true })
	if !instant {
		t.Error("the callback was not called")
	}
	saved, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]dynamodb.Kept
	if err := json.Unmarshal(saved, &read); err != nil {
		t.Fatal(err)
	}
	again := setUp(t)
	if err := again.table.Load(read["things"]); err != nil {
		t.Fatal(err)
	}
	same(t, again.get(t, "a", "1"), f.get(t, "a", "1"))
	same(t, again.get(t, "c", "1"), f.get(t, "c", "1"))
	if again.get(t, "b", "1") != nil || again.table.Len() != 2 {
		t.Errorf("%d items came back", again.table.Len())
	}
	want := []string{
		`REMOVE {"pk":{"S":"b"},"sk":{"S":"1"}} {"pk":{"S":"b"},"sk":{"S":"1"},"x":{"SS":["p","q"]}} null`,
		`INSERT {"pk":{"S":"c"},"sk":{"S":"1"}} null {"pk":{"S":"c"},"sk":{"S":"1"},"x":{"N":"1"}}`,
	}
	var got []string
	for _, r := range again.records(t, "") {
		got = append(got, r.EventName+" "+text(t, r.Keys)+" "+text(t, r.OldImage)+" "+text(t, r.NewImage))
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	}
	same(t, got, want)
	if expired := again.table.ExpireDue(start); expired != 1 {
		t.Errorf("%d items expired", expired)
	}
}

// TestLoadRefuses proves that an item which the table could not have held is an error that names its key.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"Items":[{"pk":{"S":"a"},"sk":{"N":"1"}}]}`:                 `the item {"pk":{"S":"a"},"sk":{"N":"1"}} of the table things`,
		`{"Items":[{"pk":{"S":"a"}}]}`:                                "Missing the key sk",
		`{"Items":[{"pk":{"S":"a"},"sk":{"S":"1"},"gpk":{"N":"1"}}]}`: "gpk",
		`{"Items":[{"pk":{"S":"a"},"sk":{"S":"1"},"x":{"SS":[]}}]}`:   "may not be empty",
	} {
		var k dynamodb.Kept
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			t.Fatal(err)
		}
		if err := setUp(t).table.Load(k); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", text, err, want)
		}
	}
}
