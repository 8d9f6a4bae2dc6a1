package presence

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
)

// Connections returns a user's open connections, oldest id first, and the user's status, both from one consistent
// Query. It is no snapshot: a connection that opens or closes meanwhile may appear in only one of the two.
//
// A connection that is being closed is listed until its item is deleted; one past its Limit is not listed.
func (s *Store) Connections(ctx context.Context, user heliograph.UserID) ([]Connection, Status, error) {
	if err := checkUser(user); err != nil {
		return nil, Status{}, err
	}
	now := s.clock.Now()
	status := Status{User: user}
	var open []Connection
	err := s.eachItem(ctx, user, func(i item) error {
		if sk, _ := i["sk"].(*types.AttributeValueMemberS); sk != nil && sk.Value == presenceKey {
			var p presenceItem
			err := attributevalue.UnmarshalMap(i, &p)
			status = p.status(user, now)
			return err
		}
		var c connectionItem
		err := attributevalue.UnmarshalMap(i, &c)
		open = appendOpen(open, c.decode(), now)
		return err
	})
	if err != nil {
		return nil, Status{}, err
	}
	return open, status, nil
}

// eachItem visits all items of a user, in key order.
func (s *Store) eachItem(ctx context.Context, user heliograph.UserID, visit func(item) error) error {
	query := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("#pk = :user"),
		ExpressionAttributeNames:  names("pk"),
		ExpressionAttributeValues: item{":user": text(userKey(user))},
	}
	for pages := dynamodb.NewQueryPaginator(s.db, query); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("query the items of a user: %w", err)
		}
		for _, i := range page.Items {
			if err := visit(i); err != nil {
				return fmt.Errorf("decode the items of a user: %w", err)
			}
		}
	}
	return nil
}

// appendOpen appends a connection unless its Limit has passed.
func appendOpen(open []Connection, c Connection, now time.Time) []Connection {
	if now.Before(c.Limit()) {
		return append(open, c)
	}
	return open
}
