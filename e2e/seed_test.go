package e2e

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"
)

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

// seeder fills a stack's table with online users and connections, more than could be opened in reasonable time. It
// copies the items that the functions wrote for one real connection.
type seeder struct {
	load
	db                   *dynamodb.Client
	presence, connection item
}

func newSeeder(t *testing.T, l load) seeder {
	t.Helper()
	s := seeder{load: l, db: dynamodb.NewFromConfig(l.config)}
	const user = "template"
	l.connect(t, user)
	eventually(t, "the template's event is published", func(ctx context.Context) (bool, error) {
		out, err := s.db.Query(ctx, &dynamodb.QueryInput{
			TableName: &l.endpoints.TableName, KeyConditionExpression: aws.String("pk = :user"), ConsistentRead: aws.Bool(true),
			ExpressionAttributeValues: item{":user": text("user#" + user)},
		})
		if err != nil || len(out.Items) != 2 { // the connection, then the presence
			return false, err
		}
		s.connection, s.presence = out.Items[0], out.Items[1]
		_, unpublished := s.presence["unpublished"]
		return s.presence["announced"] != nil && !unpublished, nil
	})
	if want := fmt.Sprintf("online#%02d", shardOf(user)); textOf(s.presence["gpk"]) != want {
		t.Fatalf("the functions list the user in %q, the seeder would in %q", textOf(s.presence["gpk"]), want)
	}
	return s
}

func textOf(v types.AttributeValue) string {
	s, _ := v.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

// shardOf returns the shard of a user or of a connection.
func shardOf(id string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return int((h.Sum32()>>16 ^ h.Sum32()) % 16)
}

// online returns the presence item of a user who is online and announced as online.
func (s seeder) online(user string) item {
	i := maps.Clone(s.presence)
	i["pk"], i["gpk"], i["gsk"] = text("user#"+user), text(fmt.Sprintf("online#%02d", shardOf(user))), text(user)
	return i
}

// connected returns a connection whose lease ends at the given time; it was opened one lease before.
func (s seeder) connected(user, id string, leaseEnds time.Time) item {
	i := maps.Clone(s.connection)
	i["pk"], i["sk"] = text("user#"+user), text("conn#"+id)
	i["gpk"], i["gsk"] = text(fmt.Sprintf("lease#%02d", shardOf(id))), text(leaseKey(id, leaseEnds))
	connectedAt := leaseEnds.Add(-time.Minute)
	i["connectedAt"], i["ttl"] = number(connectedAt.UnixMilli()), number(connectedAt.Add(2*time.Hour+5*time.Minute).Unix())
	return i
}

func leaseKey(id string, ends time.Time) string { return fmt.Sprintf("%010d#%s", ends.Unix(), id) }

// fill puts n items, roughly in order, several in parallel.
func (s seeder) fill(t *testing.T, n int, one func(int) item) {
	t.Helper()
	began := time.Now()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	const batch = 25 // the most that BatchWriteItem takes
	for first := 0; first < n; first += batch {
		group.Go(func() error {
			requests := make([]types.WriteRequest, min(batch, n-first))
			for i := range requests {
				requests[i].PutRequest = &types.PutRequest{Item: one(first + i)}
			}
			out, err := s.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
				RequestItems: map[string][]types.WriteRequest{s.endpoints.TableName: requests},
			})
			if err == nil && len(out.UnprocessedItems) > 0 {
				err = fmt.Errorf("%d items were not put", len(out.UnprocessedItems[s.endpoints.TableName]))
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("fill the table: %v", err)
	}
	t.Logf("%d items were put in %v", n, time.Since(began).Round(100*time.Millisecond))
}
