package presence

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
	"heliograph/observability"
)

// ofStatuses reads what an answer to others needs, and nothing else: the policy of the function that answers them lets no
// other attribute through.
var ofStatuses = types.KeysAndAttributes{
	ConsistentRead:           aws.Bool(true),
	ProjectionExpression:     aws.String("#pk, #sk, #online, #lastActivity"),
	ExpressionAttributeNames: names("pk", "sk", "online", "lastActivity"),
}

// Statuses returns the status of each given user, in the given order; duplicates are answered once. Reads are
// consistent: each user's status was true at some moment during the call. An unknown user is offline, without a last
// activity. OfflineSince is left out.
func (s *Store) Statuses(ctx context.Context, users []heliograph.UserID) ([]Status, error) {
	keys, err := presenceKeys(users)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	found, err := observability.Trace(ctx, "presence.statuses", func(ctx context.Context) (map[heliograph.UserID]presenceItem, error) {
		found := make(map[heliograph.UserID]presenceItem, len(keys))
		return found, s.batchGet(ctx, keys, ofStatuses, func(i item) error {
			var p presenceItem
			err := attributevalue.UnmarshalMap(i, &p)
			user, _ := parsePresenceKey(p.PK, p.SK)
			found[user] = p
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read statuses: %w", err)
	}
	return inOrder(users, func(user heliograph.UserID) Status { return found[user].status(user, now) }), nil
}

// presenceKeys are the keys of the users' presence items, each once, since DynamoDB refuses duplicates.
func presenceKeys(users []heliograph.UserID) ([]item, error) {
	for _, user := range users {
		if err := checkUser(user); err != nil {
			return nil, err
		}
	}
	return inOrder(users, presenceItemKey), nil
}

// inOrder calls one for each distinct user, in order of first mention.
func inOrder[T any](users []heliograph.UserID, one func(heliograph.UserID) T) []T {
	seen := make(map[heliograph.UserID]bool, len(users))
	all := make([]T, 0, len(users))
	for _, user := range users {
		if !seen[user] {
			seen[user] = true
			all = append(all, one(user))
		}
	}
	return all
}
