package dynamodb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/simulator/dynamodb"
)

// inIndex returns the sort keys that gsi1 holds under a hash key.
func (f fixture) inIndex(t *testing.T, gpk string) (sks []string, err error) {
	t.Helper()
	out, err := f.Query(t.Context(), &api.QueryInput{
		TableName: aws.String("things"), IndexName: aws.String("gsi1"),
		KeyConditionExpression: aws.String("gpk = :g"), ExpressionAttributeValues: item{":g": s(gpk)},
	})
	if err != nil {
		return nil, err
	}
	for _, i := range out.Items {
		sks = append(sks, i["sk"].(*types.AttributeValueMemberS).Value)
	}
	return sks, nil
}

// TestIndexLag proves that an index shows a change, and a removal, as soon as the lag has passed and not before, while
// the table shows it at once.
func TestIndexLag(t *testing.T) {
	t.Parallel()
	f := setUpUnder(t, dynamodb.Stress{IndexLag: time.Second})
	want := func(step string, sks ...string) {
		t.Helper()
		if got, err := f.inIndex(t, "g"); err != nil || fmt.Sprint(got) != fmt.Sprint(sks) {
			t.Errorf("%s: the index holds %v (%v), want %v", step, got, err, sks)
		}
	}
	f.put(t, with(key("a", "1"), item{"gpk": s("g"), "gsk": s("1")}))
	want("just put")
	if f.get(t, "a", "1") == nil {
		t.Error("the table lags")
	}
	f.clock.advance(time.Second - 1)
	want("a moment too early")
	f.clock.advance(1)
	want("after the lag", "1")

	f.put(t, key("a", "1"))
	f.put(t, with(key("a", "2"), item{"gpk": s("g"), "gsk": s("0")}))
	want("just changed", "1")
	f.clock.advance(time.Second)
	want("after the second lag", "2")
}

// TestIndexLagCostsTheSame proves that the consumption of a write does not depend on when its index shows it.
func TestIndexLagCostsTheSame(t *testing.T) {
	t.Parallel()
	usage := func(stress dynamodb.Stress) dynamodb.Usage {
		f := setUpUnder(t, stress)
		for _, gsk := range []string{"1", "2", "2"} {
			f.put(t, with(key("a", "1"), item{"gpk": s("g"), "gsk": s(gsk)}))
		}
		f.put(t, key("a", "1"))
		return f.table.Usage()
	}
	same(t, usage(dynamodb.Stress{IndexLag: time.Hour}), usage(dynamodb.Stress{}))
}

// TestShards proves that a stream of several shards keeps the changes of one partition key in a single shard, in order,
// uses all its shards, and gives no two records the same number.
func TestShards(t *testing.T) {
	t.Parallel()
	f := setUpUnder(t, dynamodb.Stress{Shards: 4})
	const keys, changes = 50, 3
	for i := range changes {
		for k := range keys {
			f.put(t, with(key(fmt.Sprint("user", k), "x"), item{"n": n(fmt.Sprint(i))}))
		}
	}
	shards := f.table.Stream().Shards()
	if len(shards) != 4 {
		t.Fatalf("there are %d shards", len(shards))
	}
	shardOf, numbers, ids := map[string]string{}, map[string]int{}, map[dynamodb.Sequence]bool{}
	for _, shard := range shards {
		records, err := shard.Read(t.Context(), "", 1000)
		if err != nil || len(records) == 0 {
			t.Fatalf("shard %s has %d records: %v", shard.ID(), len(records), err)
		}
		for _, r := range records {
			pk, number := r.Keys["pk"].Text(), r.NewImage["n"].Text()
			if before, seen := shardOf[pk]; seen && before != shard.ID() {
				t.Errorf("%s is in two shards", pk)
			}
			if want := fmt.Sprint(numbers[pk]); number != want {
				t.Errorf("change %s of %s came where %s was due", number, pk, want)
			}
			if ids[r.Sequence] {
				t.Errorf("two records have the number %s", r.Sequence)
			}
			shardOf[pk], ids[r.Sequence] = shard.ID(), true
			numbers[pk]++
		}
		if last := records[len(records)-1].Sequence; shard.Latest() != last {
			t.Errorf("the latest of %s is %s, want %s", shard.ID(), shard.Latest(), last)
		}
	}
	if len(ids) != keys*changes {
		t.Errorf("the shards have %d records, want %d", len(ids), keys*changes)
	}
}

// TestHotPartitionOfWrites proves that a partition key admits its units per second and no more, that other keys and
// later seconds are unaffected, and that the error has AWS's reason and resource.
func TestHotPartitionOfWrites(t *testing.T) {
	t.Parallel()
	f := setUpUnder(t, dynamodb.Stress{PartitionWrites: 3})
	put := func(pk string) error {
		_, err := f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: key(pk, "1")})
		return err
	}
	for range 3 {
		if err := put("hot"); err != nil {
			t.Fatal(err)
		}
	}
	err := put("hot")
	var throttled *types.ThrottlingException
	if !errors.As(err, &throttled) {
		t.Fatalf("the fourth write: %v", err)
	}
	if r := throttled.ThrottlingReasons; len(r) != 1 || *r[0].Reason != "TableWriteKeyRangeThroughputExceeded" || *r[0].Resource != f.table.ARN() {
		t.Errorf("the reasons are %v", r)
	}
	if err := put("cold"); err != nil {
		t.Errorf("another key: %v", err)
	}
	f.clock.advance(time.Second / 3)
	if err := put("hot"); err != nil {
		t.Errorf("a third of a second later: %v", err)
	}
	if err := put("hot"); !errors.As(err, &throttled) {
		t.Errorf("and once more at once: %v", err)
	}
}

// TestHotPartitionOfAnIndex proves that writes under one key of an index are throttled even if the table's keys differ,
// and that a throttled write leaves no trace.
func TestHotPartitionOfAnIndex(t *testing.T) {
	t.Parallel()
	f := setUpUnder(t, dynamodb.Stress{PartitionWrites: 2})
	put := func(pk string) error {
		_, err := f.PutItem(t.Context(), &api.PutItemInput{TableName: aws.String("things"), Item: with(key(pk, "1"), item{"gpk": s("g"), "gsk": s(pk)})})
		return err
	}
	for _, pk := range []string{"a", "b"} {
		if err := put(pk); err != nil {
			t.Fatal(err)
		}
	}
	var throttled *types.ThrottlingException
	if err := put("c"); !errors.As(err, &throttled) || *throttled.ThrottlingReasons[0].Resource != f.table.IndexARN("gsi1") {
		t.Errorf("the third entry: %v", err)
	}
	if f.get(t, "c", "1") != nil {
		t.Error("the throttled item was written")
	}
	f.put(t, key("d", "1")) // no entry, no throttling
}

// TestHotPartitionOfReads proves that GetItem and Query are throttled by the units they have read, per key, and a Query
// of an index by the index's key.
func TestHotPartitionOfReads(t *testing.T) {
	t.Parallel()
	f := setUpUnder(t, dynamodb.Stress{PartitionReads: 1})
	get := func(pk string) error {
		_, err := f.GetItem(t.Context(), &api.GetItemInput{TableName: aws.String("things"), Key: key(pk, "1"), ConsistentRead: aws.Bool(true)})
		return err
	}
	if err := get("hot"); err != nil {
		t.Fatal(err)
	}
	refused(t, get("hot"), "ThrottlingException", "")
	if err := get("cold"); err != nil {
		t.Errorf("another key: %v", err)
	}
	for i := range 3 { // half a unit each
		if _, err := f.inIndex(t, "g"); (err != nil) != (i == 2) {
			t.Errorf("query %d of the index: %v", i, err)
		}
	}
	f.clock.advance(time.Second)
	if err := get("hot"); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

// TestBatchesLeaveWhatIsThrottled proves that a batch carries out as much as it can, returns the rest, and fails only
// if it could do nothing.
func TestBatchesLeaveWhatIsThrottled(t *testing.T) {
	t.Parallel()
	f := setUpUnder(t, dynamodb.Stress{PartitionWrites: 1, PartitionReads: 1})
	write := func(keys ...item) (*api.BatchWriteItemOutput, error) {
		var requests []types.WriteRequest
		for _, k := range keys {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: k}})
		}
		return f.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"things": requests}})
	}
	wrote, err := write(key("hot", "1"), key("hot", "2"), key("cold", "1"))
	if err != nil || len(wrote.UnprocessedItems["things"]) != 1 {
		t.Fatalf("%d writes are left (%v), want 1", len(wrote.UnprocessedItems["things"]), err)
	}
	same(t, wrote.UnprocessedItems["things"][0].PutRequest.Item, key("hot", "2"))
	_, err = write(key("hot", "2"))
	refused(t, err, "ThrottlingException", "")

	read := func(keys ...item) (*api.BatchGetItemOutput, error) {
		return f.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"things": {Keys: keys, ConsistentRead: aws.Bool(true)}}})
	}
	got, err := read(key("hot", "1"), key("hot", "2"), key("cold", "1"))
	if err != nil || len(got.Responses["things"]) != 2 {
		t.Fatalf("%d items were read (%v), want 2", len(got.Responses["things"]), err)
	}
	same(t, got.UnprocessedKeys["things"].Keys, []item{key("hot", "2")})
	_, err = read(key("hot", "1"))
	refused(t, err, "ThrottlingException", "")
}
