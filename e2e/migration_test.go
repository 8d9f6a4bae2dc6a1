package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/coder/websocket"

	"heliograph"
	"heliograph/auth"
	"heliograph/infra/stack"
	"heliograph/local"
)

// TestMigration rehearses docs/migration.md: the manager of before and Heliograph side by side, in one account. Producers
// go on sending all the time, first to the old queue, then to both, then to the new one; meanwhile clients move, each at
// its own time. It proves that each message reaches its user, and twice at the most, if it was sent to both queues.
func TestMigration(t *testing.T) {
	t.Parallel()
	next, err := local.Start(t.Context(), local.Options{
		Root: projectRoot(t), Config: map[string]string{"parameterPrefix": "/WebSocketAdapter/next"}, Progress: os.Stderr,
		EndpointsFile: filepath.Join(t.TempDir(), "local.json"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = next.Close() })
	l := newLoad(t, next.Endpoints())
	old := startManager(t, l)

	users := []heliograph.UserID{"ada", "bob", "cyd"}
	p := &producer{load: l, parameters: []string{"/WebSocketAdapter"}, users: users}
	clients := make([]*moving, len(users))
	for i, user := range users {
		clients[i] = newMoving(t, user)
		clients[i].connect(old.address)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.run(ctx, t) }()
	p.wait(t, 20)

	from := p.use("/WebSocketAdapter", "/WebSocketAdapter/next") // step 3
	for _, c := range clients {                                  // step 4
		p.wait(t, 20)
		c.connect(next.Endpoints().WebSocketURL)
		c.gets(t, old.address, p.wait(t, 5)) // what was sent before it had both connections has come by now
		c.close(old.address)
	}
	to := p.use("/WebSocketAdapter/next") // step 5
	p.wait(t, 20)
	stop()
	<-done
	for _, c := range clients {
		c.gets(t, next.Endpoints().WebSocketURL, p.count()-1)
		c.check(t, p.count(), from, to)
		if online, err := l.status(within(t), string(c.user)); err != nil || !online {
			t.Errorf("%s is online: %v, %v", c.user, online, err)
		}
	}
}

// manager is the system of before, by its contract: tokens in the query, {"UserId","Body"} on a queue that a parameter
// names, Body on each connection of the user. It is as forgetful as the real one: a message to nobody is gone.
type manager struct {
	address string
	tokens  *auth.Verifier
	mu      sync.Mutex
	open    map[heliograph.UserID][]*websocket.Conn
}

func startManager(t *testing.T, l load) *manager {
	t.Helper()
	parameters := ssm.NewFromConfig(l.config)
	keys := auth.SecretKeys(parameters, "/WebSocketAdapter/JwtSecret", "", auth.DefaultGrace, nil)
	m := &manager{tokens: auth.NewVerifier(keys, auth.Rules{}), open: map[heliograph.UserID][]*websocket.Conn{}}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.address = "ws" + strings.TrimPrefix(server.URL, "http")
	queue, err := l.queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("SendMessageQueue")})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]*string{"SendMessageQueueUrl": queue.QueueUrl, "JwtSecret": aws.String(stack.PublicSecret)} {
		_, err = parameters.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: aws.String("/WebSocketAdapter/" + name), Type: ssmtypes.ParameterTypeString, Value: value,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var working sync.WaitGroup
	t.Cleanup(working.Wait)
	working.Go(func() { m.work(t.Context(), l.queue, queue.QueueUrl) })
	return m
}

func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, err := m.tokens.Verify(r.Context(), auth.Token(r.URL.Query().Get("Authorization")))
	if err != nil {
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	}
	socket, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	m.mu.Lock()
	m.open[id.UserID] = append(m.open[id.UserID], socket)
	m.mu.Unlock()
	_, _, _ = socket.Read(context.Background()) // until it is closed
}

// work sends messages to connections, one after the other.
func (m *manager) work(ctx context.Context, client *sqs.Client, url *string) {
	for ctx.Err() == nil {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			continue
		}
		for _, received := range out.Messages {
			var message struct {
				UserID heliograph.UserID `json:"UserId"`
				Body   string
			}
			_ = json.Unmarshal([]byte(*received.Body), &message)
			m.mu.Lock()
			for _, socket := range m.open[message.UserID] {
				_ = socket.Write(ctx, websocket.MessageText, []byte(message.Body))
			}
			m.mu.Unlock()
			_, _ = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: received.ReceiptHandle})
		}
	}
}

// producer sends numbered messages to all users, to the queues that the parameters in use name.
type producer struct {
	load
	users []heliograph.UserID

	mu         sync.Mutex
	parameters []string // their prefixes
	n          int      // messages sent so far
}

// use changes the queues, and returns the number of the next message, the first that goes to them.
func (p *producer) use(parameters ...string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parameters = parameters
	return p.n
}

func (p *producer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// wait waits for more messages, and returns the number of those sent by then.
func (p *producer) wait(t *testing.T, more int) int {
	t.Helper()
	enough := p.count() + more
	eventually(t, fmt.Sprintf("%d messages are sent", enough), func(context.Context) (bool, error) { return p.count() >= enough, nil })
	return p.count()
}

func (p *producer) run(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		p.mu.Lock()
		for _, prefix := range p.parameters {
			if err := p.send(context.WithoutCancel(ctx), prefix, p.n); err != nil {
				t.Errorf("send by %s: %v", prefix, err)
			}
		}
		p.n++
		p.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *producer) send(ctx context.Context, prefix string, n int) error {
	url, err := ssm.NewFromConfig(p.config).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(prefix + "/SendMessageQueueUrl")})
	if err != nil {
		return err
	}
	for _, user := range p.users {
		_, err := p.queue.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: url.Parameter.Value, MessageBody: aws.String(fmt.Sprintf(`{"UserId":%q,"Body":"%d"}`, user, n)),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// moving is a client that moves from one address to another.
type moving struct {
	t    *testing.T
	user heliograph.UserID

	mu      sync.Mutex
	sockets map[string]*websocket.Conn
	got     map[string]map[int]int // by address, how often each message has arrived
}

func newMoving(t *testing.T, user heliograph.UserID) *moving {
	return &moving{t: t, user: user, sockets: map[string]*websocket.Conn{}, got: map[string]map[int]int{}}
}

func (c *moving) connect(address string) {
	c.t.Helper()
	token, err := auth.SignHS256([]byte(stack.PublicSecret), auth.Rules{}, c.user, time.Hour, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	socket, _, err := websocket.Dial(within(c.t), address+"?Authorization="+token, nil)
	if err != nil {
		c.t.Fatalf("connect %s to %s: %v", c.user, address, err)
	}
	c.t.Cleanup(func() { _ = socket.CloseNow() })
	c.mu.Lock()
	c.sockets[address], c.got[address] = socket, map[int]int{}
	c.mu.Unlock()
	go func() {
		for {
			_, body, err := socket.Read(context.Background())
			if err != nil {
				return
			}
			n, _ := strconv.Atoi(string(body))
			c.mu.Lock()
			c.got[address][n]++
			c.mu.Unlock()
		}
	}()
}

func (c *moving) close(address string) {
	c.mu.Lock()
	socket := c.sockets[address]
	c.mu.Unlock()
	_ = socket.Close(websocket.StatusNormalClosure, "")
}

// gets waits until a message, or a later one, has come by an address.
func (c *moving) gets(t *testing.T, address string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s gets message %d", c.user, n), func(context.Context) (bool, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for got := range c.got[address] {
			if got >= n {
				return true, nil
			}
		}
		return false, nil
	})
}

// check waits for all messages, and fails for one that came twice although only one queue had it: those of from to to,
// exclusive, were sent to both.
func (c *moving) check(t *testing.T, n, from, to int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages have reached %s", n, c.user), func(context.Context) (bool, error) { return len(c.all()) == n, nil })
	twice := 0
	for message, times := range c.all() {
		if times > 1 {
			twice++
		}
		if times > 2 || times == 2 && (message < from || message >= to) {
			t.Errorf("message %d came %d times to %s; those from %d to %d were sent to both queues", message, times, c.user, from, to-1)
		}
	}
	t.Logf("%s got %d messages, %d of them twice", c.user, n, twice)
}

// all counts the arrivals of each message, over both addresses.
func (c *moving) all() map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := map[int]int{}
	for _, got := range c.got {
		for message, times := range got {
			sum[message] += times
		}
	}
	return sum
}
