package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

func TestMain(m *testing.M) {
	// No daemon listens here, and a socket does not belong in a bubble.
	_ = os.Setenv("AWS_XRAY_SDK_DISABLED", "true")
	os.Exit(m.Run())
}

const (
	queueURL      = "https://sqs.eu-west-1.amazonaws.com/123456789012/send"
	deadLetterURL = "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters"
)

// harness is a Deliverer among controllable neighbors: presence and queue are fakes, and the gateway is an HTTP
// server that the real SDK client talks to, over pipes. It lives in a synctest bubble, so that time-outs, pauses and
// deadlines are exact and take no time.
type harness struct {
	*testing.T
	presence *fakePresence
	gateway  *fakeGateway
	queue    *fakeQueue
	claims   *fakeClaims
	receipts *fakeReceipts
	mailbox  *fakeMailbox
	config   Config
	output   bytes.Buffer // log and metric lines
}

// bubble runs a test with its own harness in a bubble, which itself proves that no goroutine is left.
func bubble(t *testing.T, test func(*harness)) {
	t.Helper()
	t.Parallel()
	alone(t, test)
}

// alone is bubble without other tests beside it.
func alone(t *testing.T, test func(*harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &harness{T: t, presence: newPresence(), queue: &fakeQueue{}, claims: newClaims(), receipts: &fakeReceipts{}, mailbox: &fakeMailbox{}}
		b.gateway = newGateway(t)
		b.config = Config{
			Presence: b.presence, Poster: NewPoster(b.gateway.config(), "http://gateway/dev"), Queue: b.queue,
			QueueURL: queueURL, DeadLetterQueueURL: deadLetterURL, Claims: b.claims, Receipts: b.receipts, Mailbox: b.mailbox, Keys: testKeys{}, BroadcastRate: 10,
		}
		test(b)
	})
}

// deliver runs one invocation and returns the ids that go back. It seals the states that tests have written.
func (b *harness) deliver(ctx context.Context, records ...Record) []string {
	b.Helper()
	for i, r := range records {
		records[i] = sealed(r)
	}
	return b.deliverRaw(ctx, records...)
}

// deliverRaw runs one invocation with records as they are.
func (b *harness) deliverRaw(ctx context.Context, records ...Record) []string {
	b.Helper()
	settings := observability.Settings{Stage: "test", LogLevel: slog.LevelDebug}
	invoke := observability.Wrap(observability.New("send", settings, &b.output),
		func(ctx context.Context, records []Record) ([]string, error) {
			return New(b.config).Deliver(ctx, records), nil
		})
	returned, err := invoke(ctx, records)
	if err != nil {
		b.Fatal(err)
	}
	return returned
}

// line is a log line or a metric line.
type line map[string]any

func (b *harness) lines() []line {
	b.Helper()
	var all []line
	for decoder := json.NewDecoder(bytes.NewReader(b.output.Bytes())); ; {
		var l line
		if err := decoder.Decode(&l); err == io.EOF {
			return all
		} else if err != nil {
			b.Fatal(err)
		}
		all = append(all, l)
	}
}

// metrics returns the values of all metrics so far, except the cold start. A counter has one value per invocation.
func (b *harness) metrics() map[string][]float64 {
	b.Helper()
	values := map[string][]float64{}
	for _, l := range b.lines() {
		for _, m := range catalogue.All() {
			switch v := l[m.Name()].(type) {
			case float64:
				if v == 0 && m.Zero() {
					continue // it only says that it was written
				}
				values[m.Name()] = append(values[m.Name()], v)
			case []any:
				for _, one := range v {
					values[m.Name()] = append(values[m.Name()], one.(float64))
				}
			}
		}
	}
	delete(values, "ColdStarts")
	return values
}

// logged returns the log lines with this message.
func (b *harness) logged(message string) []line {
	b.Helper()
	return slices.DeleteFunc(b.lines(), func(l line) bool { return l["message"] != message })
}

// since returns a connection of the given age.
func since(id heliograph.ConnectionID, age time.Duration) presence.Connection {
	return presence.Connection{User: "1234", ID: id, ConnectedAt: time.Now().Add(-age)}
}

// plain returns a record with a body for user 1234, sent just now.
func plain(id, body string) Record {
	text, _ := json.Marshal(map[string]string{"UserId": "1234", "Body": body})
	return Record{ID: id, Body: string(text), SentAt: time.Now()}
}

// received converts a message sent to a queue into the record that send receives from there.
func received(in *sqs.SendMessageInput, id string) Record {
	return Record{ID: id, Body: *in.MessageBody, Attributes: in.MessageAttributes, Group: aws.ToString(in.MessageGroupId), SentAt: time.Now()}
}

// attribute returns the value of a string or number attribute, without its seal; "" if it is missing.
func attribute(in *sqs.SendMessageInput, name string) string {
	value := aws.ToString(in.MessageAttributes[name].StringValue)
	if slices.Contains(labels, name) {
		return stateOf(value)
	}
	return value
}

// fakePresence has the connections that a test gives it.
type fakePresence struct {
	mu           sync.Mutex
	connections  map[heliograph.UserID][]presence.Connection
	lastActivity map[heliograph.UserID]time.Time
	pruned       map[heliograph.ConnectionID]time.Time
	unreadable   map[heliograph.UserID]bool
	left         map[heliograph.UserID]bool // users that are on the list but have left
	page         int                        // most users of a page, as a page of many bytes has fewer than its limit
	// read runs before each read, prune before each Disconnect, list before each page; each may block or fail.
	read, prune, list func(context.Context) error
}

func newPresence() *fakePresence {
	nothing := func(context.Context) error { return nil }
	return &fakePresence{
		connections:  map[heliograph.UserID][]presence.Connection{},
		lastActivity: map[heliograph.UserID]time.Time{},
		pruned:       map[heliograph.ConnectionID]time.Time{},
		unreadable:   map[heliograph.UserID]bool{},
		left:         map[heliograph.UserID]bool{},
		page:         presence.MaxPage,
		read:         nothing, prune: nothing, list: nothing,
	}
}

func (p *fakePresence) Connections(ctx context.Context, user heliograph.UserID) ([]presence.Connection, presence.Status, error) {
	if err := p.read(ctx); err != nil {
		return nil, presence.Status{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unreadable[user] {
		return nil, presence.Status{}, errors.New("throttled")
	}
	if p.left[user] {
		return nil, presence.Status{User: user, OfflineSince: p.lastActivity[user]}, nil
	}
	open := slices.Clone(p.connections[user])
	return open, presence.Status{User: user, Online: len(open) > 0, OfflineSince: p.lastActivity[user]}, nil
}

func (p *fakePresence) Disconnect(ctx context.Context, user heliograph.UserID, id heliograph.ConnectionID, lastActivity time.Time) error {
	if err := p.prune(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pruned[id] = lastActivity
	p.connections[user] = slices.DeleteFunc(p.connections[user], func(c presence.Connection) bool { return c.ID == id })
	return nil
}

// OnlineIn lists by user id; a cursor is the last id of the previous page.
func (p *fakePresence) OnlineIn(ctx context.Context, shard, limit int, cursor string) (presence.Page, error) {
	if err := p.list(ctx); err != nil {
		return presence.Page{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var page presence.Page
	for _, user := range slices.Sorted(maps.Keys(p.connections)) {
		if string(user) <= cursor || len(p.connections[user]) == 0 || shard > 0 && shardOf(user) != shard {
			continue
		}
		if len(page.Users) == min(limit, p.page) {
			page.Next = string(page.Users[len(page.Users)-1].User)
			break
		}
		page.Users = append(page.Users, presence.Status{User: user, Online: true})
	}
	return page, nil
}

// shardOf returns the shard in which fakePresence lists a user.
func shardOf(user heliograph.UserID) int {
	return int(crc32.ChecksumIEEE([]byte(user)))%presence.Shards + 1
}

// fakeQueue records the messages that SQS would accept.
type fakeQueue struct {
	mu   sync.Mutex
	sent []*sqs.SendMessageInput
	// group is that of all messages, which no record may lose.
	group string
	// send runs before a message is recorded; it may block or fail.
	send func(context.Context, *sqs.SendMessageInput) error
}

func (q *fakeQueue) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if q.send != nil {
		if err := q.send(ctx, in); err != nil {
			return nil, err
		}
	}
	if err := acceptable(in); err != nil {
		return nil, err
	}
	if group := aws.ToString(in.MessageGroupId); q.group != "" && group != q.group {
		return nil, fmt.Errorf("the group is %q", group)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, in)
	return &sqs.SendMessageOutput{}, nil
}

// accepted is SQS's rule for the characters of a text, in the words of its documentation.
var accepted = regexp.MustCompile(`^[\x{9}\x{A}\x{D}\x{20}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]*$`)

// acceptable checks a message against SQS's documented limits.
func acceptable(in *sqs.SendMessageInput) error {
	total := len(*in.MessageBody) + len(aws.ToString(in.MessageGroupId))
	if !accepted.MatchString(*in.MessageBody) {
		return refusal("InvalidMessageContents")
	}
	for name, a := range in.MessageAttributes {
		value := aws.ToString(a.StringValue) + string(a.BinaryValue)
		if !accepted.MatchString(aws.ToString(a.StringValue)) {
			return refusal("InvalidMessageContents")
		}
		if value == "" || !strings.Contains("String Number Binary", strings.Split(*a.DataType, ".")[0]) {
			return fmt.Errorf("attribute %s", name)
		}
		total += len(name) + len(*a.DataType) + len(value)
	}
	if total > 262_144 || *in.MessageBody == "" || len(in.MessageAttributes) > 10 || in.DelaySeconds > 900 {
		return fmt.Errorf("%d bytes, %d attributes, delay %d", total, len(in.MessageAttributes), in.DelaySeconds)
	}
	return nil
}

// refusal is how a service refuses a call for what is in it.
func refusal(code string) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "for what is in it"},
	}
}

// to returns the messages sent to a queue, in order.
func (q *fakeQueue) to(url string) []*sqs.SendMessageInput {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(q.sent), func(in *sqs.SendMessageInput) bool { return *in.QueueUrl != url })
}

// answer is one response of API Gateway to a post.
type answer struct {
	status int
	code   string // X-Amzn-ErrorType
	body   string
	hang   bool // no answer until the client gives up
	drop   bool // the connection breaks before an answer
	short  bool // the answer ends before its announced length
}

var (
	ok        = answer{status: 200}
	gone      = answer{status: 410, code: "GoneException"}
	throttled = answer{status: 429, code: "LimitExceededException", body: `{"message":"Too Many Requests"}`}
	hanging   = answer{hang: true}
)

// fakeGateway is the @connections API of stage dev. Each connection has a list of answers; the last one repeats.
type fakeGateway struct {
	listener pipeListener
	mu       sync.Mutex
	answers  map[string][]answer
	posts    map[string][]string
}

// bodies returns what was posted to a connection.
func (g *fakeGateway) bodies(connection string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.posts[connection])
}

func newGateway(t *testing.T) *fakeGateway {
	g := &fakeGateway{
		listener: pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})},
		answers:  map[string][]answer{}, posts: map[string][]string{},
	}
	server := &http.Server{Handler: g}
	go server.Serve(g.listener) // returns when the test ends
	t.Cleanup(func() { server.Close() })
	return g
}

// config is the function's own AWS configuration, except that it dials this gateway.
func (g *fakeGateway) config() aws.Config {
	cfg := Bounded(aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "")})
	cfg.HTTPClient = cfg.HTTPClient.(*awshttp.BuildableClient).WithTransportOptions(func(t *http.Transport) {
		t.Proxy = nil
		t.DialContext = g.listener.dial
		t.DisableKeepAlives = true
	})
	return cfg
}

func (g *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	connection, found := strings.CutPrefix(r.URL.Path, "/dev/@connections/")
	body, err := io.ReadAll(r.Body)
	if !found || r.Method != http.MethodPost || err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		http.Error(w, "no such thing: "+r.Method+" "+r.URL.Path, http.StatusTeapot)
		return
	}
	a := g.next(connection, string(body))
	switch {
	case a.hang:
		<-r.Context().Done()
		return
	case a.drop:
		panic(http.ErrAbortHandler)
	case a.short:
		w.Header().Set("Content-Length", "100")
	}
	if a.code != "" {
		w.Header().Set("X-Amzn-ErrorType", a.code)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (g *fakeGateway) next(connection, body string) answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.posts[connection] = append(g.posts[connection], body)
	answers := g.answers[connection]
	switch len(answers) {
	case 0:
		return ok
	case 1:
		return answers[0]
	}
	g.answers[connection] = answers[1:]
	return answers[0]
}

// received returns all bodies posted so far, by connection.
func (g *fakeGateway) received() map[string][]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.posts)
}

// pipeListener is a network within a bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error   { close(l.closed); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

// foreign returns an attribute such as a producer sets.
func foreign(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String.tag"), StringValue: &value}
}
