package presence

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
)

// DynamoDB is the part of the DynamoDB client that presence uses. Failed conditions are returned as
// *types.ConditionalCheckFailedException.
type DynamoDB interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
}

var _ DynamoDB = (*dynamodb.Client)(nil)

// Store keeps connections and presence in the table. It holds no state of its own and is safe for concurrent use.
type Store struct {
	db    DynamoDB
	table string
	clock Clock

	maxConnections int // per user; 0: unlimited
}

// LimitConnections returns a store for the same table whose Connect refuses more than the given number of connections
// per user.
func (s *Store) LimitConnections(number int) *Store {
	limited := *s
	limited.maxConnections = number
	return &limited
}

// NewStore returns a store for a table; a nil clock means the system clock.
func NewStore(db DynamoDB, table string, clock Clock) *Store {
	if clock == nil {
		clock = SystemClock{}
	}
	return &Store{db: db, table: table, clock: clock}
}

// item is an item, a key, or the values of an expression.
type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

func flag(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

func connectionItemKey(user heliograph.UserID, id heliograph.ConnectionID) item {
	return item{"pk": text(userKey(user)), "sk": text(connectionKey(id))}
}

func presenceItemKey(user heliograph.UserID) item {
	return item{"pk": text(userKey(user)), "sk": text(presenceKey)}
}

// names are the placeholders for attribute names. Every name uses one, since DynamoDB reserves several hundred words,
// online and ttl among them.
func names(attributes ...string) map[string]string {
	placeholders := make(map[string]string, len(attributes))
	for _, a := range attributes {
		placeholders["#"+a] = a
	}
	return placeholders
}

// readPresence reads a user's presence item, consistently. A missing item reads as the zero item: offline, epoch 0.
func (s *Store) readPresence(ctx context.Context, user heliograph.UserID) (presenceItem, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: presenceItemKey(user), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return presenceItem{}, fmt.Errorf("read presence: %w", err)
	}
	return decodePresence(out.Item)
}
