package simulator_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/dynamodb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/simulator"
	"heliograph/simulator/cloud"
	"heliograph/simulator/provider"
)

// orders is a program that has nothing to do with Heliograph.
func orders(ctx *pulumi.Context) error {
	queue, err := sqs.NewQueue(ctx, "inbox", &sqs.QueueArgs{Name: pulumi.String("inbox")})
	if err != nil {
		return err
	}
	topic, err := sns.NewTopic(ctx, "news", &sns.TopicArgs{Name: pulumi.String("news")})
	if err != nil {
		return err
	}
	if _, err := sns.NewTopicSubscription(ctx, "news-to-inbox", &sns.TopicSubscriptionArgs{
		Topic: topic.Arn, Protocol: pulumi.String("sqs"), Endpoint: queue.Arn, RawMessageDelivery: pulumi.Bool(true),
	}); err != nil {
		return err
	}
	_, err = dynamodb.NewTable(ctx, "orders", &dynamodb.TableArgs{
		Name: pulumi.String("orders"), BillingMode: pulumi.String("PAY_PER_REQUEST"), HashKey: pulumi.String("id"),
		Attributes: dynamodb.TableAttributeArray{dynamodb.TableAttributeArgs{Name: pulumi.String("id"), Type: pulumi.String("S")}},
	})
	return err
}

// TestAnotherProgram proves that the simulator runs any Pulumi program of the resources that it knows: what this one
// declares is used by the AWS SDK alone.
func TestAnotherProgram(t *testing.T) {
	t.Parallel()
	c, err := simulator.Start(cloud.Options{FunctionsDir: t.TempDir()}, provider.Stack{Project: "shop", Name: "test"}, orders)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cfg := aws.Config{
		Region: c.Region, BaseEndpoint: aws.String(c.EndpointURL()),
		Credentials: credentials.NewStaticCredentialsProvider("anybody", "secret", ""),
	}
	keepOrder(t, awsdynamodb.NewFromConfig(cfg))
	topics := awssns.NewFromConfig(cfg)
	if _, err := topics.Publish(t.Context(), &awssns.PublishInput{
		TopicArn: aws.String("arn:aws:sns:us-east-1:000000000000:news"), Message: aws.String("sold"),
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := receive(t.Context(), awssqs.NewFromConfig(cfg), "inbox"); err != nil || got != "sold" {
		t.Errorf("the queue received %q, %v; want what the topic was told", got, err)
	}
}

// keepOrder puts an item into the program's table and reads it back.
func keepOrder(t *testing.T, tables *awsdynamodb.Client) {
	t.Helper()
	order := map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: "7"}, "total": &types.AttributeValueMemberN{Value: "42"},
	}
	if _, err := tables.PutItem(t.Context(), &awsdynamodb.PutItemInput{TableName: aws.String("orders"), Item: order}); err != nil {
		t.Fatal(err)
	}
	read, err := tables.GetItem(t.Context(), &awsdynamodb.GetItemInput{
		TableName: aws.String("orders"), Key: map[string]types.AttributeValue{"id": order["id"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	total, _ := read.Item["total"].(*types.AttributeValueMemberN)
	if diff := cmp.Diff("42", total.Value); diff != "" {
		t.Error(diff)
	}
}

func receive(ctx context.Context, queues *awssqs.Client, name string) (string, error) {
	queue, err := queues.GetQueueUrl(ctx, &awssqs.GetQueueUrlInput{QueueName: aws.String(name)})
	if err != nil {
		return "", err
	}
	out, err := queues.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 5})
	if err != nil || len(out.Messages) == 0 {
		return "", err
	}
	return aws.ToString(out.Messages[0].Body), nil
}
