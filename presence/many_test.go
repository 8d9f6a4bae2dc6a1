package presence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gateway "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
	"heliograph/presence"
)

// Durations of calls, as AWS's clients measure them from within a Region.
const (
	callTakes  = 6 * time.Millisecond  // a read or write of the table
	pageTakes  = 10 * time.Millisecond // a page of 1 MB of the index
	pageHas    = 9000                  // index entries in 1 MB
	askTakes   = 25 * time.Millisecond // GetConnection
	sweepStall = 200 * time.Millisecond
)

// manyConnections is the table and the gateway of a very large number of connections, all alive. It keeps a few bytes
// per connection instead of an item, so that a million fit and can be swept in fake time. It supports only what the
// sweep asks of the table; TestLeanTable proves it equal to the simulator's.
type manyConnections struct {
	presence.DynamoDB // nil: other calls panic
	presence.Gateway

	start time.Time

	mu     sync.Mutex
	ends   []int64                            // of each connection's lease, in Unix seconds
	shards [presence.Shards]map[int64][]int32 // connections by the second their lease ends, some of them stale
	counts [presence.Shards]map[int64]int     // how many leases end at a second
	shard  []uint8                            // of each connection

	due                int           // connections that were due at the last count
	looks              int           // GetConnection calls
	longest            time.Duration // from the end of a lease to the verification
	perSecond          []int         // looks
	atOnce, mostAtOnce int           // looks
}

// newManyConnections makes n connections whose leases ended some time ago, or will end.
func newManyConnections(n int, ago func(i int) time.Duration) *manyConnections {
	m := &manyConnections{start: time.Now(), ends: make([]int64, n), shard: make([]uint8, n)}
	for s := range m.shards {
		m.shards[s], m.counts[s] = map[int64][]int32{}, map[int64]int{}
	}
	for i := range n {
		partition := presence.LeasePartition(heliograph.ConnectionID(connectionName(i)))
		m.shard[i] = uint8(shardOf(partition))
		m.enter(i, m.start.Add(-ago(i)).Unix())
	}
	return m
}

func (m *manyConnections) enter(i int, ends int64) {
	s := m.shard[i]
	m.ends[i] = ends
	m.shards[s][ends] = append(m.shards[s][ends], int32(i))
	m.counts[s][ends]++
}

func shardOf(partition string) int {
	n, err := strconv.Atoi(partition[strings.IndexByte(partition, '#')+1:])
	if err != nil {
		panic(err)
	}
	return n
}

func textOf(v types.AttributeValue) string { return v.(*types.AttributeValueMemberS).Value }

// secondsOf is the time at the start of a lease's key.
func secondsOf(key string) int64 {
	n, err := strconv.ParseInt(key[:10], 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func indexOf(sortKey string) int {
	i, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(sortKey, "conn#L0SM"), "="))
	if err != nil {
		panic(err)
	}
	return i
}

// key is the index entry of a connection.
func (m *manyConnections) key(i int) item {
	return item{
		"pk": text(fmt.Sprintf("user#u%07d", i)), "sk": text("conn#" + connectionName(i)),
		"gpk": text(presence.LeasePartition(heliograph.ConnectionID(connectionName(i)))),
		"gsk": text(fmt.Sprintf("%010d#%s", m.ends[i], connectionName(i))),
	}
}

// item is a connection as stored in the table.
func (m *manyConnections) item(i int) item {
	whole := m.key(i)
	whole["connectedAt"] = &types.AttributeValueMemberN{Value: fmt.Sprint(m.start.UnixMilli())}
	whole["ttl"] = &types.AttributeValueMemberN{Value: fmt.Sprint(m.start.Add(presence.MaxAge).Unix())}
	return whole
}

// Query lists the ended leases of a shard, or counts a list of the index.
func (m *manyConnections) Query(ctx context.Context, in *api.QueryInput, _ ...func(*api.Options)) (*api.QueryOutput, error) {
	partition := textOf(in.ExpressionAttributeValues[":shard"])
	if in.Select != types.SelectCount {
		time.Sleep(callTakes)
		m.mu.Lock()
		defer m.mu.Unlock()
		return &api.QueryOutput{Items: m.list(shardOf(partition), secondsOf(textOf(in.ExpressionAttributeValues[":due"])), in.ExclusiveStartKey, int(*in.Limit))}, nil
	}
	n := m.count(partition, *in.KeyConditionExpression, in.ExpressionAttributeValues[":due"])
	time.Sleep(time.Duration(1+n/pageHas) * pageTakes)
	return &api.QueryOutput{Count: int32(n)}, ctx.Err()
}

// list finds the leases of a shard that ended before a second, after a given entry, without keeping them sorted:
// renewed connections are dropped from their old second only here.
func (m *manyConnections) list(shard int, before int64, after item, limit int) (found []item) {
	from, last := int64(0), -1
	if after != nil {
		from, last = secondsOf(textOf(after["gsk"])), indexOf(textOf(after["sk"]))
	}
	var seconds []int64
	for s, n := range m.counts[shard] {
		if s >= from && s < before && n > 0 {
			seconds = append(seconds, s)
		}
	}
	slices.Sort(seconds)
	for _, s := range seconds {
		ids := m.shards[shard][s]
		ids = slices.DeleteFunc(ids, func(i int32) bool { return m.ends[i] != s })
		slices.Sort(ids)
		m.shards[shard][s] = ids
		for _, i := range ids {
			if len(found) == limit {
				return found
			}
			if s > from || int(i) > last {
				found = append(found, m.key(int(i)))
			}
		}
	}
	return found
}

// count counts a list. The condition on the end of leases has one of two forms.
func (m *manyConnections) count(partition, condition string, due types.AttributeValue) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.HasPrefix(partition, "online#") {
		for _, s := range m.shard {
			if int(s) == shardOf(partition) {
				n++
			}
		}
		return n
	}
	for s, leases := range m.counts[shardOf(partition)] {
		switch ended := s < secondsOf(textOf(due)); {
		case strings.HasSuffix(condition, "#gsk < :due") && ended:
			n += leases
			m.due += leases
		case strings.HasSuffix(condition, "#gsk >= :due") && !ended:
			n += leases
		}
	}
	return n
}

func (m *manyConnections) BatchGetItem(_ context.Context, in *api.BatchGetItemInput, _ ...func(*api.Options)) (*api.BatchGetItemOutput, error) {
	time.Sleep(callTakes)
	m.mu.Lock()
	defer m.mu.Unlock()
	var items []item
	for _, key := range in.RequestItems[tableName].Keys {
		items = append(items, m.item(indexOf(textOf(key["sk"]))))
	}
	return &api.BatchGetItemOutput{Responses: map[string][]item{tableName: items}}, nil
}

// UpdateItem renews a lease.
func (m *manyConnections) UpdateItem(_ context.Context, in *api.UpdateItemInput, _ ...func(*api.Options)) (*api.UpdateItemOutput, error) {
	time.Sleep(callTakes)
	m.mu.Lock()
	defer m.mu.Unlock()
	i, values := indexOf(textOf(in.Key["sk"])), in.ExpressionAttributeValues
	if *in.ConditionExpression != "#gsk = :old" {
		return nil, errors.New("the sweep only renews leases")
	}
	if secondsOf(textOf(values[":old"])) != m.ends[i] {
		return nil, &types.ConditionalCheckFailedException{}
	}
	m.counts[m.shard[i]][m.ends[i]]--
	m.enter(i, secondsOf(textOf(values[":new"])))
	return &api.UpdateItemOutput{}, nil
}

// GetConnection reports every connection alive. Now and then it is slow, as API Gateway is.
func (m *manyConnections) GetConnection(_ context.Context, in *gateway.GetConnectionInput, _ ...func(*gateway.Options)) (*gateway.GetConnectionOutput, error) {
	i := indexOf("conn#" + *in.ConnectionId)
	m.mu.Lock()
	m.looks++
	m.atOnce++
	m.mostAtOnce = max(m.mostAtOnce, m.atOnce)
	m.longest = max(m.longest, time.Since(time.Unix(m.ends[i], 0)))
	for second := int(time.Since(m.start) / time.Second); len(m.perSecond) <= second; {
		m.perSecond = append(m.perSecond, 0)
	}
	m.perSecond[len(m.perSecond)-1]++
	m.mu.Unlock()
	if i%1000 == 0 {
		time.Sleep(sweepStall)
	}
	time.Sleep(askTakes)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.atOnce--
	now := time.Now()
	return &gateway.GetConnectionOutput{LastActiveAt: &now}, nil
}

// decoded is a connection as the store reads it.
func decoded(i item) presence.Connection {
	return presence.Connection{
		User: heliograph.UserID(strings.TrimPrefix(textOf(i["pk"]), "user#")), ID: heliograph.ConnectionID(strings.TrimPrefix(textOf(i["sk"]), "conn#")),
		LeaseEnds: time.Unix(secondsOf(textOf(i["gsk"])), 0),
	}
}

// put writes an item as it is.
func (f *fixture) put(t tb, i item) {
	t.Helper()
	if _, err := f.db.PutItem(context.Background(), &api.PutItemInput{TableName: new(tableName), Item: i}); err != nil {
		t.Fatalf("put: %v", err)
	}
}
