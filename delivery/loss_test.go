package delivery

import (
	"encoding/json"
	commandline "flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph"
	"heliograph/message"
)

var rounds = commandline.Int("rounds", 4, "rounds of TestNoLoss, of 1,000 messages each")

// hard is the failure rates of TestNoLoss: a fifth of all posts fail.
var hard = rates{
	throttled: 0.08, broken: 0.08, timeOut: 0.04, arrivedAll: 0.05, database: 0.2, topic: 0.5, refused: 0.005, killed: 0.003, twice: 0.002, twiceWithID: 0.1,
}

// TestNoLoss proves that no message is lost: whatever fails, and whenever functions die, it arrives at every
// connection that stayed open, or is in the dead-letter queue with a reason and the users still owed. Anything that
// arrives twice has an excuse of its own, and is rare. Once the failures have ended and the dead letters are
// redriven, every user has every message, and nothing arrives again.
func TestNoLoss(t *testing.T) {
	t.Parallel()
	var all checker // used for its sums only
	for round := range *rounds {
		synctest.Test(t, func(t *testing.T) {
			m := newModel(uint64(round), 40, hard)
			sent := m.produce(1000)
			m.run(t.Context(), 4)
			c := checker{T: t, model: m, letters: lettersByName(m.dead)}
			c.checkReasons()
			for _, s := range sent {
				c.checkArrival(s)
				c.checkReceipt(s)
			}
			c.checkDuplicates()
			t.Logf("seed %d: %d posts, %d dead letters, %d of %d deliveries were duplicates", round, m.posts, len(m.dead), c.duplicates, c.deliveries)
			c.redrive(sent)
			all.duplicates += c.duplicates
			all.deliveries += c.deliveries
		})
	}
	if all.duplicates*100 > all.deliveries {
		t.Errorf("%d of %d deliveries were duplicates", all.duplicates, all.deliveries)
	}
}

// produced is a message as it was sent.
type produced struct {
	name    string
	message message.Message
	cursed  bool
	copies  int // number of copies sent with one Id
}

// produce puts messages of all kinds on the queue, over two minutes. Each message's name is its body.
func (m *model) produce(n int) []produced {
	users := m.users()
	some := func() heliograph.UserID { return users[m.random.IntN(len(users))] }
	var all []produced
	for i := range n {
		name := fmt.Sprintf("m%04d", i)
		fields := map[string]any{"Body": name}
		switch kind := m.random.IntN(20); {
		case kind < 10:
			fields["UserId"] = some()
		case kind < 15:
			to := []heliograph.UserID{}
			for range 2 + m.random.IntN(7) {
				to = append(to, some())
			}
			fields["UserIds"] = to
		case kind < 18 || i > 100:
			user := some()
			fields["ConnectionId"] = fmt.Sprintf("%s-%d", user, m.random.IntN(max(1, len(m.presence.connections[user]))))
		default:
			fields["Broadcast"] = true
		}
		p := produced{name: name, copies: 1}
		if m.chance(0.5) {
			fields["Id"] = name
			fields["Receipt"] = m.chance(0.5)
			if m.chance(0.1) {
				p.copies = 2
			}
		}
		text, _ := json.Marshal(fields)
		p.message, _ = message.Parse(string(text))
		p.cursed = i%400 == 7
		for range p.copies {
			m.put(p, string(text))
		}
		all = append(all, p)
	}
	return all
}

func (m *model) put(p produced, text string) {
	at := time.Now().Add(time.Duration(m.random.IntN(120_000)) * time.Millisecond)
	q := &queued{
		id: fmt.Sprint(m.random.Uint64()), body: text, sentAt: at, visibleAt: at,
		attribute: map[string]types.MessageAttributeValue{"name": foreign(p.name)},
	}
	if p.cursed {
		q.attribute["cursed"] = foreign("yes")
	}
	m.queue = append(m.queue, q)
}

// checker compares the ledger with the messages that were sent.
type checker struct {
	*testing.T
	model                  *model
	letters                map[string][]*queued
	duplicates, deliveries int
}

func lettersByName(dead []*queued) map[string][]*queued {
	all := map[string][]*queued{}
	for _, q := range dead {
		all[q.name()] = append(all[q.name()], q)
	}
	return all
}

func reasonOf(q *queued) string {
	if a, ok := q.attribute[message.ReasonAttribute]; ok {
		return *a.StringValue
	}
	return ""
}

// checkReasons checks that a dead letter has a reason, unless every receive crashed.
func (c *checker) checkReasons() {
	for _, q := range c.model.dead {
		if reasonOf(q) == "" && (q.died+q.returned != maxReceives || q.died == 0) {
			c.Errorf("%s has no reason, after %d receives of which %d died and %d went back", q.name(), q.receives, q.died, q.returned)
		}
		if reason := reasonOf(q); reason != "" && !strings.HasPrefix(reason, "undelivered: ") && !strings.HasPrefix(reason, "receipt-unpublished: ") {
			c.Errorf("%s: %s", q.name(), reason)
		}
	}
}

// recipients returns the users of a message, each with the connections that must get it.
func (c *checker) recipients(s produced) map[heliograph.UserID][]string {
	to := map[heliograph.UserID][]string{}
	users := s.message.Users
	if s.message.Broadcast {
		users = c.model.users()
	}
	for _, user := range users {
		to[user] = c.model.stable(user)
	}
	if id := string(s.message.Connection); id != "" && slices.Contains(c.model.stable(heliograph.UserID(id[:6])), id) {
		to[""] = []string{id}
	}
	return to
}

// checkArrival checks that a message arrived at each recipient, or that a dead letter names the recipient.
func (c *checker) checkArrival(s produced) {
	for user, connections := range c.recipients(s) {
		for _, id := range connections {
			if c.model.delivered[delivered{s.name, id}] == 0 && !c.named(s.name, user, id) {
				c.Errorf("%s is lost for %s:\n%s", s.name, id, c.model.stories[s.name])
			}
		}
	}
}

// named reports whether a dead letter owes the message to a connection.
func (c *checker) named(name string, user heliograph.UserID, id string) bool {
	for _, q := range c.letters[name] {
		s, rejection := readState(&Record{Attributes: q.attribute}, time.Now())
		if rejection != nil {
			c.Errorf("%s: %v", name, rejection)
			continue
		}
		owed, ok := s.Owed[user]
		all := len(s.Owed) == 0 && s.Settled == 0
		if all || !s.Listed && s.Cursor < string(user) && s.Cursor != "" || ok && (owed.Connections == nil || slices.Contains(owed.Connections, heliograph.ConnectionID(id))) {
			return true
		}
	}
	return false
}

// checkDuplicates checks that each duplicate has an excuse, and counts them.
func (c *checker) checkDuplicates() {
	for one, n := range c.model.delivered {
		c.deliveries += n
		c.duplicates += n - 1
		if n > 1 && c.model.excuses[one] == "" && c.model.excuses[delivered{one.message, ""}] == "" {
			c.Errorf("%s arrived %d times at %s without excuse:\n%s", one.message, n, one.connection, c.model.stories[one.message])
		}
	}
}

// checkReceipt checks that each requested receipt came, and that its counts are right unless something happened
// twice.
func (c *checker) checkReceipt(s produced) {
	var receipts []Receipt
	for _, r := range c.model.receipts.published {
		if r.ID == s.message.ID && r.ID != "" {
			receipts = append(receipts, r)
		}
	}
	unpublished := slices.ContainsFunc(c.letters[s.name], func(q *queued) bool {
		return reasonOf(q) == "" || strings.HasPrefix(reasonOf(q), string(message.ReasonReceiptUnpublished))
	})
	switch {
	case !s.message.Receipt:
		if len(receipts) > 0 {
			c.Errorf("%s has receipts that nobody wished", s.name)
		}
		return
	case len(receipts) == 0 && !unpublished:
		c.Errorf("%s has no receipt", s.name)
		return
	case s.copies > 1 || unpublished || c.disturbed(s.name):
		return
	}
	if len(receipts) > 1 {
		c.Errorf("%s has %d receipts", s.name, len(receipts))
	}
	arrived := 0
	for one, n := range c.model.delivered {
		if one.message == s.name {
			arrived += n
		}
	}
	if r := receipts[0]; r.Delivered != arrived || (r.Failed > 0) != (len(c.letters[s.name]) > 0) || r.Latency < 0 {
		c.Errorf("%s: receipt %+v, but %d arrived, and there are %d dead letters", s.name, r, arrived, len(c.letters[s.name]))
	}
}

// disturbed reports whether anything happened to a message that may make its counts differ from its arrivals.
func (c *checker) disturbed(name string) bool {
	if c.model.doubled[name] {
		return true
	}
	for one := range maps.Keys(c.model.excuses) {
		if one.message == name {
			return true
		}
	}
	return false
}

// redrive puts all dead letters back unchanged, after the failures have ended.
func (c *checker) redrive(sent []produced) {
	m := c.model
	m.rates, m.queue, m.dead = rates{}, m.dead, nil
	before := maps.Clone(m.delivered)
	for _, q := range m.queue {
		delete(q.attribute, "cursed")
		q.receives, q.died, q.visibleAt, q.sentAt = 0, 0, time.Now(), time.Now()
	}
	m.run(c.Context(), 4)
	if len(m.dead) > 0 {
		c.Errorf("%d dead letters died again: %s", len(m.dead), reasonOf(m.dead[0]))
	}
	for _, s := range sent {
		c.letters = nil
		c.checkArrival(s)
	}
	for one, n := range m.delivered {
		if n > 1 && before[one] > 0 && before[one] < n && m.excuses[one] == "" && m.excuses[delivered{one.message, ""}] == "" {
			c.Errorf("%s arrived at %s again, when its dead letter was put back:\n%s", one.message, one.connection, m.stories[one.message])
		}
	}
}
