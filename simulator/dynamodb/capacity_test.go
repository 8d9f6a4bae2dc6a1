package dynamodb_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/simulator/dynamodb"
)

// consumed is the answer for INDEXES: the units of the table, and those of the indexes that have any.
func consumed(table float64, indexes map[string]float64) *types.ConsumedCapacity {
	c := &types.ConsumedCapacity{TableName: aws.String("things"), CapacityUnits: aws.Float64(table), Table: &types.Capacity{CapacityUnits: aws.Float64(table)}}
	for name, units := range indexes {
		if c.GlobalSecondaryIndexes == nil {
			c.GlobalSecondaryIndexes = map[string]types.Capacity{}
		}
		*c.CapacityUnits += units
		c.GlobalSecondaryIndexes[name] = types.Capacity{CapacityUnits: aws.Float64(units)}
	}
	return c
}

// TestWriteCapacity proves that a write costs one unit for each KB of the larger image, and that an index costs one
// write for an added, changed or removed entry, and two if its key changes.
func TestWriteCapacity(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	kb := func(size int) item { return item{"x": s(strings.Repeat("x", size))} } // "x", "pk", "sk", "a", "1": 7 bytes more
	put := func(more item) *types.ConsumedCapacity {
		t.Helper()
		out, err := f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: with(key("a", "1"), more), ReturnConsumedCapacity: "INDEXES"})
		if err != nil {
			t.Fatal(err)
		}
		return out.ConsumedCapacity
	}
	update := func(expression string, values item) *types.ConsumedCapacity {
		t.Helper()
		in := change(expression, values)
		in.ReturnConsumedCapacity = "INDEXES"
		out, err := f.UpdateItem(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out.ConsumedCapacity
	}
	remove := func() *types.ConsumedCapacity {
		t.Helper()
		out, err := f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("things"), Key: key("a", "1"), ReturnConsumedCapacity: "INDEXES"})
		if err != nil {
			t.Fatal(err)
		}
		return out.ConsumedCapacity
	}
	same(t, put(nil), consumed(1, nil))
	same(t, put(kb(1017)), consumed(1, nil))
	same(t, put(kb(1018)), consumed(2, nil))
	same(t, put(nil), consumed(2, nil)) // the old image was larger
	same(t, put(with(kb(3000), item{"gpk": s("g"), "gsk": s("1")})), consumed(3, map[string]float64{"gsi1": 1}))
	same(t, update("SET y = :v", item{":v": n("1")}), consumed(3, nil)) // gsi1 does not project y
	same(t, update("SET gsk = :v", item{":v": s("2")}), consumed(3, map[string]float64{"gsi1": 2}))
	same(t, update("SET score = :v", item{":v": n("1")}), consumed(3, map[string]float64{"byscore": 3})) // byscore projects everything
	same(t, update("SET y = :v", item{":v": n("2")}), consumed(3, map[string]float64{"byscore": 3}))
	same(t, update("SET score = :v", item{":v": n("2")}), consumed(3, map[string]float64{"byscore": 6}))
	same(t, update("SET score = :v", item{":v": n("2.0")}), consumed(3, nil))
	same(t, update("REMOVE gpk, x", nil), consumed(3, map[string]float64{"gsi1": 1, "byscore": 3}))
	same(t, remove(), consumed(1, nil))
	same(t, remove(), consumed(1, nil)) // deleting nothing costs as much
}

// TestReadCapacity proves that reads cost one unit for each 4 KB, and half if they may be stale, whatever a projection
// or filter leaves out.
func TestReadCapacity(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"x": s(strings.Repeat("x", 9000)), "gpk": s("g"), "score": n("1")}), with(key("a", "2"), item{"x": s("x")}))
	get := func(sk string, consistent bool) float64 {
		t.Helper()
		out, err := f.GetItem(t.Context(), &api.GetItemInput{
			TableName: aws.String("things"), Key: key("a", sk), ConsistentRead: &consistent, ReturnConsumedCapacity: "TOTAL", ProjectionExpression: aws.String("pk"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if out.ConsumedCapacity.Table != nil {
			t.Error("TOTAL shows the table's part")
		}
		return *out.ConsumedCapacity.CapacityUnits
	}
	same(t, []float64{get("1", true), get("1", false), get("2", true), get("2", false), get("nope", true), get("nope", false)}, []float64{3, 1.5, 1, 0.5, 1, 0.5})

	read := func(in *api.QueryInput) *types.ConsumedCapacity {
		t.Helper()
		in.ReturnConsumedCapacity, in.Select = "INDEXES", "COUNT"
		out, err := f.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out.ConsumedCapacity
	}
	same(t, read(query("pk = :p", item{":p": s("a")})), consumed(1.5, nil)) // 9,020 bytes together
	same(t, read(query("pk = :p", item{":p": s("nope")})), consumed(0.5, nil))
	byIndex := query("gpk = :p", item{":p": s("g")})
	byIndex.IndexName = aws.String("byscore")
	same(t, read(byIndex), consumed(0, map[string]float64{"byscore": 1.5}))
	byIndex.IndexName = aws.String("gsi1")
	same(t, read(byIndex), consumed(0, map[string]float64{"gsi1": 0.5}))

	batch, err := f.BatchGetItem(t.Context(), &api.BatchGetItemInput{ReturnConsumedCapacity: "INDEXES", RequestItems: map[string]types.KeysAndAttributes{
		"things": {Keys: []item{key("a", "1"), key("a", "2"), key("nope", "1")}, ConsistentRead: aws.Bool(true)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, batch.ConsumedCapacity, []types.ConsumedCapacity{*consumed(5, nil)}) // each item separately: 3 + 1 + 1
}

// TestUsage proves that the table counts everything that is consumed, including by writes whose condition fails.
func TestUsage(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"gpk": s("g"), "gsk": s("1"), "x": s(strings.Repeat("x", 1500))}))
	f.get(t, "a", "1")
	in := change("SET x = :v", item{":v": s("x")})
	in.ConditionExpression = aws.String("attribute_not_exists(pk)")
	_, err := f.UpdateItem(t.Context(), in)
	failed(t, err, nil)
	byIndex := query("gpk = :g", item{":g": s("g")})
	byIndex.IndexName = aws.String("gsi1")
	if _, err := f.Query(t.Context(), byIndex); err != nil {
		t.Fatal(err)
	}
	same(t, f.table.Usage(), dynamodb.Usage{
		Table:   dynamodb.Units{Read: 1, Write: 4},
		Indexes: map[string]dynamodb.Units{"gsi1": {Read: 0.5, Write: 1}},
	})
}
