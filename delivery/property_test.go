package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"pgregory.net/rapid"

	"heliograph"
	"heliograph/message"
)

// world is a random world of users, devices and failures, with a ledger of all that happens in it. Each message
// carries its name as an attribute and in its body.
type world struct {
	presence *fakePresence
	failures map[string][]error // answers to the next posts to a connection; later posts are delivered

	mu        sync.Mutex
	delivered map[string]int // by message and connection
	sent      []*sqs.SendMessageInput
	refuse    []bool // which of the next sends the queue refuses
	flaky     []bool // which of the next reads fail in presence
	returned  map[string]bool
	stable    []string // connections that never answer 410
}

// PostToConnection uses up the connection's failures first, and then delivers.
func (w *world) PostToConnection(_ context.Context, in *apigatewaymanagementapi.PostToConnectionInput, _ ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.PostToConnectionOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err, found := pop(w.failures, *in.ConnectionId); found && err != nil {
		return nil, err
	}
	w.delivered[string(in.Data)+" at "+*in.ConnectionId]++
	return nil, nil
}

func pop(all map[string][]error, key string) (error, bool) {
	if len(all[key]) == 0 {
		return nil, false
	}
	first := all[key][0]
	all[key] = all[key][1:]
	return first, true
}

// SendMessage refuses as drawn, and applies SQS's limits.
func (w *world) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if take(&w.refuse) {
		return nil, errors.New("refused")
	}
	if err := acceptable(in); err != nil {
		return nil, err
	}
	w.sent = append(w.sent, in)
	return &sqs.SendMessageOutput{}, nil
}

func take(coming *[]bool) bool {
	if len(*coming) == 0 {
		return false
	}
	first := (*coming)[0]
	*coming = (*coming)[1:]
	return first
}

// drawWorld makes three users with up to four devices each.
func drawWorld(t *rapid.T) *world {
	w := &world{
		presence: newPresence(), failures: map[string][]error{}, delivered: map[string]int{}, returned: map[string]bool{},
		refuse: rapid.SliceOfN(rapid.Bool(), 0, 6).Draw(t, "queue refuses"),
		flaky:  rapid.SliceOfN(rapid.Bool(), 0, 6).Draw(t, "presence fails"),
	}
	w.presence.read = func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if take(&w.flaky) {
			return errors.New("throttled")
		}
		return nil
	}
	for u := range 3 {
		user := heliograph.UserID(fmt.Sprint("user", u))
		for c := range rapid.IntRange(0, 4).Draw(t, "devices") {
			w.addDevice(t, user, heliograph.ConnectionID(fmt.Sprintf("%s-%d", user, c)))
		}
	}
	return w
}

func (w *world) addDevice(t *rapid.T, user heliograph.UserID, id heliograph.ConnectionID) {
	age := rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(t, "age")
	w.presence.connections[user] = append(w.presence.connections[user], since(id, age))
	gone := false
	for range rapid.IntRange(0, 8).Draw(t, "failures") {
		err := rapid.SampledFrom([]error{
			nil, &apitypes.LimitExceededException{}, &apitypes.ForbiddenException{}, context.DeadlineExceeded, &apitypes.GoneException{},
		}).Draw(t, "failure")
		gone = gone || errors.As(err, new(*apitypes.GoneException))
		w.failures[string(id)] = append(w.failures[string(id)], err)
	}
	if !gone {
		w.stable = append(w.stable, string(id))
	}
}

// drawRecord makes a message to one of the users, occasionally a bad one.
func drawRecord(t *rapid.T, name string) Record {
	user := rapid.IntRange(0, 2).Draw(t, "user")
	r := Record{ID: name, SentAt: time.Now(), Attributes: map[string]types.MessageAttributeValue{"name": foreign(name)}}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		r.Body = `{"UserId":`
	case 1:
		r.Body = fmt.Sprintf(`{"UserId":"user%d","Body":%q,"ExpiresAt":"2020-01-01T00:00:00Z"}`, user, name)
	case 2:
		r.Body = fmt.Sprintf(`{"UserId":"user%d","Body":%q}`, user, name)
		r.Attributes["HeliographRetry"] = stringAttribute(`{"attempt":9}`)
	default:
		r.Body = fmt.Sprintf(`{"UserId":"user%d","Body":%q}`, user, name)
	}
	return r
}

// TestEveryRecordIsSettledOnce proves, for any mix of messages, devices and failures: each record of a call is
// settled in exactly one way; each message ends in the dead-letter queue, once and with its reason, or at every
// device that stayed; and none arrives twice at a device unless its follow-up could not be queued.
func TestEveryRecordIsSettledOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		d := New(Config{
			Presence: w.presence, Poster: w, Queue: w, QueueURL: queueURL, DeadLetterQueueURL: deadLetterURL,
			Claims: newClaims(), Receipts: &fakeReceipts{}, Keys: testKeys{}, BroadcastRate: 10,
		})
		var records []Record
		for i := range rapid.IntRange(1, 12).Draw(t, "records") {
			records = append(records, drawRecord(t, fmt.Sprintf("m%02d", i)))
		}
		all := slices.Clone(records)
		dead := map[string]string{}
		for round := 0; len(records) > 0; round++ {
			if round > 30 {
				t.Fatalf("%d records go round and round", len(records))
			}
			records = w.round(t, d, records, dead)
		}
		for _, r := range all {
			w.checkEnd(t, r, dead)
		}
	})
}

// round delivers all records once and returns the next ones.
func (w *world) round(t *rapid.T, d *Deliverer, records []Record, dead map[string]string) []Record {
	w.sent = nil
	back := d.Deliver(context.Background(), records)
	if !slices.IsSorted(back) {
		t.Fatalf("returned out of order: %v", back)
	}
	settledBy := map[string]int{}
	var next []Record
	for _, r := range records {
		if slices.Contains(back, r.ID) {
			settledBy[r.ID]++
			w.returned[r.ID] = true
			next = append(next, r)
		}
	}
	for _, in := range w.sent {
		name := attribute(in, "name")
		settledBy[name]++
		if *in.QueueUrl == deadLetterURL {
			if dead[name] != "" {
				t.Fatalf("%s has two dead letters: %s", name, dead[name])
			}
			dead[name] = attribute(in, "RejectReason")
		} else {
			next = append(next, received(in, name))
		}
	}
	for name, n := range settledBy {
		if n > 1 {
			t.Fatalf("%s was settled in %d ways", name, n)
		}
	}
	slices.SortFunc(next, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	return next
}

// checkEnd fails if a message is lost, reached the wrong user, or arrived twice without an excuse, and if it has the
// wrong kind of dead letter.
func (w *world) checkEnd(t *rapid.T, r Record, dead map[string]string) {
	m, bad := message.Parse(r.Body)
	bad2 := attribute(&sqs.SendMessageInput{MessageAttributes: r.Attributes}, "HeliographRetry") != ""
	for _, c := range w.stable {
		n := w.delivered[r.ID+" at "+c]
		mine := bad == nil && !bad2 && m.ExpiresAt.IsZero() && strings.HasPrefix(c, string(m.Users[0])+"-")
		switch {
		case !mine && n > 0:
			t.Fatalf("%s (%s) arrived at %s", r.ID, r.Body, c)
		case mine && n == 0 && dead[r.ID] == "":
			t.Fatalf("%s is lost for %s", r.ID, c)
		case n > 1 && !w.returned[r.ID]:
			t.Fatalf("%s arrived %d times at %s", r.ID, n, c)
		}
	}
	if (bad != nil || bad2) != (dead[r.ID] != "" && !strings.HasPrefix(dead[r.ID], "undelivered: ")) {
		t.Fatalf("%s: dead letter %q", r.Body, dead[r.ID])
	}
}
