package presence

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
)

// transition is a change of presence that is to be announced.
type transition struct {
	user   heliograph.UserID
	online bool
	epoch  int64
	at     int64 // epoch milliseconds; for a change to offline the table has it
}

// event is the last announcement, as recorded in the presence item.
func (i presenceItem) event(user heliograph.UserID) Event {
	return Event{User: user, Online: i.Announced, Version: i.AnnouncedEpoch, At: fromMillis(i.AnnouncedAt)}
}

// notAnnouncedError: the table's state does not allow the transition to be announced.
type notAnnouncedError struct{ found presenceItem }

func (e *notAnnouncedError) Error() string {
	return fmt.Sprintf("epoch %d and announced epoch %d do not allow it", e.found.Epoch, e.found.AnnouncedEpoch)
}

// The conditions of a transition. Both require that the previous announcement has been published, so that no event is
// lost between two others, and that versions rise, whatever is repeated.
const (
	published = " AND attribute_not_exists(#unpublished)"
	// toOnline: announced is not set for a user who was never announced.
	toOnline = "attribute_exists(#epoch) AND (attribute_not_exists(#announced) OR #announced = :false) " +
		"AND (attribute_not_exists(#announcedEpoch) OR #announcedEpoch < :epoch)" + published
	// toOffline: the user has not been back, since coming back raises the epoch.
	toOffline = "#epoch = :epoch AND #announced = :true" + published
)

// setAnnounced decides, once and for all, to announce a transition. It returns the presence item as of that write, for
// publishing and for marking as published. If the conditions fail, it returns a *notAnnouncedError.
func (s *Store) setAnnounced(ctx context.Context, t transition) (presenceItem, error) {
	update := &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: presenceItemKey(t.user),
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ExpressionAttributeNames:            names("epoch", "announced", "announcedEpoch", "announcedAt", "unpublished"),
		ExpressionAttributeValues:           item{":true": flag(true), ":epoch": number(t.epoch)},
	}
	if t.online {
		update.UpdateExpression = aws.String("SET #announced = :true, #announcedEpoch = :epoch, #announcedAt = :at, #unpublished = :true")
		update.ConditionExpression = aws.String(toOnline)
		update.ExpressionAttributeValues[":at"] = number(t.at)
	} else {
		update.UpdateExpression = aws.String("SET #announced = :false, #announcedEpoch = :epoch, #announcedAt = #offlineSince, #unpublished = :true")
		update.ConditionExpression = aws.String(toOffline)
		update.ExpressionAttributeNames["#offlineSince"] = "offlineSince"
	}
	update.ExpressionAttributeValues[":false"] = flag(false)
	out, err := s.db.UpdateItem(ctx, update)
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return presenceItem{}, refusal(failed.Item)
	}
	if err != nil {
		return presenceItem{}, fmt.Errorf("set announced: %w", err)
	}
	return decodePresence(out.Attributes)
}

// refusal is the error of a transition whose conditions failed on an item, which may not exist.
func refusal(i item) error {
	found, err := decodePresence(i)
	if err != nil {
		return err
	}
	return &notAnnouncedError{found}
}

// markPublished notes that an announced transition has been published. If another one was announced since, a concurrent
// function had published this one before, and there is nothing to note.
func (s *Store) markPublished(ctx context.Context, e Event) error {
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: presenceItemKey(e.User),
		UpdateExpression:          aws.String("REMOVE #unpublished"),
		ConditionExpression:       aws.String("#announcedEpoch = :epoch"),
		ExpressionAttributeNames:  names("unpublished", "announcedEpoch"),
		ExpressionAttributeValues: item{":epoch": number(e.Version)},
	})
	if _, failed := errors.AsType[*types.ConditionalCheckFailedException](err); failed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mark as published: %w", err)
	}
	return nil
}

func decodePresence(i item) (presenceItem, error) {
	var p presenceItem
	if err := attributevalue.UnmarshalMap(i, &p); err != nil {
		return presenceItem{}, &UnreadableError{fmt.Errorf("decode presence: %w", err)}
	}
	return p, nil
}
