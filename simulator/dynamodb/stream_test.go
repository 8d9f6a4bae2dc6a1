package dynamodb_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/dynamodb"
)

func (f fixture) remove(t testing.TB, pk, sk string) {
	t.Helper()
	if _, err := f.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: aws.String("things"), Key: key(pk, sk)}); err != nil {
		t.Fatal(err)
	}
}

// records reads all records after a sequence. There must be at least one.
func (f fixture) records(t testing.TB, after dynamodb.Sequence) []dynamodb.Record {
	t.Helper()
	records, err := f.table.Stream().Shards()[0].Read(t.Context(), after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestStreamRecordsChanges proves that each change leaves one record, in order, and that a write that changes nothing
// leaves none.
func TestStreamRecordsChanges(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"x": n("1")}), with(key("a", "1"), item{"x": n("1.0")}), with(key("a", "1"), item{"x": n("2")}))
	if _, err := f.UpdateItem(t.Context(), change("SET x = :v REMOVE nope", item{":v": n("2")})); err != nil {
		t.Fatal(err)
	}
	f.remove(t, "a", "nope")
	f.remove(t, "a", "1")
	var got []string
	var last dynamodb.Sequence
	for _, r := range f.records(t, "") {
		if r.Sequence <= last {
			t.Errorf("%s comes after %s", r.Sequence, last)
		}
		last = r.Sequence
		keys, old, new := text(t, r.Keys), text(t, r.OldImage), text(t, r.NewImage)
		got = append(got, r.EventName+" "+keys+" "+old+" "+new)
	}
	const k, one, two = `{"pk":{"S":"a"},"sk":{"S":"1"}}`, `{"pk":{"S":"a"},"sk":{"S":"1"},"x":{"N":"1"}}`, `{"pk":{"S":"a"},"sk":{"S":"1"},"x":{"N":"2"}}`
	same(t, got, []string{
		"INSERT " + k + " null " + one,
		"MODIFY " + k + " " + one + " " + two,
		"REMOVE " + k + " " + two + " null",
	})
	same(t, f.table.Stream().Shards()[0].Latest(), last)
}

// fataler is the part that testing.T and rapid.T share.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

func text(t fataler, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRecordIsLambdaEvent proves that a record has exactly the form that a Lambda function receives: decoded into
// aws-lambda-go's event and encoded again, it loses nothing.
func TestRecordIsLambdaEvent(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.put(t, with(key("a", "1"), item{"x": l(n("1.5"), ss("u", "v")), "ttl": n("1767323045")}))
	f.table.ExpireDue(start.Add(time.Second))
	records := f.records(t, "")
	for i, r := range records {
		var event events.DynamoDBEventRecord
		if err := json.Unmarshal([]byte(text(t, r)), &event); err != nil {
			t.Fatal(err)
		}
		var got, want any
		_ = json.Unmarshal([]byte(text(t, r)), &got)
		_ = json.Unmarshal([]byte(text(t, event)), &want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("record %d has what the event has not (-event +record):\n%s", i, diff)
		}
	}
	var event events.DynamoDBEventRecord
	_ = json.Unmarshal([]byte(text(t, records[1])), &event)
	type summary struct {
		Name, Version, Source, Region, ARN, View string
		At                                       time.Time
		Size                                     int64
		Identity                                 events.DynamoDBUserIdentity
	}
	same(t, summary{
		event.EventName, event.EventVersion, event.EventSource, event.AWSRegion, event.EventSourceArn, event.Change.StreamViewType,
		event.Change.ApproximateCreationDateTime.UTC(), event.Change.SizeBytes, *event.UserIdentity,
	}, summary{
		"REMOVE", "1.1", "aws:dynamodb", "eu-west-1", "arn:aws:dynamodb:eu-west-1:123456789012:table/things/stream/2026-01-02T03:04:05.678", "NEW_AND_OLD_IMAGES",
		start.Truncate(time.Second), 6 + (6 + 9 + 10),
		events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"},
	})
}

// TestStreamReadWaits proves that a reader waits for the first record, and gets no more than it asked for.
func TestStreamReadWaits(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	type result struct {
		records []dynamodb.Record
		err     error
	}
	got := make(chan result)
	go func() {
		records, err := f.table.Stream().Shards()[0].Read(t.Context(), f.table.Stream().Shards()[0].Latest(), 1)
		got <- result{records, err}
	}()
	f.put(t, key("a", "1"), key("a", "2"))
	first := <-got
	if first.err != nil || len(first.records) != 1 {
		t.Fatalf("got %v, %v", first.records, first.err)
	}
	rest := f.records(t, first.records[0].Sequence)
	if len(rest) != 1 || rest[0].Sequence != f.table.Stream().Shards()[0].Latest() {
		t.Errorf("the rest is %v", rest)
	}

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		records, err := f.table.Stream().Shards()[0].Read(ctx, rest[0].Sequence, 1)
		got <- result{records, err}
	}()
	cancel()
	if last := <-got; !errors.Is(last.err, context.Canceled) {
		t.Errorf("a reader that gives up gets %v, %v", last.records, last.err)
	}
}

// TestStreamTrims proves that records are kept for 24 hours, and that a reader that comes too late gets ErrTrimmed and
// can start at the horizon.
func TestStreamTrims(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	stream := f.table.Stream()
	f.put(t, key("a", "1"), key("a", "2"))
	first := f.records(t, "")[0].Sequence
	f.clock.advance(24 * time.Hour)
	f.put(t, key("a", "3"))
	same(t, len(f.records(t, "")), 3)
	f.clock.advance(time.Second)
	same(t, len(f.records(t, "")), 1)
	same(t, len(f.records(t, stream.Shards()[0].Horizon())), 1)
	if _, err := stream.Shards()[0].Read(t.Context(), first, 10); !errors.Is(err, dynamodb.ErrTrimmed) {
		t.Errorf("reading what is trimmed gives %v", err)
	}
}

// TestStreamViews proves that the view type decides which images a record has.
func TestStreamViews(t *testing.T) {
	t.Parallel()
	tests := map[string][2]bool{"KEYS_ONLY": {}, "OLD_IMAGE": {true, false}, "NEW_IMAGE": {false, true}, "NEW_AND_OLD_IMAGES": {true, true}}
	for view, want := range tests {
		db := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
		def := definition()
		def.StreamViewType = view
		table, err := db.CreateTable(def)
		if err != nil {
			t.Fatal(err)
		}
		f := serve(t, db)
		f.put(t, with(key("a", "1"), item{"x": n("1")}), with(key("a", "1"), item{"x": n("2")}))
		records, err := table.Stream().Shards()[0].Read(t.Context(), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, [2]bool{records[1].OldImage != nil, records[1].NewImage != nil}, want)
		same(t, len(records[1].Keys), 2)
	}
}
