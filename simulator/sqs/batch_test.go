package sqs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

func TestSDKBatches(t *testing.T) {
	t.Parallel()
	client := serve(t, newServer(newClock()))
	ctx := t.Context()
	url := queue(t, client, "q", nil)
	entry := func(id, body string) types.SendMessageBatchRequestEntry {
		return types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
	}
	label := func(id, value string) types.SendMessageBatchRequestEntry {
		e := entry(id, "x")
		e.MessageAttributes = map[string]types.MessageAttributeValue{"a": {DataType: aws.String("String"), StringValue: &value}}
		return e
	}
	late := entry("late", "x")
	late.DelaySeconds = 901
	grouped, ungrouped, deduplicated := entry("a", "one"), entry("ungrouped", "x"), entry("deduplicated", "x")
	grouped.MessageGroupId, ungrouped.MessageGroupId, deduplicated.MessageDeduplicationId = aws.String("acme"), aws.String("a b"), aws.String("d")
	sent, err := client.SendMessageBatch(ctx, &awssqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		grouped, entry("bad", "\x00"), entry("worse", "\uffff"), label("labelled", "\ufffe"), entry("b", "two"), entry("empty", ""), late, ungrouped, deduplicated,
	}})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range sent.Successful {
		ids = append(ids, *e.Id)
	}
	if diff := cmp.Diff([]string{"a", "b"}, ids); diff != "" {
		t.Error(diff)
	}
	codes := func(failed []types.BatchResultErrorEntry) map[string]string {
		codes := map[string]string{}
		for _, e := range failed {
			if !e.SenderFault || aws.ToString(e.Message) == "" {
				t.Errorf("%s: fault %v, message %q", *e.Id, e.SenderFault, aws.ToString(e.Message))
			}
			codes[*e.Id] = *e.Code
		}
		return codes
	}
	if diff := cmp.Diff(map[string]string{"bad": "InvalidMessageContents", "worse": "InvalidMessageContents", "labelled": "InvalidMessageContents", "empty": "MissingParameter", "late": "InvalidParameterValue", "ungrouped": "InvalidParameterValue", "deduplicated": "InvalidParameterValue"}, codes(sent.Failed)); diff != "" {
		t.Error(diff)
	}

	received, err := client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"MessageGroupId"},
	})
	if err != nil || len(received.Messages) != 2 {
		t.Fatalf("received %v, %v", received, err)
	}
	if one, two := received.Messages[0].Attributes, received.Messages[1].Attributes; one["MessageGroupId"] != "acme" || len(two) > 0 {
		t.Errorf("attributes %v and %v, want the group of the first alone", one, two)
	}
	first, second := received.Messages[0].ReceiptHandle, received.Messages[1].ReceiptHandle
	changed, err := client.ChangeMessageVisibilityBatch(ctx, &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: first, VisibilityTimeout: 60},
		{Id: aws.String("b"), ReceiptHandle: second, VisibilityTimeout: 43201},
		{Id: aws.String("c"), ReceiptHandle: aws.String("x"), VisibilityTimeout: 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(changed.Successful) != 1 || *changed.Successful[0].Id != "a" {
		t.Errorf("changed %v", changed.Successful)
	}
	if diff := cmp.Diff(map[string]string{"b": "InvalidParameterValue", "c": "ReceiptHandleIsInvalid"}, codes(changed.Failed)); diff != "" {
		t.Error(diff)
	}
	deleted, err := client.DeleteMessageBatch(ctx, &awssqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: first}, {Id: aws.String("b"), ReceiptHandle: second}, {Id: aws.String("c"), ReceiptHandle: aws.String("x")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"c": "ReceiptHandleIsInvalid"}, codes(deleted.Failed)); diff != "" || len(deleted.Successful) != 2 {
		t.Error(diff, deleted.Successful)
	}
}

// TestSDKBatchRules proves which faults make a batch fail as a whole.
func TestSDKBatchRules(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	client := serve(t, s)
	url := queue(t, client, "q", map[string]string{"MaximumMessageSize": "1024"})
	entries := func(ids ...string) (list []types.SendMessageBatchRequestEntry) {
		for _, id := range ids {
			list = append(list, types.SendMessageBatchRequestEntry{Id: aws.String(id), MessageBody: aws.String("x")})
		}
		return list
	}
	large := entries("a", "b")
	large[0].MessageBody = aws.String(strings.Repeat("x", 200000))
	large[1].MessageBody = aws.String(strings.Repeat("x", 62145))
	if _, err := client.SendMessageBatch(t.Context(), &awssqs.SendMessageBatchInput{QueueUrl: queue(t, client, "larger", nil), Entries: large}); err != nil {
		t.Errorf("to a queue of messages of 1 MiB: %v", err)
	}
	for name, tt := range map[string]struct {
		entries []types.SendMessageBatchRequestEntry
		want    string
	}{
		"none":           {[]types.SendMessageBatchRequestEntry{}, "EmptyBatchRequest"},
		"eleven":         {entries(slices.Repeat([]string{"x"}, 11)...), "TooManyEntriesInBatchRequest"},
		"twice":          {entries("a", "b", "a"), "BatchEntryIdsNotDistinct"},
		"a bad id":       {entries("a b"), "InvalidBatchEntryId"},
		"a long id":      {entries(strings.Repeat("x", 81)), "InvalidBatchEntryId"},
		"large together": {large, "BatchRequestTooLong"},
	} {
		_, err := client.SendMessageBatch(t.Context(), &awssqs.SendMessageBatchInput{QueueUrl: url, Entries: tt.entries})
		if got := code(err); got != "AWS.SimpleQueueService."+tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if q, _ := s.Queue("q"); q.Stats().Visible != 0 {
		t.Error("a batch that failed put a message on the queue")
	}
}
