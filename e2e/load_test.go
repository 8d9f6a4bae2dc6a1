package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/coder/websocket"

	"heliograph"
	"heliograph/auth"
	"heliograph/infra/stack"
	"heliograph/loadtest"
	"heliograph/local"
)

// load drives a separate stack.
type load struct {
	endpoints local.Endpoints
	config    aws.Config
	queue     *sqs.Client
	topics    *sns.Client
	table     *dynamodb.Client
}

func newLoad(t *testing.T, endpoints local.Endpoints) load {
	t.Helper()
	cfg, err := endpoints.AWSConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return load{endpoints, cfg, sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg), dynamodb.NewFromConfig(cfg)}
}

func (l load) connect(t *testing.T, user string) *websocket.Conn {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	socket, err := l.dial(ctx, user)
	if err != nil {
		t.Errorf("connect: %v", err)
		return nil
	}
	t.Cleanup(func() { socket.CloseNow() })
	return socket
}

func (l load) dial(ctx context.Context, user string) (*websocket.Conn, error) {
	return l.dialAs(ctx, user, "load")
}

// dialAs connects with a user agent that identifies the connection in the table.
func (l load) dialAs(ctx context.Context, user, agent string) (*websocket.Conn, error) {
	token, err := auth.SignHS256([]byte(stack.PublicSecret), auth.Rules{}, heliograph.UserID(user), time.Hour, time.Now())
	if err != nil {
		return nil, err
	}
	socket, _, err := websocket.Dial(ctx, l.endpoints.WebSocketURL+"?Authorization="+token,
		&websocket.DialOptions{HTTPHeader: http.Header{"User-Agent": {agent}}})
	return socket, err
}

// status reports whether a user is online, according to the HTTP API.
func (l load) status(ctx context.Context, user string) (bool, error) {
	token, err := auth.SignHS256([]byte(stack.PublicSecret), auth.Rules{}, heliograph.UserID(user), time.Hour, time.Now())
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.endpoints.HTTPURL+"/user/online?userIds="+user, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	var statuses []status
	if err := json.NewDecoder(response.Body).Decode(&statuses); err != nil || len(statuses) != 1 {
		return false, fmt.Errorf("GET /user/online: %s, %d entries, %w", response.Status, len(statuses), err)
	}
	return statuses[0].IsOnline, nil
}

// subscribe makes a queue that receives the presence events, and returns its URL.
func (l load) subscribe(t *testing.T) string {
	t.Helper()
	queue, err := l.queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("events")})
	if err != nil {
		t.Fatal(err)
	}
	url := aws.ToString(queue.QueueUrl)
	arn := fmt.Sprintf("arn:aws:sqs:%s:%s:events", l.endpoints.Region, strings.Split(l.endpoints.EventTopicARN, ":")[4])
	_, err = l.topics.Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: aws.String(l.endpoints.EventTopicARN), Protocol: aws.String("sqs"), Endpoint: aws.String(arn),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// send queues a message that contains its time of sending.
func (l load) send(t *testing.T, user string) {
	message, _ := json.Marshal(map[string]string{"UserId": user, "Body": strconv.FormatInt(time.Now().UnixNano(), 10)})
	_, err := l.queue.SendMessage(context.Background(), &sqs.SendMessageInput{
		QueueUrl: aws.String(l.endpoints.SendQueueURL), MessageBody: aws.String(string(message)),
	})
	if err != nil {
		t.Errorf("send: %v", err)
	}
}

// sendAll puts a batch of up to ten messages on the queue.
func (l load) sendAll(ctx context.Context, bodies []string) error {
	return loadtest.Queue(l.queue, l.endpoints.SendQueueURL)(ctx, bodies)
}

// connectionOf returns the key of the item of a user's only connection.
func (l load) connectionOf(ctx context.Context, user string) (item, error) {
	out, err := dynamodb.NewFromConfig(l.config).Query(ctx, &dynamodb.QueryInput{
		TableName: &l.endpoints.TableName, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("pk = :user AND begins_with(sk, :connection)"),
		ExpressionAttributeValues: item{":user": text("user#" + user), ":connection": text("conn#")},
	})
	if err == nil && len(out.Items) != 1 {
		err = fmt.Errorf("%s has %d connections", user, len(out.Items))
	}
	if err != nil {
		return nil, err
	}
	return item{"pk": out.Items[0]["pk"], "sk": out.Items[0]["sk"]}, nil
}
