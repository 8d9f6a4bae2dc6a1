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

	"heliograph/observability"
)

// Disconnect closes a connection: it is the one path for a device that disconnected, one that delivery
// found gone, one that the sweep found dead. It deletes the connection, and if that was the user's
// last, makes the user offline with the given last activity. It does nothing if all that is done
// already, so it may be repeated, and run before its own connect. It counts ConnectionsClosed.
//
// lastActivity is when the connection was last known to be alive: now for a device that said goodbye,
// Connection.LastKnownActivity for one that did not.
func (s *Store) Disconnect(ctx context.Context, user UserID, id ConnectionID, lastActivity time.Time) error {
	if err := errors.Join(user.check(), id.check()); err != nil {
		return err
	}
	return observability.Trace(ctx, "presence.disconnect", func(ctx context.Context) error {
		removed, err := s.close(ctx, user, id, lastActivity)
		if removed {
			observability.Add(ctx, observability.ConnectionsClosed, 1)
		}
		return err
	})
}

// close is the disconnect path. It tells whether the connection was still there, also beside an error.
func (s *Store) close(ctx context.Context, user UserID, id ConnectionID, lastActivity time.Time) (removed bool, err error) {
	removed, err = s.remove(ctx, user, id)
	if err != nil {
		return false, err
	}
	return removed, s.Settle(ctx, user, lastActivity)
}

// remove deletes a connection's item, and tells whether there was one.
func (s *Store) remove(ctx context.Context, user UserID, id ConnectionID) (bool, error) {
	out, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: connectionItemKey(user, id), ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return false, fmt.Errorf("delete connection: %w", err)
	}
	return len(out.Attributes) > 0, nil
}

// Settle makes a user offline if no connection is left. It is what follows the deletion of a connection,
// whoever deleted it.
//
// The presence is read before the connections, never after, and changes only if it is still the one
// read: a connection that was written too late to be seen here raises the epoch later still.
func (s *Store) Settle(ctx context.Context, user UserID, lastActivity time.Time) error {
	for {
		read, err := s.readPresence(ctx, user)
		if err != nil || !read.Online {
			return err
		}
		left, err := s.anyOpen(ctx, user)
		if err != nil || left {
			return err
		}
		// A condition that fails means that somebody else got on, so this ends.
		done, err := s.goOffline(ctx, user, read, lastActivity)
		if err != nil || done {
			return err
		}
	}
}

// openPage is how many connections are read at once to find one that is open. So many fit into one read
// unit of 4 KB, and a user seldom has more.
const openPage = 8

// anyOpen tells whether a user has a connection that is open.
func (s *Store) anyOpen(ctx context.Context, user UserID) (bool, error) {
	query := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(openPage),
		KeyConditionExpression:    aws.String("#pk = :user AND begins_with(#sk, :connection)"),
		ProjectionExpression:      aws.String("#connectedAt"),
		ExpressionAttributeNames:  names("pk", "sk", "connectedAt"),
		ExpressionAttributeValues: item{":user": text(userKey(user)), ":connection": text(connectionPrefix)},
	}
	now := s.clock.Now()
	for pages := dynamodb.NewQueryPaginator(s.db, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, fmt.Errorf("query connections that are left: %w", err)
		}
		var found []connectionItem
		if err := attributevalue.UnmarshalListOfMaps(page.Items, &found); err != nil {
			return false, fmt.Errorf("decode connections that are left: %w", err)
		}
		for _, c := range found {
			if now.Before(c.decode().Limit()) {
				return true, nil
			}
		}
	}
	return false, nil
}

// goOffline makes a user offline on condition that the presence is still the one read, and tells whether
// it was. The last activity never goes back: connections may be found dead in any order.
func (s *Store) goOffline(ctx context.Context, user UserID, read presenceItem, lastActivity time.Time) (bool, error) {
	now := s.clock.Now()
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: presenceItemKey(user),
		UpdateExpression: aws.String("SET #online = :false, #epoch = if_not_exists(#epoch, :now) + :one, " +
			"#offlineSince = :now, #lastActivity = :lastActivity, #ttl = :ttl REMOVE #gpk, #gsk, #onlineSince"),
		ConditionExpression: aws.String("#epoch = :read AND #online = :true"),
		ExpressionAttributeNames: names("online", "epoch", "offlineSince", "lastActivity", "ttl", "gpk", "gsk",
			"onlineSince"),
		ExpressionAttributeValues: item{
			":true": flag(true), ":false": flag(false), ":one": number(1), ":now": number(now.UnixMilli()),
			":read": number(read.Epoch), ":ttl": number(now.Add(Memory).Unix()),
			":lastActivity": number(max(millis(lastActivity), read.LastActivity)),
		},
	})
	if _, failed := errors.AsType[*types.ConditionalCheckFailedException](err); failed {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("update presence to offline: %w", err)
	}
	return true, nil
}
