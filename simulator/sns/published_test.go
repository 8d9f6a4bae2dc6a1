package sns_test

import (
	"testing"

	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"heliograph/simulator/wire/wiretest"
)

func TestHoldsAgainstPublishedModel(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	topic := map[string]any{"TopicArn": "arn:aws:sns:eu-west-1:1:aaa"}
	wiretest.HoldAgainstModel(t, s.Service(), wiretest.Published{
		Folder: "sns/2010-03-31", Client: &awssns.Client{}, Samples: map[string]map[string]any{
			"PublishInput": topic, "SubscribeInput": topic, "DeleteTopicInput": topic, "ListSubscriptionsByTopicInput": topic,
			"GetTopicAttributesInput": topic, "SetTopicAttributesInput": topic, "PublishBatchInput": topic,
		},
	})
}
