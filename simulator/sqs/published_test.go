package sqs_test

import (
	"testing"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/simulator/wire/wiretest"
)

func TestHoldsAgainstPublishedModel(t *testing.T) {
	t.Parallel()
	samples := map[string]map[string]any{}
	for _, shape := range []string{
		"ChangeMessageVisibilityBatchRequest", "ChangeMessageVisibilityRequest", "DeleteMessageBatchRequest", "DeleteMessageRequest",
		"DeleteQueueRequest", "GetQueueAttributesRequest", "PurgeQueueRequest", "ReceiveMessageRequest", "SendMessageBatchRequest",
		"SendMessageRequest", "SetQueueAttributesRequest",
	} {
		samples[shape] = map[string]any{"QueueUrl": "http://sqs.test/123456789012/aaa"}
	}
	wiretest.HoldAgainstModel(t, newServer(nil).Service(), wiretest.Published{
		Folder: "sqs/2012-11-05", Client: &awssqs.Client{}, Own: map[string]string{
			"QueueAttributeName":                 "the service answers InvalidAttributeName, and knows newer names",
			"MessageSystemAttributeNameForSends": "the service's own error names the attribute",
		}, Samples: samples,
	})
}
