package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/coder/websocket"

	"heliograph"
	"heliograph/auth"
	"heliograph/local"
)

// patience bounds every wait for something that must happen. A test that passes never waits that long.
const patience = 20 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// reached is a running stack and the clients for its AWS APIs. Most tests share one; those that break things have
// their own.
type reached struct {
	local.Endpoints
	config aws.Config
}

func shared() reached { return reached{target, awsConfig} }

var users atomic.Int64

// newUser returns a user id that no other test or run uses.
func newUser() string {
	return fmt.Sprintf("e2e-%d-%d", time.Now().UnixNano(), users.Add(1))
}

// secret is the stack's own secret, which signs the tests' tokens.
var secret = sync.OnceValues(func() ([]byte, error) {
	out, err := ssm.NewFromConfig(awsConfig).GetParameter(context.Background(), &ssm.GetParameterInput{
		Name: aws.String(target.ParameterPrefix + "/JwtSecret"), WithDecryption: aws.Bool(true),
	})
	if err != nil {
		return nil, err
	}
	return []byte(aws.ToString(out.Parameter.Value)), nil
})

// tokenFor makes a valid token for a user.
func tokenFor(t *testing.T, user string) string {
	t.Helper()
	key, err := secret()
	if err != nil {
		t.Fatalf("read the secret: %v", err)
	}
	token, err := auth.SignHS256(key, auth.RulesOf(target.Outputs), heliograph.UserID(user), time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// device is one open connection of a user.
type device struct{ *websocket.Conn }

// dial connects as the seed's clients do, with the token in the query.
func dial(ctx context.Context, token string) (*websocket.Conn, *http.Response, error) {
	return shared().dial(ctx, token)
}

func (r reached) dial(ctx context.Context, token string) (*websocket.Conn, *http.Response, error) {
	socket, response, err := websocket.Dial(ctx, r.WebSocketURL+"?Authorization="+url.QueryEscape(token), nil)
	if err == nil {
		socket.SetReadLimit(1 << 20)
	}
	return socket, response, err
}

// connect opens a connection for a user; it is closed when the test ends.
func connect(t *testing.T, user string) device {
	t.Helper()
	return connectWith(t, tokenFor(t, user))
}

func connectWith(t *testing.T, token string) device {
	t.Helper()
	return shared().connectWith(t, token)
}

func (r reached) connectWith(t *testing.T, token string) device {
	t.Helper()
	socket, response, err := r.dial(within(t), token)
	if err != nil {
		t.Fatalf("connect: %v (%v)", err, response)
	}
	t.Cleanup(func() { socket.CloseNow() })
	return device{socket}
}

// next returns the next message.
func (d device) next(t *testing.T) string {
	t.Helper()
	kind, data, err := d.Read(within(t))
	if err != nil {
		t.Fatalf("wait for a message: %v", err)
	}
	if kind != websocket.MessageText {
		t.Fatalf("a %v message arrived, want text", kind)
	}
	return string(data)
}

func (d device) hangUp(t *testing.T) {
	t.Helper()
	if err := d.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// send puts {"UserId","Body"} on the queue.
func send(t *testing.T, user, body string) {
	t.Helper()
	shared().send(t, user, body, nil)
}

// send puts a message on the queue, with message attributes.
func (r reached) send(t *testing.T, user, body string, attributes map[string]sqstypes.MessageAttributeValue) (queued string) {
	t.Helper()
	message, err := json.Marshal(map[string]string{"UserId": user, "Body": body})
	if err != nil {
		t.Fatal(err)
	}
	r.sendRaw(t, string(message), attributes)
	return string(message)
}

func sendRaw(t *testing.T, message string) {
	t.Helper()
	shared().sendRaw(t, message, nil)
}

func (r reached) sendRaw(t *testing.T, message string, attributes map[string]sqstypes.MessageAttributeValue) {
	t.Helper()
	_, err := sqs.NewFromConfig(r.config).SendMessage(within(t), &sqs.SendMessageInput{
		QueueUrl: aws.String(r.SendQueueURL), MessageBody: aws.String(message), MessageAttributes: attributes,
	})
	if err != nil {
		t.Fatalf("put a message on the queue: %v", err)
	}
}

// answer is a response of the HTTP API.
type answer struct {
	status int
	header http.Header
	body   string
}

// get calls the HTTP API; authorization is the whole header, omitted if empty.
func get(t *testing.T, path, authorization string) answer {
	t.Helper()
	return getAt(t, target.HTTPURL+path, authorization)
}

// getAt calls the HTTP API of any stack.
func getAt(t *testing.T, address, authorization string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// status is one entry of GET /user/online.
type status struct {
	UserID       string     `json:"UserId"`
	IsOnline     bool       `json:"IsOnline"`
	LastActivity *time.Time `json:"LastActivity"`
}

// statuses requests the status of some users.
func statuses(t *testing.T, users ...string) []status {
	t.Helper()
	a := get(t, "/user/online?userIds="+strings.Join(users, ","), "Bearer "+tokenFor(t, users[0]))
	if a.status != http.StatusOK {
		t.Fatalf("GET /user/online?userIds=…: %d %s", a.status, a.body)
	}
	var all []status
	if err := json.Unmarshal([]byte(a.body), &all); err != nil {
		t.Fatalf("read %s: %v", a.body, err)
	}
	return all
}

// waitForConnections waits until the table has n connections of a user. A closed socket is gone at once for its
// client, but for the stack only after its $disconnect.
func waitForConnections(t *testing.T, user string, n int) {
	t.Helper()
	shared().waitForConnections(t, user, n)
}

// waitForConnections returns the ids of the connections.
func (r reached) waitForConnections(t *testing.T, user string, n int) (ids []string) {
	t.Helper()
	client := dynamodb.NewFromConfig(r.config)
	eventually(t, fmt.Sprintf("%s has %d connections", user, n), func(ctx context.Context) (bool, error) {
		out, err := client.Query(ctx, &dynamodb.QueryInput{
			TableName: aws.String(r.TableName), ConsistentRead: aws.Bool(true),
			KeyConditionExpression: aws.String("pk = :user AND begins_with(sk, :connection)"),
			ExpressionAttributeValues: map[string]dynamodbtypes.AttributeValue{
				":user":       &dynamodbtypes.AttributeValueMemberS{Value: "user#" + user},
				":connection": &dynamodbtypes.AttributeValueMemberS{Value: "conn#"},
			},
		})
		if err != nil || int(out.Count) != n {
			return false, err
		}
		for _, item := range out.Items {
			ids = append(ids, strings.TrimPrefix(item["sk"].(*dynamodbtypes.AttributeValueMemberS).Value, "conn#"))
		}
		return true, nil
	})
	return ids
}

// eventually retries until a condition holds.
func eventually(t *testing.T, what string, holds func(context.Context) (bool, error)) {
	t.Helper()
	ctx := within(t)
	for {
		ok, err := holds(ctx)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
