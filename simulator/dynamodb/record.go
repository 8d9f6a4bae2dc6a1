package dynamodb

import (
	"encoding/json"

	"heliograph/simulator/dynamodb/attribute"
)

// lambdaRecord is a record in the form that a Lambda function receives.
// Source: "Using AWS Lambda with DynamoDB", example event, Lambda developer guide.
type lambdaRecord struct {
	EventID        string          `json:"eventID"`
	EventName      string          `json:"eventName"`
	EventVersion   string          `json:"eventVersion"`
	EventSource    string          `json:"eventSource"`
	AWSRegion      string          `json:"awsRegion"`
	DynamoDB       lambdaChange    `json:"dynamodb"`
	UserIdentity   *lambdaIdentity `json:"userIdentity,omitempty"`
	EventSourceARN string          `json:"eventSourceARN"`
}

// lambdaChange is the member dynamodb of a record.
type lambdaChange struct {
	// ApproximateCreationDateTime is in whole Unix seconds, as in Lambda's events.
	ApproximateCreationDateTime int64
	Keys                        attribute.Item
	NewImage                    attribute.Item `json:",omitempty"`
	OldImage                    attribute.Item `json:",omitempty"`
	SequenceNumber              Sequence
	SizeBytes                   int
	StreamViewType              string
}

type lambdaIdentity struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
}

// MarshalJSON writes the record as it appears in a Lambda event.
func (r Record) MarshalJSON() ([]byte, error) {
	out := lambdaRecord{
		EventID: r.EventID, EventName: r.EventName, EventVersion: "1.1", EventSource: "aws:dynamodb",
		AWSRegion: r.stream.table.options.Region, EventSourceARN: r.stream.ARN(),
		DynamoDB: lambdaChange{
			ApproximateCreationDateTime: r.Created.Unix(), Keys: r.Keys, NewImage: r.NewImage, OldImage: r.OldImage,
			SequenceNumber: r.Sequence, SizeBytes: r.SizeBytes(), StreamViewType: r.stream.ViewType(),
		},
	}
	if r.UserIdentity != (Identity{}) {
		out.UserIdentity = &lambdaIdentity{r.UserIdentity.Type, r.UserIdentity.PrincipalID}
	}
	return json.Marshal(out)
}

// SizeBytes returns the size of the record's keys and images, by the rules for items.
func (r Record) SizeBytes() int {
	return attribute.ItemSize(r.Keys) + attribute.ItemSize(r.OldImage) + attribute.ItemSize(r.NewImage)
}
