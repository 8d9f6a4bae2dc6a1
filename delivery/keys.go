package delivery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/message"
)

const (
	// keyPeriod is how long a key seals. It still opens for as long again, which is longer than a message stays in the
	// dead-letter queue (14 days) and then in the send queue (4 days).
	keyPeriod = 30 * 24 * time.Hour
	// keyAge is how long a function uses a key without reading it again. After that, a deleted key is known to be.
	keyAge = 10 * time.Minute
)

// KeyTable is the part of DynamoDB that keys need.
type KeyTable interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
}

var (
	_ KeyTable = (*dynamodb.Client)(nil)
	_ Keys     = (*KeyStore)(nil)
)

// KeyStore keeps the keys in the stack's table, in a partition that only send may touch. Whoever needs a period's key
// first makes it, so keys change by themselves. A function reads a key when it first needs one, not when it starts:
// most never do. It is safe for concurrent use.
type KeyStore struct {
	db    KeyTable
	table string

	mu   sync.Mutex
	held map[int]heldKey
}

type heldKey struct {
	key  message.Key
	read time.Time
}

// NewKeys returns the keys in a table.
func NewKeys(db KeyTable, table string) *KeyStore {
	return &KeyStore{db: db, table: table, held: map[int]heldKey{}}
}

// keyItem is a key as it is stored.
type keyItem struct {
	PK     string `dynamodbav:"pk"` // key#follow-ups
	SK     string `dynamodbav:"sk"` // the number of the key's period, four digits
	Secret []byte `dynamodbav:"secret"`
	TTL    int64  `dynamodbav:"ttl"` // the end of the next period
}

func keyKey(id int) item {
	return item{"pk": stringValue("key#follow-ups"), "sk": stringValue(fmt.Sprintf("%04d", id))}
}

// periodOf returns the number of the period that a time lies in, which is the id of its key.
func periodOf(t time.Time) int { return int(t.Unix() / int64(keyPeriod/time.Second)) }

// Current returns this period's key, and makes it if nobody has.
func (s *KeyStore) Current(ctx context.Context) (message.Key, error) {
	id := periodOf(time.Now())
	key, ok, err := s.Find(ctx, id)
	if ok || err != nil {
		return key, err
	}
	if key, err = s.create(ctx, id); err != nil {
		return message.Key{}, fmt.Errorf("make a key: %w", err)
	}
	s.hold(key)
	return key, nil
}

// Find returns the key of this period, of the previous one or, by a clock that is ahead, of the next. There is no other.
// If the key can't be read again, the one that was read last counts.
func (s *KeyStore) Find(ctx context.Context, id int) (message.Key, bool, error) {
	if now := periodOf(time.Now()); id < now-1 || id > now+1 {
		return message.Key{}, false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock() // during the read, too: the records of a batch need the same key
	held, ok := s.held[id]
	if ok && time.Since(held.read) < keyAge {
		return held.key, true, nil
	}
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: keyKey(id), ConsistentRead: aws.Bool(true)})
	switch {
	case err != nil && ok:
		return held.key, true, nil
	case err != nil:
		return message.Key{}, false, fmt.Errorf("read a key: %w", err)
	case out.Item == nil:
		delete(s.held, id)
		return message.Key{}, false, nil
	}
	key, err := keyOf(id, out.Item)
	if err != nil {
		return message.Key{}, false, err
	}
	s.held[id] = heldKey{key, time.Now()}
	return key, true, nil
}

// create makes a key, or returns the one that another function made at the same time.
func (s *KeyStore) create(ctx context.Context, id int) (message.Key, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	put := keyKey(id)
	put["secret"] = &types.AttributeValueMemberB{Value: secret}
	put["ttl"] = numberValue(int64(id+2) * int64(keyPeriod/time.Second))
	_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: put, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return keyOf(id, refused.Item)
	}
	return message.Key{ID: id, Secret: secret}, err
}

func (s *KeyStore) hold(key message.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[key.ID] = heldKey{key, time.Now()}
}

// keyOf reads a stored key. A short one would be easy to guess, so it counts as none of ours.
func keyOf(id int, i item) (message.Key, error) {
	var stored keyItem
	if err := attributevalue.UnmarshalMap(i, &stored); err != nil {
		return message.Key{}, fmt.Errorf("decode key %d: %w", id, err)
	}
	if len(stored.Secret) < 32 {
		return message.Key{}, fmt.Errorf("key %d has %d bytes, fewer than 32", id, len(stored.Secret))
	}
	return message.Key{ID: id, Secret: stored.Secret}, nil
}
