package presence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// Connect opens a connection, with its first lease, and makes its user online. ConnectedAt defaults to now; LeaseEnds
// is set here. It returns an *InvalidError for an id that can't be stored.
//
// The connection is written before the presence: a concurrent disconnect of another device either finds the connection
// or finds the epoch raised. After an error the connection is not open: anything written of it is removed, here or by
// the sweep. The error is ErrTooManyConnections if the user already has as many as allowed.
func (s *Store) Connect(ctx context.Context, c Connection) error {
	if err := errors.Join(checkUser(c.User), checkConnection(c.ID)); err != nil {
		return err
	}
	now := s.clock.Now()
	if c.ConnectedAt.IsZero() {
		c.ConnectedAt = now
	}
	c.LeaseEnds = now.Add(FirstLease)
	c.UserAgent = cut(c.UserAgent, MaxUserAgent)
	return observability.Step(ctx, "presence.connect", func(ctx context.Context) error {
		err := s.open(ctx, c)
		if errors.Is(err, ErrTooManyConnections) {
			observability.Add(ctx, catalogue.ConnectionsRefused, 1)
		}
		if err != nil {
			return errors.Join(err, s.undo(ctx, c, err))
		}
		observability.Add(ctx, catalogue.ConnectionsOpened, 1)
		return nil
	})
}

func (s *Store) open(ctx context.Context, c Connection) error {
	encoded, err := attributevalue.MarshalMap(encodeConnection(c))
	if err != nil {
		return fmt.Errorf("encode connection: %w", err)
	}
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: encoded}); err != nil {
		return fmt.Errorf("put connection: %w", err)
	}
	connects, err := s.goOnline(ctx, c.User)
	if err != nil {
		return fmt.Errorf("update presence to online: %w", err)
	}
	if s.maxConnections == 0 || connects <= int64(s.maxConnections) {
		return nil
	}
	return s.checkRoom(ctx, c.User)
}

// ErrTooManyConnections is returned for a connect that would exceed the user's connection limit.
var ErrTooManyConnections error = tooManyConnections{}

type tooManyConnections struct{}

func (tooManyConnections) Error() string { return "the user has too many connections" }

// Expected reports to traces that the refusal is a regular answer, not a failure.
func (tooManyConnections) Expected() bool { return true }

// checkRoom counts a user's connections, the new one included. Of several simultaneous connects it may refuse more than
// necessary, never fewer: each counts after its own write, so the last of those that stay has seen all others.
//
// It is called only for a user who has connected more often than allowed since coming online: no other user can have
// too many connections, so the usual connect costs no read.
func (s *Store) checkRoom(ctx context.Context, user heliograph.UserID) error {
	out, err := s.db.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), Select: types.SelectCount,
		KeyConditionExpression:    aws.String("#pk = :user AND begins_with(#sk, :connections)"),
		ExpressionAttributeNames:  names("pk", "sk"),
		ExpressionAttributeValues: item{":user": text(userKey(user)), ":connections": text(connectionPrefix)},
		Limit:                     aws.Int32(int32(s.maxConnections) + 1),
	})
	if err != nil {
		return fmt.Errorf("count the connections of the user: %w", err)
	}
	if int(out.Count) > s.maxConnections {
		return ErrTooManyConnections
	}
	return nil
}

// goOnline makes a user online and returns how often the user has connected since coming online. The epoch starts at
// the time in milliseconds, so that it keeps rising even after the item has expired; it rises with every connect, also
// of a user who is already online.
func (s *Store) goOnline(ctx context.Context, user heliograph.UserID) (connects int64, err error) {
	now := number(s.clock.Now().UnixMilli())
	out, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: presenceItemKey(user),
		UpdateExpression: aws.String("SET #online = :true, #gpk = :gpk, #gsk = :gsk, " +
			"#epoch = if_not_exists(#epoch, :now) + :one, #onlineSince = if_not_exists(#onlineSince, :now), " +
			"#connects = if_not_exists(#connects, :zero) + :one " +
			"REMOVE #ttl, #offlineSince"),
		ExpressionAttributeNames: names("online", "gpk", "gsk", "epoch", "onlineSince", "connects", "ttl", "offlineSince"),
		ReturnValues:             types.ReturnValueUpdatedNew,
		ExpressionAttributeValues: item{
			":true": flag(true), ":now": now, ":one": number(1), ":zero": number(0),
			":gpk": text(onlinePartition(shard(string(user)))), ":gsk": text(string(user)),
		},
	})
	if err != nil {
		return 0, err
	}
	p, err := decodePresence(out.Attributes)
	return p.Connects, err
}

// undo reverts a failed connect, best effort. Only an answer from DynamoDB, or a refusal, which follows all answers,
// guarantees that no write is under way. Without one, the presence may still turn online, and the connection must stay,
// so that the sweep finds it and reverts the presence.
func (s *Store) undo(ctx context.Context, c Connection, failure error) error {
	var answer smithy.APIError
	if !errors.As(failure, &answer) && !errors.Is(failure, ErrTooManyConnections) {
		return nil
	}
	_, err := s.close(ctx, c.User, c.ID, c.ConnectedAt)
	return err
}

// cut shortens a text to a number of bytes without splitting a character.
func cut(s string, size int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= size {
		return s
	}
	for !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}
