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
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// Disconnect closes a connection. It is the single path for a device that disconnected, a connection that delivery
// found gone, and one that the sweep found dead. It deletes the connection and, if that was the user's last, makes the
// user offline with the given last activity. It does nothing if all that is done already, so it may be repeated, and
// may run before its own connect. It counts ConnectionsClosed.
//
// lastActivity is when the connection was last known to be alive: now for a device that disconnected,
// Connection.LastKnownActivity for one that vanished.
func (s *Store) Disconnect(ctx context.Context, user heliograph.UserID, id heliograph.ConnectionID, lastActivity time.Time) error {
	if err := errors.Join(checkUser(user), checkConnection(id)); err != nil {
		return err
	}
	return observability.Step(ctx, "presence.disconnect", func(ctx context.Context) error {
		removed, err := s.close(ctx, user, id, lastActivity)
		if removed {
			observability.Add(ctx, catalogue.ConnectionsClosed, 1)
		}
		return err
	})
}

// close is the disconnect path. It reports whether the connection still existed, even when it also returns an error.
func (s *Store) close(ctx context.Context, user heliograph.UserID, id heliograph.ConnectionID, lastActivity time.Time) (removed bool, err error) {
	removed, err = s.remove(ctx, user, id)
	if err != nil {
		return false, err
	}
	return removed, s.Settle(ctx, user, lastActivity)
}

// remove deletes a connection's item, and reports whether there was one.
func (s *Store) remove(ctx context.Context, user heliograph.UserID, id heliograph.ConnectionID) (bool, error) {
	out, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: connectionItemKey(user, id), ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return false, fmt.Errorf("delete connection: %w", err)
	}
	return len(out.Attributes) > 0, nil
}

// Settle makes a user offline if no connection is left. It must follow every deletion of a connection, whichever path
// deleted it.
//
// The presence is read before the connections, never after, and changes only if it is still as read: a connection
// written too late to be seen here raises the epoch later still.
func (s *Store) Settle(ctx context.Context, user heliograph.UserID, lastActivity time.Time) error {
	for {
		read, err := s.readPresence(ctx, user)
		if err != nil || !read.Online {
			return err
		}
		left, err := s.left(ctx, user)
		if err != nil || left == someOpen {
			return err
		}
		// A failed condition means that a concurrent writer made progress, so the loop ends.
		done, err := s.decide(ctx, user, read, left, lastActivity)
		if err != nil || done {
			return err
		}
	}
}

// verify makes a user offline who came online without a connection, and reports whether it did. came is the presence as
// of that change. It replaces a first read, however old it is, since nothing is written unless the presence still
// equals it.
//
// Unlike Settle, it ignores a user who is still connecting: raising the epoch on every connect would cost a write, and
// no caller acts on a verification.
func (s *Store) verify(ctx context.Context, user heliograph.UserID, came presenceItem) (bool, error) {
	for read := came; read.Online; {
		left, err := s.left(ctx, user)
		if err != nil || left != noneOpen {
			return false, err
		}
		done, err := s.goOffline(ctx, user, read, fromMillis(read.OnlineSince))
		if err != nil || done {
			return done, err
		}
		if read, err = s.readPresence(ctx, user); err != nil {
			return false, err
		}
	}
	return false, nil
}

// decide writes what follows from the presence as read and the connections left at that time, on condition that the
// presence is unchanged, and reports whether it was.
func (s *Store) decide(ctx context.Context, user heliograph.UserID, read presenceItem, left left, lastActivity time.Time) (bool, error) {
	if left == someOpening {
		return s.stayOnline(ctx, user, read)
	}
	return s.goOffline(ctx, user, read, lastActivity)
}

// left classifies the connections that a user has left.
type left int

const (
	noneOpen    left = iota
	someOpening      // all that are left are so new that their Connect may still be between its two writes
	someOpen         // at least one has finished its Connect: it raised the epoch, or died and never will
)

// openPage is the number of connections read at once in search of an open one. That many fit into one read unit of 4
// KB, and a user seldom has more.
const openPage = 8

// left reports whether a user has an open connection.
func (s *Store) left(ctx context.Context, user heliograph.UserID) (left, error) {
	query := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(openPage),
		KeyConditionExpression:    aws.String("#pk = :user AND begins_with(#sk, :connection)"),
		ProjectionExpression:      aws.String("#connectedAt"),
		ExpressionAttributeNames:  names("pk", "sk", "connectedAt"),
		ExpressionAttributeValues: item{":user": text(userKey(user)), ":connection": text(connectionPrefix)},
	}
	now, found := s.clock.Now(), noneOpen
	for pages := dynamodb.NewQueryPaginator(s.db, query); pages.HasMorePages() && found != someOpen; {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return noneOpen, fmt.Errorf("query connections that are left: %w", err)
		}
		var items []connectionItem
		if err := attributevalue.UnmarshalListOfMaps(page.Items, &items); err != nil {
			return noneOpen, &UnreadableError{fmt.Errorf("decode connections that are left: %w", err)}
		}
		for _, c := range items {
			found = max(found, leftBy(c.decode(), now))
		}
	}
	return found, nil
}

// leftBy classifies one connection. A Connect ends long before the first lease, since its function is killed after 10
// s; the rest of the margin allows for clock skew, and for a decision that was made before the connect began and is not
// yet written.
func leftBy(c Connection, now time.Time) left {
	switch {
	case !now.Before(c.Limit()):
		return noneOpen
	case now.Before(c.ConnectedAt.Add(FirstLease)):
		return someOpening
	}
	return someOpen
}

// stayOnline raises the epoch of a user who stays online, on condition that the presence is still as read, and reports
// whether it was.
//
// A function that saw no connection at the same epoch, and has not written yet, must no longer make the user offline:
// this one has settled that the arriving connection keeps the user online, and callers may have been told so. Otherwise
// a connecting user would flicker: online, offline, online.
func (s *Store) stayOnline(ctx context.Context, user heliograph.UserID, read presenceItem) (bool, error) {
	return s.changePresence(ctx, "update presence that stays online", &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: presenceItemKey(user),
		UpdateExpression:         aws.String("SET #epoch = #epoch + :one"),
		ConditionExpression:      aws.String("#epoch = :read AND #online = :true"),
		ExpressionAttributeNames: names("online", "epoch"),
		ExpressionAttributeValues: item{
			":true": flag(true), ":one": number(1), ":read": number(read.Epoch),
		},
	})
}

// goOffline makes a user offline on condition that the presence is still as read, and reports whether it was. The last
// activity never moves back: connections may be found dead in any order.
func (s *Store) goOffline(ctx context.Context, user heliograph.UserID, read presenceItem, lastActivity time.Time) (bool, error) {
	now := s.clock.Now()
	return s.changePresence(ctx, "update presence to offline", &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: presenceItemKey(user),
		UpdateExpression: aws.String("SET #online = :false, #epoch = if_not_exists(#epoch, :now) + :one, " +
			"#offlineSince = :now, #lastActivity = :lastActivity, #ttl = :ttl REMOVE #gpk, #gsk, #onlineSince, #connects"),
		ConditionExpression: aws.String("#epoch = :read AND #online = :true"),
		ExpressionAttributeNames: names("online", "epoch", "offlineSince", "lastActivity", "ttl", "gpk", "gsk",
			"onlineSince", "connects"),
		ExpressionAttributeValues: item{
			":true": flag(true), ":false": flag(false), ":one": number(1), ":now": number(now.UnixMilli()),
			":read": number(read.Epoch), ":ttl": number(now.Add(Memory).Unix()),
			":lastActivity": number(max(millis(lastActivity), read.LastActivity)),
		},
	})
}

// changePresence makes a conditional change, and reports whether the condition held. what names the change in errors.
func (s *Store) changePresence(ctx context.Context, what string, change *dynamodb.UpdateItemInput) (bool, error) {
	_, err := s.db.UpdateItem(ctx, change)
	if _, failed := errors.AsType[*types.ConditionalCheckFailedException](err); failed {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return true, nil
}
