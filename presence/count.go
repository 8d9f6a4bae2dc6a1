package presence

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"heliograph/observability"
)

// Counts are the sizes of the index's lists, which lag a little behind the table.
type Counts struct {
	Connections int // open connections, including dead ones not yet found
	Due         int // connections among them whose lease had ended
	Online      int // users who are online
}

// countWorkers is the number of shards counted at once.
const countWorkers = 16

// Count counts the index, shard by shard. It costs half a read unit for each 4 KB of the index, and at least half a
// unit for each of the two or three counts per shard. Due counts the leases that had ended at the given time; with the
// zero time it is not counted, and is 0.
func (s *Store) Count(ctx context.Context, due time.Time) (Counts, error) {
	var ended, others, online atomic.Int64
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(countWorkers)
	count := func(sum *atomic.Int64, condition string, values item) {
		workers.Go(func() error {
			_, err := observability.Safely(func() (struct{}, error) { return struct{}{}, s.count(ctx, sum, condition, values) })
			return err
		})
	}
	for number := range Shards {
		count(&online, "#gpk = :shard", item{":shard": text(onlinePartition(number))})
		leases := text(leasePartition(number))
		if due.IsZero() {
			count(&others, "#gpk = :shard", item{":shard": leases})
			continue
		}
		count(&ended, "#gpk = :shard AND #gsk < :due", item{":shard": leases, ":due": text(dueKey(due))})
		count(&others, "#gpk = :shard AND #gsk >= :due", item{":shard": leases, ":due": text(dueKey(due))})
	}
	if err := workers.Wait(); err != nil {
		return Counts{}, fmt.Errorf("count the index: %w", err)
	}
	return Counts{
		Connections: int(ended.Load() + others.Load()), Due: int(ended.Load()), Online: int(online.Load()),
	}, nil
}

// count adds the number of entries that match a key condition to a sum.
func (s *Store) count(ctx context.Context, sum *atomic.Int64, condition string, values item) error {
	query := &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(Index), Select: types.SelectCount,
		KeyConditionExpression: aws.String(condition), ExpressionAttributeValues: values,
		ExpressionAttributeNames: names("gpk"),
	}
	if values[":due"] != nil {
		query.ExpressionAttributeNames = names("gpk", "gsk")
	}
	for pages := dynamodb.NewQueryPaginator(s.db, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		sum.Add(int64(page.Count))
	}
	return nil
}
