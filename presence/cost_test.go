package presence_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
	"heliograph/cost"
	"heliograph/presence"
)

// TestCostBehindRequests proves that the work behind the requests has fixed costs in capacity units, too: announcing
// each transition, and the sweep. The first announcement of a coming costs 2 write units, like that of a going; a
// repeat, or one of a second device, costs none.
func TestCostBehindRequests(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	comes := func(t tb, w *world) { w.connect(t, "u", "a") }
	tests := map[string]struct {
		before, do func(t tb, w *world)
		want       cost.Units
	}{
		"announce who comes": {comes, func(t tb, w *world) { w.settle(t) }, cost.AnnounceComing}, // after a check for the connection
		"announce who is back within the grace period": { // and one check for each time that the user went
			func(t tb, w *world) {
				comes(t, w)
				w.settle(t)
				w.disconnect(t, "u", "a")
				w.deliver(t)
				w.connect(t, "u", "b")
			},
			func(t tb, w *world) { w.settle(t) }, cost.AnnounceBack,
		},
		"announce who goes": { // after one more check for remaining connections
			func(t tb, w *world) { comes(t, w); w.settle(t); w.disconnect(t, "u", "a") },
			func(t tb, w *world) { w.settle(t) }, cost.AnnounceGoing,
		},
		"a second device": {
			func(t tb, w *world) { comes(t, w); w.settle(t); w.connect(t, "u", "b") },
			func(t tb, w *world) { w.settle(t) }, cost.AnnounceAnother,
		},
		"renew a lease": {
			comes, func(t tb, w *world) {
				if ok, err := w.store.Renew(ctx, w.one(t, "u"), w.Now().Add(time.Hour), w.Now()); err != nil || !ok {
					t.Fatalf("renew: %t, %v", ok, err)
				}
			}, cost.Units{Read: 1, Write: cost.RenewLease.Write}, // 1 to read the connection beforehand
		},
		"a sweep with nothing due": { // the three counts of each shard
			func(t tb, w *world) { comes(t, w); w.settle(t) }, func(t tb, w *world) { w.sweep(t) }, cost.SweepOfNothing,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.before(t, w)
			before := w.units()
			test.do(t, w)
			after := w.units()
			if got := (cost.Units{Read: after[0] - before[0], Write: after[1] - before[1]}); got != test.want {
				t.Errorf("took %+v units, want %+v", got, test.want)
			}
		})
	}
}

// TestCostOfPages proves that a page costs its users, 36 bytes each, plus at most half a unit for each shard that it
// crosses: at most 2 units and those halves for 100 users, wherever the page begins.
func TestCostOfPages(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	const users = 3200 // some 200 a shard, enough to reveal excess reads
	f.fill(t, 0, users)
	for _, limit := range []int{37, 100} {
		listed, after := 0, heliograph.UserID("")
		for cursor := ""; ; {
			before := f.units()
			page, err := f.store.Online(context.Background(), limit, cursor)
			if err != nil {
				t.Fatal(err)
			}
			crossed := 15 // by the last page, which has to check for more
			if page.Next != "" {
				crossed = shardNumber(t, page.Users[len(page.Users)-1].User)
			}
			if after != "" {
				crossed -= shardNumber(t, after)
			}
			if read := f.units()[0] - before[0]; read > 2+0.5*float64(crossed) || read < 0.5 {
				t.Errorf("a page of %d over %d shards took %v read units", limit, crossed+1, read)
			}
			if listed += len(page.Users); page.Next == "" {
				break
			}
			cursor, after = page.Next, page.Users[len(page.Users)-1].User
		}
		if listed != users {
			t.Errorf("pages of %d listed %d users", limit, listed)
		}
	}
}

func shardNumber(t *testing.T, user heliograph.UserID) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(presence.OnlinePartition(user), "online#"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCostOfCount proves that the gauges read the index and nothing else, so their cost grows with its contents: at
// most 1.4 read units for 100 connections, and as much for 100 online users.
func TestCostOfCount(t *testing.T) {
	t.Parallel()
	const connections, users = 10_000, 10_000
	f := setUp(t)
	f.fill(t, connections, users)
	m := &metered{DynamoDB: f.db, read: map[string]float64{}}
	before := f.units()
	counts, err := presence.NewStore(m, tableName, f).Count(context.Background(), time.Time{})
	if err != nil || counts.Connections != connections || counts.Online != users {
		t.Fatalf("count: %+v, %v", counts, err)
	}
	for list, entries := range map[string]float64{"lease": connections, "online": users} {
		if most := entries * cost.CountOf100 / 100; m.read[list] > most || m.read[list] < most*0.8 {
			t.Errorf("the list %s took %v read units, want at most %v, and not much less", list, m.read[list], most)
		}
		t.Logf("%.0f entries of the list %s took %v read units", entries, list, m.read[list])
	}
	if read := f.units()[0] - before[0]; read != m.read["lease"]+m.read["online"] {
		t.Errorf("%v read units in all, %v of them for the two lists", read, m.read)
	}
}

// metered sums up what queries consume, by the list that they read.
type metered struct {
	presence.DynamoDB
	mu   sync.Mutex
	read map[string]float64
}

func (m *metered) Query(ctx context.Context, in *api.QueryInput, options ...func(*api.Options)) (*api.QueryOutput, error) {
	asking := *in
	asking.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.DynamoDB.Query(ctx, &asking, options...)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list, _, _ := strings.Cut(in.ExpressionAttributeValues[":shard"].(*types.AttributeValueMemberS).Value, "#")
	m.read[list] += *out.ConsumedCapacity.CapacityUnits
	return out, nil
}

// fill puts connections and users, copies of what one Connect writes, with ids of realistic length. It is a hundred
// times faster than that many Connects.
func (f *fixture) fill(t *testing.T, connections, users int) {
	t.Helper()
	f.connect(t, "template", "template")
	left, err := f.db.Query(context.Background(), &api.QueryInput{
		TableName: aws.String(tableName), KeyConditionExpression: aws.String("pk = :u"), ExpressionAttributeValues: item{":u": text("user#template")},
	})
	if err != nil || len(left.Items) != 2 {
		t.Fatalf("%v, %v", left, err)
	}
	f.disconnect(t, "template", "template")
	connection, online := left.Items[0], left.Items[1]
	lease := connection["gsk"].(*types.AttributeValueMemberS).Value[:len("1767323045#")]
	var items []item
	for i := range connections {
		c, id := maps.Clone(connection), fmt.Sprintf("L0SM9cO%07dw=", i)
		c["pk"], c["sk"] = text(fmt.Sprintf("user#b9d6b2a4-0000-4000-8000-%012d", i)), text("conn#"+id)
		c["gpk"], c["gsk"] = text(presence.LeasePartition(heliograph.ConnectionID(id))), text(lease+id)
		items = append(items, c)
	}
	for i := range users {
		p, user := maps.Clone(online), fmt.Sprintf("b9d6b2a4-0000-4000-8000-%012d", i)
		p["pk"], p["gpk"], p["gsk"] = text("user#"+user), text(presence.OnlinePartition(heliograph.UserID(user))), text(user)
		items = append(items, p)
	}
	for batch := range slices.Chunk(items, 25) {
		var puts []types.WriteRequest
		for _, i := range batch {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: i}})
		}
		_, err := f.db.(*api.Client).BatchWriteItem(context.Background(), &api.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{tableName: puts}})
		if err != nil {
			t.Fatal(err)
		}
	}
}
