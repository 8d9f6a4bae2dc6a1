package sqs_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// The tests in this file use the SDK's own client, which verifies the checksums of bodies itself.

// queue makes a queue by the API and returns its URL.
func queue(t *testing.T, client *awssqs.Client, name string, attributes map[string]string) *string {
	t.Helper()
	out, err := client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}

func TestSDKQueues(t *testing.T) {
	t.Parallel()
	client := serve(t, newServer(newClock()))
	ctx := t.Context()
	url := queue(t, client, "alpha", map[string]string{"VisibilityTimeout": "7"})
	if *url != "http://sqs.test/123456789012/alpha" {
		t.Errorf("URL %s", *url)
	}
	for _, name := range []string{"alpine", "beta", "gamma"} {
		queue(t, client, name, nil)
	}
	// Again with matching attributes, with none, and with one that differs.
	queue(t, client, "alpha", map[string]string{"VisibilityTimeout": "7", "DelaySeconds": "0"})
	queue(t, client, "alpha", nil)
	_, err := client.CreateQueue(ctx, &awssqs.CreateQueueInput{QueueName: aws.String("alpha"), Attributes: map[string]string{"VisibilityTimeout": "8"}})
	wantCode(t, err, "QueueAlreadyExists")
	if _, ok := errors.AsType[*types.QueueNameExists](err); !ok {
		t.Errorf("%T is not the SDK's type", err)
	}

	got, err := client.GetQueueUrl(ctx, &awssqs.GetQueueUrlInput{QueueName: aws.String("alpha"), QueueOwnerAWSAccountId: aws.String(account)})
	if err != nil || *got.QueueUrl != *url {
		t.Errorf("GetQueueUrl: %v, %v", got, err)
	}
	for name, owner := range map[string]*string{"nobody": nil, "alpha": aws.String("210987654321")} {
		_, err = client.GetQueueUrl(ctx, &awssqs.GetQueueUrlInput{QueueName: &name, QueueOwnerAWSAccountId: owner})
		wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
		if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
			t.Errorf("%T is not the SDK's type", err)
		}
	}

	var pages [][]string
	pager := awssqs.NewListQueuesPaginator(client, &awssqs.ListQueuesInput{MaxResults: aws.Int32(3)})
	for pager.HasMorePages() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page.QueueUrls)
	}
	const base = "http://sqs.test/123456789012/"
	if diff := cmp.Diff([][]string{{base + "alpha", base + "alpine", base + "beta"}, {base + "gamma"}}, pages); diff != "" {
		t.Error(diff)
	}
	list, err := client.ListQueues(ctx, &awssqs.ListQueuesInput{QueueNamePrefix: aws.String("alp")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{base + "alpha", base + "alpine"}, list.QueueUrls); diff != "" || list.NextToken != nil {
		t.Error(diff, list.NextToken)
	}

	if _, err := client.DeleteQueue(ctx, &awssqs.DeleteQueueInput{QueueUrl: url}); err != nil {
		t.Fatal(err)
	}
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
	wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
	_, err = client.CreateQueue(ctx, &awssqs.CreateQueueInput{QueueName: aws.String("alpha")})
	wantCode(t, err, "AWS.SimpleQueueService.QueueDeletedRecently")
}

func TestSDKAttributes(t *testing.T) {
	t.Parallel()
	c := newClock()
	client := serve(t, newServer(c))
	ctx := t.Context()
	queue(t, client, "dead", nil)
	deadARN := "arn:aws:sqs:eu-west-1:123456789012:dead"
	url := queue(t, client, "q", map[string]string{"RedrivePolicy": `{"maxReceiveCount":"3","deadLetterTargetArn":"` + deadARN + `"}`})
	for _, delay := range []int32{0, 0, 0, 60} {
		if _, err := client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), DelaySeconds: delay}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{QueueUrl: url}); err != nil {
		t.Fatal(err)
	}
	c.advance(2 * time.Second)
	if _, err := client.SetQueueAttributes(ctx, &awssqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"DelaySeconds": "5"}}); err != nil {
		t.Fatal(err)
	}
	get := func(names ...types.QueueAttributeName) (map[string]string, error) {
		out, err := client.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: names})
		if err != nil {
			return nil, err
		}
		return out.Attributes, nil
	}
	all, err := get(types.QueueAttributeNameAll)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1", "ApproximateNumberOfMessagesDelayed": "1",
		"CreatedTimestamp": "1767323045", "LastModifiedTimestamp": "1767323047", "QueueArn": "arn:aws:sqs:eu-west-1:123456789012:q",
		"DelaySeconds": "5", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600",
		"ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30", "SqsManagedSseEnabled": "true",
		"RedrivePolicy": `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":3}`,
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	some, err := get(types.QueueAttributeNameQueueArn, types.QueueAttributeNamePolicy)
	if diff := cmp.Diff(map[string]string{"QueueArn": want["QueueArn"]}, some); diff != "" || err != nil {
		t.Error(diff, err)
	}
	none, err := get()
	if len(none) != 0 || err != nil {
		t.Errorf("without names: %v, %v", none, err)
	}
	_, err = get("Colour")
	wantCode(t, err, "InvalidAttributeName")
	_, err = get("FifoQueue")
	wantCode(t, err, "InvalidAttributeName")
}

// TestAttributeRules proves which attributes and values a queue accepts.
func TestAttributeRules(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	mustCreate(t, s, "dead")
	mustCreate(t, s, "closed", "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
	mustCreate(t, s, "choosy", "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:eu-west-1:123456789012:chosen"]}`)
	chain := mustCreate(t, s, "chain", redrive(mustCreate(t, s, "end"), "1")...)
	policy := func(target, count string) string {
		return `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:` + target + `","maxReceiveCount":` + count + `}`
	}
	const invalidName, invalidValue, invalidParameter = "InvalidAttributeName", "InvalidAttributeValue", "InvalidParameterValueException"
	for _, tt := range []struct{ name, value, want string }{
		{"DelaySeconds", "0", ""},
		{"DelaySeconds", "900", ""},
		{"DelaySeconds", "901", invalidValue},
		{"DelaySeconds", "-1", invalidValue},
		{"DelaySeconds", "x", invalidValue},
		{"DelaySeconds", "", invalidValue},
		{"MaximumMessageSize", "1024", ""},
		{"MaximumMessageSize", "1023", invalidValue},
		{"MaximumMessageSize", "1048576", ""},
		{"MaximumMessageSize", "1048577", invalidValue},
		{"MessageRetentionPeriod", "59", invalidValue},
		{"MessageRetentionPeriod", "1209600", ""},
		{"MessageRetentionPeriod", "1209601", invalidValue},
		{"ReceiveMessageWaitTimeSeconds", "20", ""},
		{"ReceiveMessageWaitTimeSeconds", "21", invalidValue},
		{"VisibilityTimeout", "43200", ""},
		{"VisibilityTimeout", "43201", invalidValue},
		{"Policy", `{"Version":"2012-10-17"}`, ""},
		{"Policy", `{`, invalidValue},
		{"Policy", `null`, invalidValue},
		{"Policy", ``, ""},
		{"KmsMasterKeyId", "alias/aws/sqs", ""},
		{"KmsDataKeyReusePeriodSeconds", "60", ""},
		{"KmsDataKeyReusePeriodSeconds", "59", invalidValue},
		{"SqsManagedSseEnabled", "false", ""},
		{"SqsManagedSseEnabled", "no", invalidValue},
		{"RedrivePolicy", policy("dead", "1"), ""},
		{"RedrivePolicy", policy("dead", `"1000"`), ""},
		{"RedrivePolicy", policy("dead", "1001"), invalidParameter},
		{"RedrivePolicy", policy("dead", "0"), invalidParameter},
		{"RedrivePolicy", policy("dead", "1.5"), invalidParameter},
		{"RedrivePolicy", policy("nobody", "1"), invalidParameter},
		{"RedrivePolicy", policy("closed", "1"), invalidParameter},
		{"RedrivePolicy", policy("choosy", "1"), invalidParameter},
		{"RedrivePolicy", policy("itself", "1"), invalidParameter},
		{"RedrivePolicy", `{"maxReceiveCount":1}`, invalidParameter},
		{"RedrivePolicy", `[]`, invalidValue},
		{"RedrivePolicy", ``, ""},
		{"RedriveAllowPolicy", `{"redrivePermission":"allowAll"}`, ""},
		{"RedriveAllowPolicy", `{"redrivePermission":"allowAll","sourceQueueArns":["x"]}`, invalidParameter},
		{"RedriveAllowPolicy", `{"redrivePermission":"byQueue"}`, invalidParameter},
		{"RedriveAllowPolicy", `{"redrivePermission":"maybe"}`, invalidValue},
		{"RedriveAllowPolicy", `x`, invalidValue},
		{"RedriveAllowPolicy", ``, ""},
		{"FifoQueue", "false", invalidName},
		{"QueueArn", "x", invalidName},
		{"delaySeconds", "1", invalidName},
	} {
		q := mustCreate(t, s, "itself")
		if err := q.SetAttributes(map[string]string{tt.name: tt.value}); code(err) != tt.want {
			t.Errorf("%s = %s: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
	mustCreate(t, s, "chosen", "RedrivePolicy", policy("choosy", "1"))
	end, err := s.Queue("end")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end.SetAttributes(map[string]string{"RedrivePolicy": policy("chain", "1")}), invalidParameter) // a circle
	wantCode(t, chain.SetAttributes(map[string]string{"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}), invalidParameter)
	if got := mustCreate(t, s, "encrypted", "KmsMasterKeyId", "k").Attributes()["SqsManagedSseEnabled"]; got != "false" {
		t.Errorf("two kinds of encryption: SqsManagedSseEnabled is %s", got)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := newServer(newClock())
	for name, want := range map[string]string{
		"Az09-_": "", strings.Repeat("x", 80): "", strings.Repeat("x", 81): "InvalidParameterValueException",
		"": "InvalidParameterValueException", "a b": "InvalidParameterValueException", "a.b": "InvalidParameterValueException",
		"ä": "InvalidParameterValueException", "q.fifo": "InvalidParameterValueException",
	} {
		_, err := s.Create(name, nil)
		if code(err) != want {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}

// TestSDKParameters proves the valid ranges of parameters.
func TestSDKParameters(t *testing.T) {
	t.Parallel()
	client := serve(t, newServer(newClock()))
	ctx := t.Context()
	url := queue(t, client, "q", nil)
	receive := func(change func(*awssqs.ReceiveMessageInput)) error {
		in := &awssqs.ReceiveMessageInput{QueueUrl: url}
		change(in)
		_, err := client.ReceiveMessage(ctx, in)
		return err
	}
	const invalid = "InvalidParameterValue"
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 10 }), "")
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.MaxNumberOfMessages = 11 }), invalid)
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.MaxNumberOfMessages = -1 }), invalid)
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.WaitTimeSeconds = 21 }), invalid)
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.VisibilityTimeout = 43201 }), invalid)
	wantCode(t, receive(func(in *awssqs.ReceiveMessageInput) { in.ReceiveRequestAttemptId = aws.String("x") }), invalid)
	_, err := client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), DelaySeconds: 901})
	wantCode(t, err, invalid)
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("")})
	wantCode(t, err, "MissingParameter")
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), MessageDeduplicationId: aws.String("d")})
	wantCode(t, err, invalid)
	for _, bad := range []string{"http://sqs.test/q", "http://sqs.test/210987654321/q", "q", "::", "http://sqs.test/123456789012/"} {
		_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: &bad, MessageBody: aws.String("x")})
		wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
	}
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: aws.String("https://elsewhere:1/123456789012/q"), MessageBody: aws.String("x")})
	wantCode(t, err, "")
	_, err = client.SendMessage(ctx, &awssqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String("x"),
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{"Other": {DataType: aws.String("String"), StringValue: aws.String("x")}},
	})
	wantCode(t, err, invalid)
	_, err = client.DeleteMessage(ctx, &awssqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("x")})
	wantCode(t, err, "ReceiptHandleIsInvalid")
	_, err = client.DeleteMessage(ctx, &awssqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("")})
	wantCode(t, err, "MissingParameter")
	_, err = client.PurgeQueue(ctx, &awssqs.PurgeQueueInput{QueueUrl: url})
	wantCode(t, err, "")
	_, err = client.PurgeQueue(ctx, &awssqs.PurgeQueueInput{QueueUrl: url})
	wantCode(t, err, "AWS.SimpleQueueService.PurgeQueueInProgress")
}

// waitingClock is the system clock, and signals when a receiver begins to wait. Its alarm never rings.
type waitingClock chan struct{}

func (waitingClock) Now() time.Time { return time.Now() }

func (c waitingClock) After(time.Duration) (<-chan time.Time, func()) {
	c <- struct{}{}
	return nil, func() {}
}

// TestSDKLongPoll proves over the network that a waiting receive ends with the message that arrives.
func TestSDKLongPoll(t *testing.T) {
	t.Parallel()
	waits := make(waitingClock)
	s := newServer(waits)
	client := serve(t, s)
	url := queue(t, client, "q", map[string]string{"ReceiveMessageWaitTimeSeconds": "20"})
	q, err := s.Queue("q")
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		out *awssqs.ReceiveMessageOutput
		err error
	}
	done := make(chan result)
	go func() {
		out, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: url})
		done <- result{out, err}
	}()
	<-waits
	mustSend(t, q, "hello")
	got := <-done
	if got.err != nil || len(got.out.Messages) != 1 || *got.out.Messages[0].Body != "hello" {
		t.Errorf("received %+v, %v", got.out, got.err)
	}
}
