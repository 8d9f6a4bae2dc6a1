package main

import (
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/presence"
)

// timeToLive is the principal that deletes expired items. Source: "Working with expired items and TTL", DynamoDB
// developer guide.
const timeToLive = "dynamodb.amazonaws.com"

func recordOf(r events.DynamoDBEventRecord) presence.Record {
	return presence.Record{
		Keys:    attributes(r.Change.Keys),
		Old:     attributes(r.Change.OldImage),
		New:     attributes(r.Change.NewImage),
		Created: r.Change.ApproximateCreationDateTime.Time,
		Expired: r.UserIdentity != nil && r.UserIdentity.PrincipalID == timeToLive,
	}
}

// attributes converts an item from Lambda's form to the SDK's; a missing item is nil. It supports the three attribute
// types that the table's items have.
func attributes(from map[string]events.DynamoDBAttributeValue) map[string]types.AttributeValue {
	if len(from) == 0 {
		return nil
	}
	to := make(map[string]types.AttributeValue, len(from))
	for name, value := range from {
		switch value.DataType() {
		case events.DataTypeString:
			to[name] = &types.AttributeValueMemberS{Value: value.String()}
		case events.DataTypeNumber:
			to[name] = &types.AttributeValueMemberN{Value: value.Number()}
		case events.DataTypeBoolean:
			to[name] = &types.AttributeValueMemberBOOL{Value: value.Boolean()}
		}
	}
	return to
}
