package delivery

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/presence"
	"heliograph/simulator/dynamodb"
	"heliograph/simulator/sqs"
	"heliograph/simulator/wire"
)

// street is a harness with the real presence over a simulated table, and with simulated queues: it checks the
// assumptions behind the fakes of the other tests. Its clock is the bubble's.
type street struct {
	*harness
	sqs   *awssqs.Client
	store *presence.Store
}

// inProcess carries requests to a handler without a network in between.
type inProcess struct{ handler http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func newStreet(b *harness) *street {
	b.Helper()
	database := dynamodb.New(dynamodb.Options{Region: "eu-west-1", Account: "123456789012"})
	_, err := database.CreateTable(dynamodb.Definition{
		Name: "presence", HashKey: "pk", RangeKey: "sk", BillingMode: "PAY_PER_REQUEST",
		Attributes: []dynamodb.Attribute{{Name: "pk", Type: "S"}, {Name: "sk", Type: "S"}, {Name: "gpk", Type: "S"}, {Name: "gsk", Type: "S"}},
		Indexes:    []dynamodb.Index{{Name: presence.Index, HashKey: "gpk", RangeKey: "gsk", Projection: "KEYS_ONLY"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	queues := sqs.New(sqs.Options{Region: "eu-west-1", Account: "123456789012", Endpoint: "http://aws.test"})
	b.Cleanup(queues.Close)
	largest := strconv.Itoa(heliograph.MaxQueued)
	dead := create(b, queues, "dead-letters", map[string]string{"MaximumMessageSize": largest})
	send := create(b, queues, "send", map[string]string{
		"MaximumMessageSize": largest,
		"VisibilityTimeout":  "180", "RedrivePolicy": `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":10}`,
	})
	endpoint := wire.NewEndpoint(wire.Options{})
	endpoint.Register(database.Service())
	endpoint.Register(queues.Service())

	cfg := b.gateway.config()
	cfg.HTTPClient, cfg.BaseEndpoint = inProcess{endpoint}, aws.String("http://aws.test")
	db := awsdynamodb.NewFromConfig(cfg)
	s := &street{harness: b, sqs: awssqs.NewFromConfig(cfg), store: presence.NewStore(db, "presence", nil)}
	b.config.Presence, b.config.Queue, b.config.Claims = s.store, s.sqs, NewClaims(db, "presence", 10*time.Minute)
	b.config.QueueURL, b.config.DeadLetterQueueURL = send.URL(), dead.URL()
	return s
}

func create(b *harness, queues *sqs.Server, name string, attributes map[string]string) *sqs.Queue {
	b.Helper()
	q, err := queues.Create(name, attributes)
	if err != nil {
		b.Fatal(err)
	}
	return q
}

func (s *street) connect(user heliograph.UserID, id heliograph.ConnectionID) {
	s.Helper()
	if err := s.store.Connect(s.Context(), presence.Connection{User: user, ID: id, ConnectedAt: time.Now()}); err != nil {
		s.Fatal(err)
	}
}

func (s *street) produce(body string, attributes map[string]types.MessageAttributeValue) {
	s.Helper()
	in := &awssqs.SendMessageInput{QueueUrl: &s.config.QueueURL, MessageBody: &body, MessageAttributes: attributes}
	if _, err := s.sqs.SendMessage(s.Context(), in); err != nil {
		s.Fatal(err)
	}
}

// receive polls a queue once, for at most 20 seconds.
func (s *street) receive(url string) []types.Message {
	s.Helper()
	out, err := s.sqs.ReceiveMessage(s.Context(), &awssqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		s.Fatal(err)
	}
	return out.Messages
}

// work acts as Lambda's event source for some time: it polls, invokes, and deletes the messages that did not come
// back.
func (s *street) work(d time.Duration) {
	s.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		messages := s.receive(s.config.QueueURL)
		var records []Record
		for _, m := range messages {
			ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
			if err != nil {
				s.Fatal(err)
			}
			records = append(records, Record{
				ID: *m.MessageId, Body: *m.Body, SentAt: time.UnixMilli(ms), Attributes: m.MessageAttributes,
				Group: m.Attributes["MessageGroupId"], TraceHeader: m.Attributes["AWSTraceHeader"],
			})
		}
		back := s.deliver(s.Context(), records...)
		for _, m := range messages {
			if slices.Contains(back, *m.MessageId) {
				continue
			}
			if _, err := s.sqs.DeleteMessage(s.Context(), &awssqs.DeleteMessageInput{QueueUrl: &s.config.QueueURL, ReceiptHandle: m.ReceiptHandle}); err != nil {
				s.Fatal(err)
			}
		}
	}
}

// deadLetters maps the body of each dead letter to its reason.
func (s *street) deadLetters() map[string]string {
	s.Helper()
	all := map[string]string{}
	for _, m := range s.receive(s.config.DeadLetterQueueURL) {
		all[*m.Body] = aws.ToString(m.MessageAttributes["RejectReason"].StringValue)
	}
	return all
}

// TestWholeWay proves, against the simulated queue and table, that a message reaches the working device once, is
// tried three times on the failing one, over more than the 35 s for which the 410 of a young connection is not
// trusted, and that SQS accepts its follow-ups.
func TestWholeWay(t *testing.T) {
	bubble(t, func(b *harness) {
		s := newStreet(b)
		s.connect("1234", "works=")
		s.connect("1234", "broken=")
		s.connect("1234", "ghost=")
		b.gateway.answers["broken="] = []answer{{status: 403}}
		b.gateway.answers["ghost="] = []answer{gone}
		start := time.Now()
		s.produce(`{"UserId":"1234","Body":"hello"}`, map[string]types.MessageAttributeValue{"tag": foreign("x")})
		s.work(2 * time.Minute)

		posts := map[string][]string{
			"works=": {"hello"}, "broken=": {"hello", "hello", "hello"}, "ghost=": {"hello", "hello", "hello"},
		}
		if diff := cmp.Diff(posts, b.gateway.received()); diff != "" {
			b.Errorf("posts (-want +got):\n%s", diff)
		}
		dead := map[string]string{
			`{"UserId":"1234","Body":"hello"}`: "undelivered: 1 connection owed after 3 attempts, the last one: 403",
		}
		if diff := cmp.Diff(dead, s.deadLetters()); diff != "" {
			b.Errorf("dead letters (-want +got):\n%s", diff)
		}
		open, _, err := s.store.Connections(s.Context(), "1234")
		if err != nil || len(open) != 2 {
			b.Errorf("open connections %v (%v), want all but the ghost, after %v", open, err, time.Since(start))
		}
	})
}

// TestWholeWayWithId proves, against the simulated queue and table, that follow-ups get past the claims of earlier
// attempts, that a resend does not, and that a redriven dead letter does.
func TestWholeWayWithId(t *testing.T) {
	bubble(t, func(b *harness) {
		s := newStreet(b)
		s.connect("1234", "works=")
		s.connect("1234", "broken=")
		s.connect("5678", "slow=")
		b.gateway.answers["broken="] = []answer{{status: 403}}
		b.gateway.answers["slow="] = []answer{{status: 403}, ok}
		const body = `{"UserIds":["1234","5678"],"Body":"hello","Id":"1"}`
		s.produce(body, nil)
		s.produce(body, nil)
		s.work(4 * time.Minute)
		b.checkPosts("sent twice", map[string]int{"works=": 1, "broken=": 3, "slow=": 2})

		b.gateway.answers["broken="] = []answer{ok}
		dead := s.receive(s.config.DeadLetterQueueURL)
		if len(dead) != 1 {
			b.Fatalf("%d dead letters, want one", len(dead))
		}
		s.produce(body, nil)
		s.produce(*dead[0].Body, dead[0].MessageAttributes)
		s.work(time.Minute)
		b.checkPosts("sent again and put back", map[string]int{"broken=": 1})
	})
}

// TestReconnect proves that a user who changes connections while a message is under way gets it on the new one.
func TestReconnect(t *testing.T) {
	bubble(t, func(b *harness) {
		s := newStreet(b)
		s.connect("1234", "old")
		s.connect("5678", "other")
		time.Sleep(time.Minute)
		b.gateway.answers["old"] = []answer{gone}
		s.produce(`{"UserId":"1234","Body":"hello"}`, nil)
		time.AfterFunc(3*time.Second, func() { s.connect("1234", "new") })
		s.work(time.Minute)
		if diff := cmp.Diff(map[string][]string{"old": {"hello"}, "new": {"hello"}}, b.gateway.received()); diff != "" {
			b.Errorf("posts (-want +got):\n%s", diff)
		}
		if latency := b.metrics()["DeliveryLatency"]; !cmp.Equal(latency, []float64{5000}) {
			b.Errorf("latency %v, want it from the first sending", latency)
		}
	})
}

// TestLargestMessages proves that the largest messages that SQS carries are settled, good and bad ones.
func TestLargestMessages(t *testing.T) {
	bubble(t, func(b *harness) {
		s := newStreet(b)
		s.connect("1234", "a")
		good := padded("m", maxQueued)
		s.produce(good.Body, nil)
		s.produce(strings.Repeat("x", maxQueued), nil)
		s.work(30 * time.Second)
		if diff := cmp.Diff(map[string][]string{"a": {"hello"}}, b.gateway.received()); diff != "" {
			b.Errorf("posts (-want +got):\n%s", diff)
		}
		dead := s.deadLetters()
		if len(dead) != 1 {
			b.Fatalf("%d dead letters, want the bad one", len(dead))
		}
		for body, reason := range dead {
			if len(body) < maxQueued-200 || reason != "malformed: not valid JSON at byte 1" {
				b.Errorf("dead letter of %d bytes: %s", len(body), reason)
			}
		}
	})
}
