package loadtest

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Queue returns a Plan.Send that puts up to ten messages on a queue by one request. A message that SQS refuses is an
// error.
func Queue(client *sqs.Client, url string) func(context.Context, []string) error {
	return func(ctx context.Context, bodies []string) error {
		entries := make([]types.SendMessageBatchRequestEntry, len(bodies))
		for i := range bodies {
			id := strconv.Itoa(i)
			entries[i] = types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &bodies[i]}
		}
		out, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
		if err == nil && len(out.Failed) > 0 {
			err = fmt.Errorf("%d of a batch were refused", len(out.Failed))
		}
		return err
	}
}
