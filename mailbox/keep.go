package mailbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// Table is the part of DynamoDB that mailboxes need.
type Table interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
}

var _ Table = (*dynamodb.Client)(nil)

// Limit is the most that a user has in a mailbox; the newest count.
type Limit struct {
	Messages int64
	Bytes    int64 // of the bodies
}

const (
	// lateness is how much longer than a message counts its item stays in the table, whose TTL follows DynamoDB's clock: a
	// position that is missing though it is young has never been written.
	lateness = time.Hour
	// memory is how long a mailbox is remembered after its last message: longer than any message counts.
	memory = message.MaxKeep + 24*time.Hour
	// numbers is how many numbers a message tries. It loses one to each reader that found its position empty.
	numbers = 5
)

// Store keeps messages in the stack's table. It holds no state of its own and is safe for concurrent use.
type Store struct {
	db    Table
	table string
	limit Limit
	now   func() time.Time
	sleep func(context.Context, time.Duration) error // waits, or returns the context's error
}

// NewStore returns the mailboxes in a table; nil for now means the system clock.
func NewStore(db Table, table string, limit Limit, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{db: db, table: table, limit: limit, now: now, sleep: sleep}
}

// Message is a message to keep.
type Message struct {
	ID      string
	SentAt  time.Time // zero if unknown
	Expires time.Time // when it stops counting
	Body    string
	Value   bool // as in message.Message
}

// errNoPosition: each number that was taken was filled by a reader before the message was written.
var errNoPosition = errors.New("readers were faster at every position")

// Keep keeps a message for a user, and returns the cursor of its position. It takes two writes: one unit for the number, and
// one for each KB of the message. After an error the message may or may not be kept.
func (s *Store) Keep(ctx context.Context, user heliograph.UserID, m Message) (cursor string, err error) {
	for range numbers {
		head, err := s.take(ctx, user, len(m.Body))
		if err != nil {
			return "", fmt.Errorf("take a position: %w", err)
		}
		written, err := s.write(ctx, user, head, m)
		switch {
		case err != nil:
			return "", fmt.Errorf("keep a message: %w", err)
		case written:
			observability.Add(ctx, catalogue.MessagesKept, 1)
			return cursorOf(head.Mailbox, head.Last), nil
		}
	}
	return "", errNoPosition
}

// take takes the next number of a user's mailbox, which it opens if there is none.
func (s *Store) take(ctx context.Context, user heliograph.UserID, bytes int) (head headItem, err error) {
	now := s.now()
	out, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: keyOf(user, headKey),
		UpdateExpression: aws.String("SET #mailbox = if_not_exists(#mailbox, :new), #last = if_not_exists(#last, :zero) + :one, " +
			"#bytes = if_not_exists(#bytes, :zero) + :bytes, #before = if_not_exists(#at, :zero), #at = :now, #ttl = :ttl"),
		ExpressionAttributeNames: map[string]string{
			"#mailbox": "mailbox", "#last": "last", "#bytes": "bytes", "#before": "before", "#at": "at", "#ttl": "ttl",
		},
		ExpressionAttributeValues: item{
			":new": text(rand.Text()[:12]), ":zero": number(0), ":one": number(1), ":bytes": number(int64(bytes)),
			":now": number(now.UnixMilli()), ":ttl": number(after(now, memory)),
		},
		ReturnValues: types.ReturnValueAllNew,
	})
	if err != nil {
		return headItem{}, err
	}
	return head, attributevalue.UnmarshalMap(out.Attributes, &head)
}

// write writes a message at the position that was taken, and reports whether it stands there: a reader may have filled the
// position. Nobody else writes there, so any other item is this message, from a call whose answer was lost.
func (s *Store) write(ctx context.Context, user heliograph.UserID, head headItem, m Message) (bool, error) {
	i := positionItem{
		ID: m.ID, Body: m.Body, Value: m.Value, Expires: m.Expires.UnixMilli(),
		Bytes: head.Bytes, Before: head.Before, TTL: after(m.Expires, lateness),
	}
	if !m.SentAt.IsZero() {
		i.SentAt = m.SentAt.UnixMilli()
	}
	there, err := s.put(ctx, user, head.Mailbox, head.Last, i)
	return err == nil && !there.Nothing, err
}

// put writes an item at a position that is empty, and returns the one that stands there then.
func (s *Store) put(ctx context.Context, user heliograph.UserID, mailbox string, position int64, i positionItem) (positionItem, error) {
	i.PK, i.SK = partition(user), positionKey(mailbox, position)
	encoded, err := attributevalue.MarshalMap(i)
	if err != nil {
		return positionItem{}, err
	}
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: encoded,
		ConditionExpression:                 aws.String("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		var there positionItem
		return there, attributevalue.UnmarshalMap(refused.Item, &there)
	}
	return i, err
}
