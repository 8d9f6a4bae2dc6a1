// Package topic publishes events on the stack's topic, all in the form that its subscribers expect.
package topic

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"heliograph/message"
)

// Publisher is the part of SNS that a Topic uses.
type Publisher interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

var _ Publisher = (*sns.Client)(nil)

// Topic is an SNS topic.
type Topic struct {
	Client Publisher
	ARN    string
}

// Publish publishes {"EventName": name, "Data": data}. Subscribers can filter by the message attribute EventName, and
// by the further ones. An error of SNS is returned unchanged.
func (t Topic) Publish(ctx context.Context, name string, data any, further map[string]string) error {
	body, err := message.JSON(struct {
		EventName string
		Data      any
	}{name, data})
	if err != nil {
		return fmt.Errorf("encode the event %s: %w", name, err)
	}
	attributes := map[string]types.MessageAttributeValue{"EventName": stringAttribute(name)}
	for key, value := range further {
		attributes[key] = stringAttribute(value)
	}
	_, err = t.Client.Publish(ctx, &sns.PublishInput{TopicArn: &t.ARN, Message: &body, MessageAttributes: attributes})
	return err
}

func stringAttribute(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: new("String"), StringValue: &value}
}

// Time formats a time for events: UTC, always with three digits of milliseconds, as in the contract.
func Time(t time.Time) string { return message.Time(t) }
