package presence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
)

// Lease is the end of a connection's lease, as the index lists it.
type Lease struct {
	User       heliograph.UserID
	Connection heliograph.ConnectionID
	Ends       time.Time // whole seconds
}

// key is the lease's sort key in the index.
func (l Lease) key() string { return leaseKey(l.Ends, l.Connection) }

// Due lists leases of one shard that have ended at a time, oldest first, at most limit of them. It starts after a given
// lease, or at the oldest with the zero Lease. An empty list is the end. The index lags behind the table: a listed
// connection may have been renewed or closed since.
func (s *Store) Due(ctx context.Context, shard int, at time.Time, after Lease, limit int) ([]Lease, error) {
	query := &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(Index), Limit: aws.Int32(int32(limit)), // a page
		KeyConditionExpression:    aws.String("#gpk = :shard AND #gsk < :due"),
		ExpressionAttributeNames:  names("gpk", "gsk"),
		ExpressionAttributeValues: item{":shard": text(leasePartition(shard)), ":due": text(dueKey(at))},
	}
	if after.Connection != "" {
		query.ExclusiveStartKey = connectionItemKey(after.User, after.Connection)
		query.ExclusiveStartKey["gpk"] = text(leasePartition(shard))
		query.ExclusiveStartKey["gsk"] = text(after.key())
	}
	out, err := s.db.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("query leases that ended: %w", err)
	}
	var found []connectionItem
	if err := attributevalue.UnmarshalListOfMaps(out.Items, &found); err != nil {
		return nil, fmt.Errorf("decode leases that ended: %w", err)
	}
	due := make([]Lease, len(found))
	for i, f := range found {
		c := f.decode()
		due[i] = Lease{User: c.User, Connection: c.ID, Ends: c.LeaseEnds}
	}
	return due, nil
}

// Leased reads the connections that still have these leases, in the order given. It leaves out connections that were
// closed or renewed since. Alongside an error it returns those that could be read.
func (s *Store) Leased(ctx context.Context, leases []Lease) ([]Connection, error) {
	keys := make([]item, len(leases))
	for i, l := range leases {
		keys[i] = connectionItemKey(l.User, l.Connection)
	}
	// A stale read does no harm: every later change to the connection is conditional or repeatable.
	found := make(map[Lease]Connection, len(leases))
	var undecoded []error // an unreadable item must not keep the others from being checked
	err := s.batchGet(ctx, keys, types.KeysAndAttributes{}, func(i item) error {
		c, err := decodeConnection(i)
		if err != nil {
			undecoded = append(undecoded, err)
			return nil
		}
		found[Lease{User: c.User, Connection: c.ID, Ends: c.LeaseEnds}] = c
		return nil
	})
	if err = errors.Join(append(undecoded, err)...); err != nil {
		err = fmt.Errorf("read connections: %w", err)
	}
	connections := make([]Connection, 0, len(found))
	for _, l := range leases {
		if c, ok := found[l]; ok {
			connections = append(connections, c)
		}
	}
	return connections, err
}

// Renew extends a connection's lease, and notes when the gateway last saw traffic on it (zero: nothing new is known).
// It does so only if the connection still exists with the lease that it was read with, and reports whether it did: a
// closed connection never comes back.
func (s *Store) Renew(ctx context.Context, c Connection, until, lastActiveAt time.Time) (bool, error) {
	if lastActiveAt.Before(c.LastActiveAt) {
		lastActiveAt = c.LastActiveAt
	}
	update := &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: connectionItemKey(c.User, c.ID),
		UpdateExpression:         aws.String("SET #gsk = :new"),
		ConditionExpression:      aws.String("#gsk = :old"),
		ExpressionAttributeNames: names("gsk"),
		ExpressionAttributeValues: item{
			":old": text(leaseKey(c.LeaseEnds, c.ID)), ":new": text(leaseKey(until, c.ID)),
		},
	}
	if !lastActiveAt.IsZero() {
		update.UpdateExpression = aws.String("SET #gsk = :new, #lastActiveAt = :lastActiveAt")
		update.ExpressionAttributeNames = names("gsk", "lastActiveAt")
		update.ExpressionAttributeValues[":lastActiveAt"] = number(millis(lastActiveAt))
	}
	_, err := s.db.UpdateItem(ctx, update)
	if _, failed := errors.AsType[*types.ConditionalCheckFailedException](err); failed {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("renew lease: %w", err)
	}
	return true, nil
}
