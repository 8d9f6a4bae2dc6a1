package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph"
	"heliograph/message"
	"heliograph/presence"
)

// model is everything around delivery: a queue that delivers at least once, a gateway, a table and a topic that fail,
// and functions that die. It keeps a ledger of all that happens, and of anything that may excuse a second arrival.
type model struct {
	presence *fakePresence
	claims   *fakeClaims
	receipts *fakeReceipts
	rates    rates
	rate     int // users a second that a broadcast may reach

	mu        sync.Mutex
	random    *rand.Rand
	queue     []*queued
	dead      []*queued
	closed    map[string]time.Time // connections and the times when they close
	delivered map[delivered]int
	excuses   map[delivered]string // by message alone, or by message and connection
	doubled   map[string]bool      // messages that SQS delivered twice
	stories   map[string][]string  // what happened to each message, for debugging a failure
	posts     int
}

// rates are probabilities of failures, 0 to 1.
type rates struct {
	throttled, broken, timeOut float64 // of posts
	arrivedAll                 float64 // of the posts that time out, those that arrived nevertheless
	database, topic            float64 // of each of the SDK's attempts
	refused                    float64 // of messages sent
	killed                     float64 // of invocations
	twice, twiceWithID         float64 // of receives, of messages without and with an Id
}

type delivered struct{ message, connection string }

// queued is a message on a queue.
type queued struct {
	id        string
	body      string
	sentAt    time.Time
	attribute map[string]types.MessageAttributeValue
	visibleAt time.Time
	receives  int
	died      int // receives on which the function died
	returned  int // receives after which the message went back
}

func (q *queued) name() string { return *q.attribute["name"].StringValue }

// maxReceives is how often the stack's queue delivers a message before it moves it to the dead-letter queue.
const maxReceives = 10

// life is the lifetime of one invocation: it ends before one of its calls, and any later call has no effect.
type life struct {
	calls, diesAt int
	over          bool
}

type lifeKey struct{}

var errDead = errors.New("the function is dead")

// call precedes every call: it takes some time, and the function may die in it.
func (m *model) call(ctx context.Context) error {
	m.mu.Lock()
	pause := time.Duration(1+m.random.IntN(30)) * time.Millisecond
	m.mu.Unlock()
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := ctx.Value(lifeKey{}).(*life)
	if l.calls++; l.calls > l.diesAt {
		l.over = true
	}
	if l.over {
		return errDead
	}
	return nil
}

func (m *model) chance(rate float64) bool { return m.random.Float64() < rate }

// throttle fails at the given rate, as a table or a topic does.
func (m *model) throttle(ctx context.Context, rate func(*rates) float64) error {
	if err := m.call(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for range sdkAttempts {
		if !m.chance(rate(&m.rates)) {
			return nil
		}
	}
	return errors.New("throttled")
}

// PostToConnection fails at its rates. The body is the message's name.
func (m *model) PostToConnection(ctx context.Context, in *apigatewaymanagementapi.PostToConnectionInput, _ ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.PostToConnectionOutput, error) {
	if err := m.call(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.posts++
	one := delivered{string(in.Data), *in.ConnectionId}
	before := m.delivered[one]
	defer func() { m.tell(one.message, "post to", one.connection, m.delivered[one]-before) }()
	if closed, ok := m.closed[one.connection]; ok && !time.Now().Before(closed) {
		return nil, &apitypes.GoneException{}
	}
	switch dice := m.random.Float64() - m.rates.throttled; {
	case dice < 0:
		return nil, &apitypes.LimitExceededException{}
	case dice < m.rates.broken:
		return nil, errors.New("503")
	case dice < m.rates.broken+m.rates.timeOut:
		if m.chance(m.rates.arrivedAll) {
			m.delivered[one]++
			m.excuses[one] = "the outcome of a post was unknown"
		}
		return nil, context.DeadlineExceeded
	}
	m.delivered[one]++
	return nil, nil
}

// SendMessage refuses at its rate.
func (m *model) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if err := m.call(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := acceptable(in); err != nil {
		return nil, err
	}
	if m.chance(m.rates.refused) {
		m.excuses[delivered{attribute(in, "name"), ""}] = "a follow-up was refused"
		return nil, errors.New("refused")
	}
	q := &queued{
		id: fmt.Sprint(m.random.Uint64()), body: *in.MessageBody, attribute: in.MessageAttributes, sentAt: time.Now(),
		visibleAt: time.Now().Add(time.Duration(in.DelaySeconds) * time.Second),
	}
	m.tell(q.name(), "send", path.Base(*in.QueueUrl), in.DelaySeconds, attribute(in, message.RetryAttribute), attribute(in, message.OwedAttribute), attribute(in, message.ReasonAttribute))
	if *in.QueueUrl == deadLetterURL {
		m.dead = append(m.dead, q)
	} else {
		m.queue = append(m.queue, q)
	}
	return &sqs.SendMessageOutput{MessageId: &q.id}, nil
}

// receive takes up to ten messages off the queue; some of them stay there, to be delivered twice.
func (m *model) receive() []*queued {
	m.mu.Lock()
	defer m.mu.Unlock()
	var batch []*queued
	now := time.Now()
	for _, q := range slices.Clone(m.queue) {
		switch {
		case q.visibleAt.After(now) || len(batch) == maxRecords:
			continue
		case q.receives == maxReceives:
			m.dead = append(m.dead, q)
			m.remove(q)
			continue
		}
		q.receives++
		m.tell(q.name(), "receive", q.receives, q.id)
		batch = append(batch, q)
		q.visibleAt = now.Add(180 * time.Second)
		message, _ := message.Parse(q.body)
		switch {
		case message.ID != "" && m.chance(m.rates.twiceWithID):
			m.doubled[q.name()] = true
		case message.ID == "" && m.chance(m.rates.twice):
			m.excuses[delivered{q.name(), ""}] = "SQS delivered a message without Id twice"
		default:
			continue
		}
		q.visibleAt = now.Add(time.Duration(m.random.IntN(100)*m.random.IntN(100)) * time.Millisecond)
	}
	return batch
}

// tell adds to a message's story.
func (m *model) tell(message string, what ...any) {
	m.stories[message] = append(m.stories[message], time.Now().Format("15:04:05.000 ")+fmt.Sprintln(what...))
}

func (m *model) remove(q *queued) {
	m.queue = slices.DeleteFunc(m.queue, func(one *queued) bool { return one == q })
}

// invoke is one invocation with a batch. Messages that do not go back are deleted, unless the function died.
func (m *model) invoke(ctx context.Context, d *Deliverer, batch []*queued) (died bool) {
	l := &life{diesAt: 1 << 30}
	records := make([]Record, len(batch))
	m.mu.Lock()
	if m.chance(m.rates.killed) {
		l.diesAt = m.random.IntN(8 * len(batch))
	}
	for i, q := range batch {
		records[i] = Record{ID: q.id, Body: q.body, SentAt: q.sentAt, Attributes: q.attribute}
		if _, cursed := q.attribute["cursed"]; cursed {
			l.diesAt = 0
		}
	}
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, lifeKey{}, l), 30*time.Second)
	defer cancel()
	back := d.Deliver(ctx, records)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range batch {
		switch {
		case l.over:
			q.died++
			m.excuses[delivered{q.name(), ""}] = "a function died"
		case slices.Contains(back, q.id):
			q.returned++
		default:
			m.remove(q)
		}
	}
	return l.over
}

// deliverer returns the Deliverer of a new execution environment.
func (m *model) deliverer() *Deliverer {
	return New(Config{
		Presence: m.presence, Poster: m, Queue: m, QueueURL: queueURL, DeadLetterQueueURL: deadLetterURL,
		Claims: m.claims, Receipts: m.receipts, Keys: testKeys{}, BroadcastRate: m.rate,
	})
}

// excuse notes why a message may arrive twice at any connection.
func (m *model) excuse(message, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.excuses[delivered{message, ""}] = why
}

// run works through the queue with parallel functions, until it is empty.
func (m *model) run(ctx context.Context, functions int) {
	var group sync.WaitGroup
	for range functions {
		group.Go(func() {
			d := m.deliverer()
			for m.left() {
				if batch := m.receive(); len(batch) == 0 {
					time.Sleep(time.Second)
				} else if m.invoke(ctx, d, batch) {
					d = m.deliverer()
				}
			}
		})
	}
	group.Wait()
}

func (m *model) left() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) > 0
}

// newModel makes users with up to four devices each. Some devices close during the test.
func newModel(seed uint64, users int, r rates) *model {
	m := &model{
		rate: 10, presence: newPresence(), claims: newClaims(), rates: r, random: rand.New(rand.NewPCG(seed, 0)),
		closed: map[string]time.Time{}, delivered: map[delivered]int{}, excuses: map[delivered]string{}, doubled: map[string]bool{}, stories: map[string][]string{},
	}
	if seed%2 == 1 { // broadcasts are spread over the shards
		m.rate, m.presence.page = 2000, 2
	}
	database := func(ctx context.Context) error {
		return m.throttle(ctx, func(r *rates) float64 { return r.database })
	}
	m.presence.read, m.presence.prune, m.presence.list = database, database, database
	m.claims.window = 24 * time.Hour // some messages take long to reach the dead-letter queue
	m.claims.call = func(ctx context.Context, name, id string) error {
		err := database(ctx)
		if err != nil && name == "done" {
			m.excuse(id, "the claim could not be marked")
		}
		return err
	}
	m.claims.answered = func(id string, what ...any) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.tell(id, what...)
	}
	m.receipts = &fakeReceipts{publish: func(ctx context.Context) error {
		return m.throttle(ctx, func(r *rates) float64 { return r.topic })
	}}
	for u := range users {
		user := heliograph.UserID(fmt.Sprintf("user%02d", u))
		for c := range m.random.IntN(5) {
			id := heliograph.ConnectionID(fmt.Sprintf("%s-%d", user, c))
			m.presence.connections[user] = append(m.presence.connections[user], since(id, time.Hour))
			if m.chance(0.15) {
				m.closed[string(id)] = time.Now().Add(time.Duration(m.random.IntN(120)) * time.Second)
			}
		}
	}
	return m
}

// stable returns the connections of a user that stay open.
func (m *model) stable(user heliograph.UserID) []string {
	var ids []string
	for c := range 5 {
		id := fmt.Sprintf("%s-%d", user, c)
		_, closes := m.closed[id]
		if there := slices.ContainsFunc(m.presence.connections[user], func(c presence.Connection) bool { return string(c.ID) == id }); there && !closes {
			ids = append(ids, id)
		}
	}
	return ids
}

// users returns all users, in order.
func (m *model) users() []heliograph.UserID {
	return slices.Sorted(maps.Keys(m.presence.connections))
}
