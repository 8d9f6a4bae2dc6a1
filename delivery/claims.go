package delivery

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
)

// claimLease is how long a claim holds unless it is renewed. It exceeds an attempt plus the pause after it, so that a
// chain keeps its claims, and is shorter than the queue's visibility time-out of 180 s, so that a record redelivered
// after a crash finds the claim of its first delivery expired.
const claimLease = 120 * time.Second

// Target is the recipient for whom a message is claimed: one user, or one connection id.
type Target string

func userTarget(id heliograph.UserID) Target { return Target("user#" + string(id)) }

func connectionTarget(id heliograph.ConnectionID) Target { return Target("connection#" + string(id)) }

// ClaimState is the result of a claim.
type ClaimState int

const (
	// Claimed: the claimer may deliver the message until the lease ends.
	Claimed ClaimState = iota
	// Duplicate: a message of this id was delivered to this target within the idempotency window.
	Duplicate
	// InFlight: another delivery of this id to this target is under way.
	InFlight
)

// ClaimResult is the answer to a claim.
type ClaimResult struct {
	State ClaimState
	// Delivered and Gone say, for a Duplicate, what the earlier delivery came to, in connections.
	Delivered, Gone int
	// Until is, for InFlight, when the lease ends unless it is renewed.
	Until time.Time
}

// ErrClaimLost says that the claim was over, and another delivery has claimed the message since.
var ErrClaimLost = errors.New("another delivery has claimed the message since")

// ClaimTable is the part of DynamoDB that claims need.
type ClaimTable interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

var (
	_ ClaimTable = (*dynamodb.Client)(nil)
	_ Claims     = (*ClaimStore)(nil)
)

// ClaimStore remembers, in the stack's table, which messages with an id were delivered to which targets. Each method
// makes one call and consumes one write unit. It holds no state of its own and is safe for concurrent use.
type ClaimStore struct {
	db     ClaimTable
	table  string
	window time.Duration
}

// NewClaims returns the claims in a table. Deliveries are remembered for the idempotency window.
func NewClaims(db ClaimTable, table string, window time.Duration) *ClaimStore {
	return &ClaimStore{db: db, table: table, window: window}
}

// claimItem is a claim as it is stored. The prefix of its sort key is needed because producers choose the id: without
// it, an id "presence" would pass for a presence item in the table's stream.
type claimItem struct {
	PK        string `dynamodbav:"pk"`    // sent#user#<user id> or sent#connection#<connection id>
	SK        string `dynamodbav:"sk"`    // id#<id>
	Owner     string `dynamodbav:"owner"` // Owner.Token
	Done      bool   `dynamodbav:"done"`
	Delivered int    `dynamodbav:"delivered"`
	Gone      int    `dynamodbav:"gone"`
	// Expires is when the claim stops counting, in Unix milliseconds: the end of its lease, or of the window once it
	// is done. Claims compare it, because DynamoDB deletes expired items up to days late.
	Expires int64 `dynamodbav:"expires"`
	TTL     int64 `dynamodbav:"ttl"` // Expires in seconds, rounded up
}

type item = map[string]types.AttributeValue

func claimKey(target Target, id string) item {
	return item{"pk": stringValue("sent#" + string(target)), "sk": stringValue("id#" + id)}
}

func stringValue(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func numberValue(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func boolValue(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

// ttlSeconds converts milliseconds to the seconds of DynamoDB's TTL, rounding up.
func ttlSeconds(ms int64) int64 { return ms/1000 + 1 }

// Claim claims the message id for a target before the message is posted. It takes over the previous attempt's claim,
// done or not, because this attempt delivers what the previous one left over. After an error the outcome is unknown.
func (s *ClaimStore) Claim(ctx context.Context, target Target, id string, by Owner) (ClaimResult, error) {
	now := time.Now()
	ends := now.Add(claimLease).UnixMilli()
	put := claimKey(target, id)
	put["owner"], put["done"] = stringValue(by.Token), boolValue(false)
	put["expires"], put["ttl"] = numberValue(ends), numberValue(ttlSeconds(ends))
	_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                &s.table,
		Item:                     put,
		ConditionExpression:      aws.String("attribute_not_exists(#pk) OR #expires <= :now OR #owner IN (:token, :after)"),
		ExpressionAttributeNames: map[string]string{"#pk": "pk", "#expires": "expires", "#owner": "owner"},
		ExpressionAttributeValues: item{
			":now": numberValue(now.UnixMilli()), ":token": stringValue(by.Token), ":after": stringValue(by.After),
		},
		// The refusal returns the other claim, which saves a second call.
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var refused *types.ConditionalCheckFailedException
	switch {
	case err == nil:
		return ClaimResult{State: Claimed}, nil
	case errors.As(err, &refused):
		return claimedBefore(refused.Item)
	}
	return ClaimResult{}, fmt.Errorf("claim a message: %w", err)
}

// claimedBefore reads the item that made a claim fail.
func claimedBefore(refused item) (ClaimResult, error) {
	var other claimItem
	if err := attributevalue.UnmarshalMap(refused, &other); err != nil {
		return ClaimResult{}, fmt.Errorf("decode a claim: %w", err)
	}
	switch {
	case other.Expires == 0:
		return ClaimResult{}, errors.New("claim a message: refused without the claim that it was refused for")
	case other.Done:
		return ClaimResult{State: Duplicate, Delivered: other.Delivered, Gone: other.Gone}, nil
	}
	return ClaimResult{State: InFlight, Until: time.UnixMilli(other.Expires)}, nil
}

// Done records that the message was delivered to the given number of the target's connections, and how many were
// gone. Until the window ends, claims find a Duplicate. ErrClaimLost means that another delivery has claimed the
// message meanwhile; what that delivery records stays.
func (s *ClaimStore) Done(ctx context.Context, target Target, id string, by Owner, delivered, gone int) error {
	ends := time.Now().Add(s.window).UnixMilli()
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           &s.table,
		Key:                 claimKey(target, id),
		UpdateExpression:    aws.String("SET #done = :true, #delivered = :delivered, #gone = :gone, #expires = :expires, #ttl = :ttl"),
		ConditionExpression: aws.String("#owner IN (:token, :after)"),
		ExpressionAttributeNames: map[string]string{
			"#done": "done", "#delivered": "delivered", "#gone": "gone", "#expires": "expires", "#ttl": "ttl", "#owner": "owner",
		},
		ExpressionAttributeValues: item{
			":true": boolValue(true), ":delivered": numberValue(int64(delivered)), ":gone": numberValue(int64(gone)),
			":expires": numberValue(ends), ":ttl": numberValue(ttlSeconds(ends)),
			":token": stringValue(by.Token), ":after": stringValue(by.After),
		},
	})
	if errors.As(err, new(*types.ConditionalCheckFailedException)) {
		return ErrClaimLost
	}
	if err != nil {
		return fmt.Errorf("record a delivery: %w", err)
	}
	return nil
}

// Release gives up the claim on a message that reached no connection, so that a resend is delivered. A claim that is
// done, missing or by now held by another delivery stays as it is; that is no error.
func (s *ClaimStore) Release(ctx context.Context, target Target, id string, by Owner) error {
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                &s.table,
		Key:                      claimKey(target, id),
		ConditionExpression:      aws.String("#owner IN (:token, :after) AND #done = :false"),
		ExpressionAttributeNames: map[string]string{"#owner": "owner", "#done": "done"},
		ExpressionAttributeValues: item{
			":token": stringValue(by.Token), ":after": stringValue(by.After), ":false": boolValue(false),
		},
	})
	if err == nil || errors.As(err, new(*types.ConditionalCheckFailedException)) {
		return nil
	}
	return fmt.Errorf("release a claim: %w", err)
}
