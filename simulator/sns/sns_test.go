package sns_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heliograph/simulator/sns"
	"heliograph/simulator/wire"
	"heliograph/simulator/wire/wiretest"
)

const (
	account  = "123456789012"
	topicARN = "arn:aws:sns:eu-west-1:123456789012:events"
	queueARN = "arn:aws:sqs:eu-west-1:123456789012:q"
)

// delivery is one message sent to a queue.
type delivery struct {
	Queue, Body string
	Attributes  map[string]sns.Attribute
}

// queues records deliveries; a queue whose name begins with "broken" accepts none.
type queues struct {
	mu        sync.Mutex
	delivered []delivery
}

func (q *queues) Send(ctx context.Context, queueARN, body string, attributes map[string]sns.Attribute) error {
	if strings.Contains(queueARN, ":broken") {
		return errors.New("no such queue")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.delivered = append(q.delivered, delivery{queueARN, body, attributes})
	return nil
}

// take returns the deliveries since the last call.
func (q *queues) take() []delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer func() { q.delivered = nil }()
	return q.delivered
}

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600)) }

func newServer() (*sns.Server, *queues) {
	q := &queues{}
	return sns.New(sns.Options{Region: "eu-west-1", Account: account, Queues: q, Now: now}), q
}

// serve returns the SDK's client for a server.
func serve(t *testing.T, s *sns.Server) *awssns.Client {
	t.Helper()
	return awssns.NewFromConfig(wiretest.Serve(t, s.Service(), wire.Options{}))
}

var code, wantCode = wiretest.Code, wiretest.WantCode

func mustTopic(t *testing.T, s *sns.Server) sns.TopicARN {
	t.Helper()
	arn, err := s.CreateTopic("events", nil)
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

func mustSubscribe(t *testing.T, s *sns.Server, queueARN string, attributes map[string]string) sns.SubscriptionARN {
	t.Helper()
	arn, err := s.Subscribe(topicARN, "sqs", queueARN, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

func TestSDKTopics(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	client, ctx := serve(t, s), t.Context()
	create := func(name string, attributes map[string]string) error {
		_, err := client.CreateTopic(ctx, &awssns.CreateTopicInput{Name: &name, Attributes: attributes})
		return err
	}
	wantCode(t, create("events", map[string]string{"DisplayName": "Events", "KmsMasterKeyId": "alias/k"}), "")
	wantCode(t, create("events", map[string]string{"DisplayName": "Events"}), "")
	wantCode(t, create("events", map[string]string{"DisplayName": "other"}), "InvalidParameter")
	wantCode(t, create("x.fifo", nil), "InvalidParameter")
	wantCode(t, create("a b", nil), "InvalidParameter")
	wantCode(t, create(strings.Repeat("x", 257), nil), "InvalidParameter")
	wantCode(t, create("x", map[string]string{"DeliveryPolicy": "{}"}), "InvalidParameter")
	for i := range 101 {
		wantCode(t, create(fmt.Sprintf("t%03d", i), nil), "")
	}
	var sizes []int
	for pager := awssns.NewListTopicsPaginator(client, &awssns.ListTopicsInput{}); pager.HasMorePages(); {
		list, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(list.Topics))
	}
	if diff := cmp.Diff([]int{100, 2}, sizes); diff != "" {
		t.Error(diff)
	}

	set := func(name, value string) error {
		_, err := client.SetTopicAttributes(ctx, &awssns.SetTopicAttributesInput{TopicArn: aws.String(topicARN), AttributeName: &name, AttributeValue: &value})
		return err
	}
	wantCode(t, set("Policy", `{"Version":"2012-10-17"}`), "")
	wantCode(t, set("Policy", `[]`), "InvalidParameter")
	wantCode(t, set("SignatureVersion", "3"), "InvalidParameter")
	wantCode(t, set("TracingConfig", "Active"), "")
	wantCode(t, set("KmsMasterKeyId", ""), "")
	wantCode(t, set("FifoTopic", "true"), "InvalidParameter")
	mustSubscribe(t, s, queueARN, nil)
	ended := mustSubscribe(t, s, queueARN+"2", nil)
	wantCode(t, s.Unsubscribe(ended), "")
	if _, err := s.Subscribe(topicARN, "email", "a@b", nil); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: aws.String(topicARN)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"TopicArn": topicARN, "Owner": account, "DisplayName": "Events", "Policy": `{"Version":"2012-10-17"}`, "TracingConfig": "Active",
		"SubscriptionsConfirmed": "1", "SubscriptionsPending": "1", "SubscriptionsDeleted": "1",
	}
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Error(diff)
	}
	for range 2 { // the second call does no harm
		_, err = client.DeleteTopic(ctx, &awssns.DeleteTopicInput{TopicArn: aws.String(topicARN)})
		wantCode(t, err, "")
	}
	_, err = client.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: aws.String(topicARN)})
	wantCode(t, err, "NotFound")
	if _, ok := errors.AsType[*types.NotFoundException](err); !ok {
		t.Errorf("%T is not the SDK's type", err)
	}
	wantCode(t, set("DisplayName", "x"), "NotFound")
}

// subscriber returns a function that subscribes to the tests' topic by the API.
func subscriber(t *testing.T, client *awssns.Client) func(protocol, endpoint string, returnARN bool, attributes map[string]string) (string, error) {
	return func(protocol, endpoint string, returnARN bool, attributes map[string]string) (string, error) {
		out, err := client.Subscribe(t.Context(), &awssns.SubscribeInput{
			TopicArn: aws.String(topicARN), Protocol: &protocol, Endpoint: &endpoint, ReturnSubscriptionArn: returnARN, Attributes: attributes,
		})
		if err != nil {
			return "", err
		}
		return *out.SubscriptionArn, nil
	}
}

// TestSDKSubscribe proves which endpoints and attributes are accepted, and what ARN a subscription gets.
func TestSDKSubscribe(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	client := serve(t, s)
	subscribe := subscriber(t, client)
	_, err := subscribe("sqs", queueARN, false, nil)
	wantCode(t, err, "NotFound") // no topic yet
	mustTopic(t, s)
	arn, err := subscribe("sqs", queueARN, false, map[string]string{"RawMessageDelivery": "true"})
	if !regexp.MustCompile(`^`+topicARN+`:[0-9a-f-]{36}$`).MatchString(arn) || err != nil {
		t.Fatalf("subscribed as %q, %v", arn, err)
	}
	again, err := subscribe("sqs", queueARN, false, nil)
	if again != arn || err != nil {
		t.Errorf("subscribed again as %q, %v", again, err)
	}
	for _, tt := range []struct {
		protocol, endpoint string
		attributes         map[string]string
	}{
		{"sqs", queueARN, map[string]string{"RawMessageDelivery": "false"}}, // exists with another value
		{"sqs", "q", nil},
		{"sqs", queueARN + ".fifo", nil},
		{"email", "nobody", nil},
		{"https", "http://example.com", nil},
		{"lambda", "arn:aws:lambda:eu-west-1:123456789012:function:f", nil},
		{"sqs", queueARN + "2", map[string]string{"RawMessageDelivery": "yes"}},
		{"sqs", queueARN + "2", map[string]string{"FilterPolicy": "x"}},
		{"sqs", queueARN + "2", map[string]string{"FilterPolicyScope": "Body"}},
		{"sqs", queueARN + "2", map[string]string{"RedrivePolicy": "{}"}},
	} {
		if _, err := subscribe(tt.protocol, tt.endpoint, false, tt.attributes); code(err) != "InvalidParameter" {
			t.Errorf("%s %s %v: %v", tt.protocol, tt.endpoint, tt.attributes, err)
		}
	}
	pending, err := subscribe("email", "a@example.com", false, nil)
	if pending != "pending confirmation" || err != nil {
		t.Errorf("a mail address is subscribed as %q, %v", pending, err)
	}
	pending, err = subscribe("email", "a@example.com", true, nil)
	if !strings.HasPrefix(pending, topicARN) || err != nil {
		t.Errorf("a mail address is subscribed as %q, %v", pending, err)
	}
}

// TestSDKListSubscriptions proves that both lists show a pending subscription without its ARN.
func TestSDKListSubscriptions(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	client, ctx := serve(t, s), t.Context()
	mustTopic(t, s)
	arn := string(mustSubscribe(t, s, queueARN, nil))
	if _, err := s.Subscribe(topicARN, "email", "a@example.com", nil); err != nil {
		t.Fatal(err)
	}
	want := []types.Subscription{
		{TopicArn: aws.String(topicARN), Protocol: aws.String("sqs"), Endpoint: aws.String(queueARN), Owner: aws.String(account), SubscriptionArn: &arn},
		{TopicArn: aws.String(topicARN), Protocol: aws.String("email"), Endpoint: aws.String("a@example.com"), Owner: aws.String(account), SubscriptionArn: aws.String("PendingConfirmation")},
	}
	all, err := client.ListSubscriptions(ctx, &awssns.ListSubscriptionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	byTopic, err := client.ListSubscriptionsByTopic(ctx, &awssns.ListSubscriptionsByTopicInput{TopicArn: aws.String(topicARN)})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range [][]types.Subscription{all.Subscriptions, byTopic.Subscriptions} {
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(types.Subscription{})); diff != "" {
			t.Error(diff)
		}
	}
	_, err = client.ListSubscriptionsByTopic(ctx, &awssns.ListSubscriptionsByTopicInput{TopicArn: aws.String(topicARN + "x")})
	wantCode(t, err, "NotFound")
}

// TestSDKSubscriptionAttributes proves that attributes can be changed and read, until the subscription ends.
func TestSDKSubscriptionAttributes(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	client, ctx := serve(t, s), t.Context()
	mustTopic(t, s)
	arn := string(mustSubscribe(t, s, queueARN, map[string]string{"RawMessageDelivery": "true"}))
	pending, err := subscriber(t, client)("email", "a@example.com", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name, value string) error {
		_, err := client.SetSubscriptionAttributes(ctx, &awssns.SetSubscriptionAttributesInput{SubscriptionArn: &arn, AttributeName: &name, AttributeValue: &value})
		return err
	}
	wantCode(t, set("FilterPolicy", `{"a":["b"]}`), "")
	wantCode(t, set("RawMessageDelivery", "false"), "")
	wantCode(t, set("RawMessageDelivery", ""), "InvalidParameter")
	got, err := client.GetSubscriptionAttributes(ctx, &awssns.GetSubscriptionAttributesInput{SubscriptionArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"SubscriptionArn": arn, "TopicArn": topicARN, "Owner": account, "Protocol": "sqs", "Endpoint": queueARN,
		"RawMessageDelivery": "false", "PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true",
		"FilterPolicy": `{"a":["b"]}`, "FilterPolicyScope": "MessageAttributes",
	}
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Error(diff)
	}
	unsubscribe := func(arn string) error {
		_, err := client.Unsubscribe(ctx, &awssns.UnsubscribeInput{SubscriptionArn: &arn})
		return err
	}
	wantCode(t, unsubscribe(pending), "InvalidParameter")
	wantCode(t, unsubscribe("PendingConfirmation"), "InvalidParameter")
	wantCode(t, unsubscribe(arn), "")
	wantCode(t, unsubscribe(arn), "")
	wantCode(t, set("RawMessageDelivery", "true"), "NotFound")
}
