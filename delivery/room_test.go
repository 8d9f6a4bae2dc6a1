package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heliograph"
	"heliograph/message"
)

// full pads a text with white space to the size of the largest record that SQS accepts.
func full(t *testing.T, text string, attributes attributes) Record {
	t.Helper()
	r := Record{ID: "m", Body: text, SentAt: time.Now(), Attributes: attributes, Group: strings.Repeat("g", 128)}
	free := maxQueued - size((&job{record: &r}).again(text, attributes))
	if free < 0 {
		t.Fatalf("the message is %d bytes too large", -free)
	}
	r.Body += strings.Repeat(" ", free)
	return r
}

// many returns a number of users with ids of the given length in bytes.
func many(users, bytes int) []heliograph.UserID {
	all := make([]heliograph.UserID, users)
	for i := range all {
		all[i] = heliograph.UserID(fmt.Sprintf("%0*d-", bytes-1, i))
	}
	return all
}

// listed returns a target as a producer writes it, followed by further fields.
func listed(users []heliograph.UserID, fields string) string {
	names, _ := json.Marshal(users)
	return `"UserIds":` + string(names) + fields
}

// TestFullMessagesArriveOnce proves that a message that fills its record arrives once at each connection, whatever
// state its follow-up has to carry: lack of room neither repeats it nor gives up a delivery that failed only for a
// while.
func TestFullMessagesArriveOnce(t *testing.T) {
	t.Parallel()
	body := func(n int) string { return `,"Body":"` + strings.Repeat("x", n) + `"` }
	escaped := `,"Body":"` + strings.Repeat(`\u0001`, 43_000) + `"`
	tests := []struct {
		name    string
		users   []heliograph.UserID
		devices int
		text    string
		foreign int // bytes of the producer's attribute
		// fails reports whether the first post to a user's device fails.
		fails func(user, device int) bool
		dead  string // reason of its dead letters; empty if it has none
	}{
		{
			name: "one of many users is throttled", users: many(752, 171), devices: 1, text: listed(many(752, 171), body(128<<10)),
			fails: func(user, _ int) bool { return user == 7 },
		},
		{
			name: "all but one are throttled", users: many(752, 171), devices: 1, text: listed(many(752, 171), body(128<<10)),
			fails: func(user, _ int) bool { return user != 7 },
		},
		{
			name: "all are throttled", users: many(752, 171), devices: 1, text: listed(many(752, 171), body(128<<10)),
			fails: func(int, int) bool { return true },
		},
		{
			name: "one device of everybody", users: many(752, 171), devices: 2, text: listed(many(752, 171), body(128<<10)),
			fails: func(_, device int) bool { return device == 1 },
		},
		{
			name: "one device of everybody, with claims", users: many(500, 171), devices: 2, text: listed(many(500, 171), body(128<<10)+`,"Id":"1"`),
			fails: func(_, device int) bool { return device == 1 },
		},
		{
			name: "one user, claim and receipt", users: users("a"), devices: 2, text: `"UserId":"a"` + body(128<<10) + `,"Id":"1","Receipt":true`,
			fails: func(_, device int) bool { return device == 1 },
		},
		{
			name: "many users, claims and a receipt", users: many(700, 171), devices: 2, text: listed(many(700, 171), body(128<<10)+`,"Id":"1","Receipt":true`),
			fails: func(user, device int) bool { return user < 99 && device == 1 },
		},
		{
			name: "a body of escapes", users: users("a"), devices: 2, text: `"UserId":"a"` + escaped,
			fails: func(_, device int) bool { return device == 1 },
		},
		{
			name: "the producer's attribute", users: users("a"), devices: 2, text: `"UserId":"a"` + body(100), foreign: maxQueued - 400,
			fails: func(_, device int) bool { return device == 1 },
		},
		{
			name: "a broadcast", users: many(25, 200), devices: 2, text: `"Broadcast":true` + body(128<<10) + `,"Id":"1","Receipt":true`,
			fails: func(user, device int) bool { return user%3 == 0 && device == 1 },
		},
		{
			// The receipt has to add up the results of all users, so they can't be split.
			name: "one device of everybody, and a receipt", users: many(752, 171), devices: 2, text: listed(many(752, 171), body(128<<10)+`,"Id":"1","Receipt":true`),
			fails: func(_, device int) bool { return device == 1 }, dead: "no-room-for-follow-up",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				arrivals := map[string]int{}
				failed := map[string]bool{}
				want := map[string]int{}
				for i, user := range test.users {
					b.online(user, test.devices)
					for device := range test.devices {
						id := fmt.Sprint(user, device+1)
						failed[id] = test.fails(i, device)
						want[id] = 1
					}
				}
				b.config.Poster = b.counting(arrivals, failed)
				attributes := attributes{}
				if test.foreign > 0 {
					attributes["tag"] = foreign(strings.Repeat("x", test.foreign))
				}
				dead := b.walk(full(t, "{"+test.text+"}", attributes))
				if test.dead != "" {
					if len(dead) < 2 || len(arrivals) >= len(want) {
						t.Errorf("%d dead letters after %d arrivals, want several for the others", len(dead), len(arrivals))
					}
					for _, in := range dead {
						if reason, _, _ := strings.Cut(attribute(in, "RejectReason"), ":"); reason != test.dead {
							t.Errorf("dead letter for %q, want %q", reason, test.dead)
						}
						b.walk(received(in, "redriven"))
					}
				} else if len(dead) > 0 {
					t.Errorf("%d dead letters: %s", len(dead), attribute(dead[0], "RejectReason"))
				}
				if diff := cmp.Diff(want, arrivals); diff != "" {
					t.Errorf("arrivals (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func users(ids ...heliograph.UserID) []heliograph.UserID { return ids }

// counting returns a Poster that counts arrivals, and fails once for some devices.
func (b *harness) counting(arrivals map[string]int, failed map[string]bool) Poster {
	return stub(func(_ context.Context, id string) error {
		b.gateway.mu.Lock()
		defer b.gateway.mu.Unlock()
		if failed[id] {
			failed[id] = false
			return errors.New("throttled")
		}
		arrivals[id]++
		return nil
	})
}

// TestFullReceiptIsOwed proves that a settled message that fills its record can still owe its receipt.
func TestFullReceiptIsOwed(t *testing.T) {
	bubble(t, func(b *harness) {
		to := many(700, 171)
		for _, user := range to {
			b.online(user, 1)
		}
		arrivals := map[string]int{}
		b.config.Poster = b.counting(arrivals, nil)
		b.receipts.publish = failing
		dead := b.walk(full(b.T, "{"+listed(to, `,"Body":"`+strings.Repeat("x", 128<<10)+`","Id":"1","Receipt":true}`), nil))
		if len(dead) != 1 || !strings.HasPrefix(attribute(dead[0], "RejectReason"), "receipt-unpublished: ") {
			b.Fatalf("%d dead letters", len(dead))
		}
		b.receipts.publish = nil
		b.walk(received(dead[0], "redriven"))
		if r := b.receipts.published; len(r) != 1 || r[0].Delivered != len(to) {
			b.Errorf("receipts %+v", r)
		}
		if most := slices.Max(slices.Collect(maps.Values(arrivals))); most != 1 || len(arrivals) != len(to) {
			b.Errorf("arrived at %d, up to %d times", len(arrivals), most)
		}
	})
}

// TestRoomForOneUser proves how much room there always is for the state of one user beside the largest possible
// message: therefore, a follow-up that can be split always fits.
func TestRoomForOneUser(t *testing.T) {
	t.Parallel()
	control := strings.Repeat("\x01", heliograph.MaxUserID) // six bytes each in JSON
	m := message.Message{
		Users: users(heliograph.UserID(control)), Body: []byte(strings.Repeat("x", message.MaxBody)), ID: control,
		ExpiresAt: time.Now(), Receipt: true,
	}
	r := Record{Body: m.Text(), Group: strings.Repeat("g", 128)}
	j := &job{record: &r, message: m}
	state := func(connections int) message.State {
		s := message.State{
			Attempt: message.MaxAttempts, FirstSentAt: 1 << 50, Holder: strings.Repeat("h", 64), Tally: message.Tally{Delivered: 1 << 30, Gone: 1 << 30, Offline: 1 << 30, Failed: 1 << 30, Expired: 1 << 30},
			Owed: map[heliograph.UserID]message.Owed{m.Users[0]: {Delivered: 1 << 30, Gone: 1 << 30, Waited: true, Holder: strings.Repeat("h", 64)}},
		}
		o := s.Owed[m.Users[0]]
		for i := range connections {
			o.Connections = append(o.Connections, heliograph.ConnectionID(fmt.Sprintf("L0SM9cOFv%06d=", i)))
		}
		s.Owed[m.Users[0]] = o
		return s
	}
	why := message.Rejection{Reason: message.ReasonUndelivered, Detail: strings.Repeat("x", 300)}
	if records := j.followUps(state(6500)); len(records) != 1 || size(records[0]) > maxQueued {
		t.Errorf("6,500 connections: %d follow-ups", len(records))
	}
	if records := j.followUps(state(7000)); len(records) != 0 {
		t.Errorf("7,000 connections: %d follow-ups", len(records))
	}
	if records := j.deadLetters(state(6500), why, 3); len(records) != 1 || size(records[0]) > maxQueued || !strings.Contains(attribute(records[0], "HeliographOwed"), "006499=") {
		t.Errorf("6,500 connections: %d dead letters", len(records))
	}
	if records := j.deadLetters(state(7000), why, 3); len(records) != 1 || size(records[0]) > maxQueued || strings.Contains(attribute(records[0], "HeliographOwed"), "connections") {
		t.Errorf("7,000 connections: %d dead letters", len(records))
	}
}

// drawn is a message and what is still owed of it.
type drawn struct {
	job   *job
	state message.State
}

// draw makes a message of any kind, filled up to SQS's limit, and a state that can belong to it.
func draw(t *rapid.T) drawn {
	m := message.Message{Body: []byte(rapid.SampledFrom([]string{"", "x", "\x01", "\"", "é", "\uFFFF", "<"}).Draw(t, "body"))}
	if rapid.Bool().Draw(t, "with an id") {
		m.ID, m.Receipt = "1", rapid.Bool().Draw(t, "receipt")
	}
	owed := map[heliograph.UserID]message.Owed{}
	switch rapid.IntRange(0, 3).Draw(t, "target") {
	case 0:
		m.Connection, owed[""] = "c", message.Owed{Connections: []heliograph.ConnectionID{"c"}}
	case 1:
		m.Broadcast = true
		drawOwed(t, many(200, 20), owed)
	default:
		m.Users = many(rapid.IntRange(1, message.MaxUsers).Draw(t, "users"), rapid.IntRange(4, heliograph.MaxUserID).Draw(t, "name"))
		drawOwed(t, m.Users, owed)
	}
	attributes := attributes{}
	for i := range rapid.IntRange(0, 10).Draw(t, "attributes") {
		attributes[fmt.Sprint("tag", i)] = foreign(strings.Repeat("x", rapid.SampledFrom([]int{1, 9000}).Draw(t, "bytes")))
	}
	r := &Record{Attributes: attributes}
	fill(r, &m)
	j := &job{record: r, message: m, state: message.State{Attempt: 1}}
	s := message.State{Attempt: 2, FirstSentAt: time.Now().UnixMilli(), Holder: "h", Owed: owed, Tally: message.Tally{Delivered: 1}}
	return drawn{j, s}
}

// fill makes the record as large as it can be: first its body, then white space.
func fill(r *Record, m *message.Message) {
	total := func() int { return size((&job{record: r}).again(m.Text(), r.Attributes)) }
	for len(m.Body) > 0 && len(m.Body) <= message.MaxBody/2 {
		m.Body = append(m.Body, m.Body...)
		if total() > maxQueued {
			m.Body = m.Body[:len(m.Body)/2]
			break
		}
	}
	if total() > maxQueued {
		m.Users = m.Users[:len(m.Users)/2]
	}
	r.Body = m.Text() + strings.Repeat(" ", max(0, maxQueued-total()))
}

func drawOwed(t *rapid.T, users []heliograph.UserID, owed map[heliograph.UserID]message.Owed) {
	share := rapid.IntRange(1, 4).Draw(t, "one of so many is owed")
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	for i, user := range users {
		if i%share != 0 {
			continue
		}
		switch (i/share + kind) % 3 {
		case 0:
			owed[user] = message.Owed{}
		case 1:
			owed[user] = message.Owed{Connections: []heliograph.ConnectionID{"L0SM9cOFvHcCIhw="}, Delivered: 1, Holder: "other"}
		case 2:
			owed[user] = message.Owed{Waited: true, Gone: 2}
		}
	}
}

// TestFollowUpsFit proves, for any message that fills its record and any possible state: SQS accepts the follow-ups,
// and read back they owe exactly the same, each user once, with the same body; with a receipt there is at most one
// follow-up.
func TestFollowUpsFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		one := draw(t)
		owed := one.state.Owed
		for user := range owed {
			if len(one.job.message.Users) > 0 && !slices.Contains(one.job.message.Users, user) {
				delete(owed, user)
			}
		}
		records := one.job.followUps(one.state)
		if one.job.message.Receipt {
			if len(records) > 1 {
				t.Fatalf("%d follow-ups for one receipt", len(records))
			}
		} else if len(records) == 0 {
			t.Fatal("no room")
		}
		if len(records) > 0 {
			readBack(t, one, records)
		}
		letters := one.job.deadLetters(buried(one.state), message.Rejection{Reason: message.ReasonUndelivered, Detail: "x"}, 3)
		readBack(t, one, letters)
	})
}

// readBack opens records as the next attempt does, and compares what they owe with the original state.
func readBack(t *rapid.T, one drawn, records []*sqs.SendMessageInput) {
	got := map[heliograph.UserID]message.Owed{}
	tallies := 0
	for _, in := range records {
		if err := acceptable(in); err != nil {
			t.Fatal(err)
		}
		r := Record{Body: *in.MessageBody, Attributes: in.MessageAttributes}
		j := open(&r, time.Now())
		if j.rejection != nil {
			t.Fatalf("rejected: %v", j.rejection)
		}
		if string(j.message.Body) != string(one.job.message.Body) || j.message.ID != one.job.message.ID || j.message.Receipt != one.job.message.Receipt {
			t.Fatalf("the message became another one")
		}
		tallies += j.state.Tally.Delivered
		recipients := j.recipients()
		if len(j.state.Owed) == 0 && !j.message.Broadcast && len(recipients) != len(j.message.Users) && j.message.Connection == "" {
			t.Fatal("a user is missing")
		}
		for _, to := range recipients {
			if _, twice := got[to.user]; twice {
				t.Fatalf("owed to %q twice", to.user)
			}
			got[to.user] = to.owed
		}
	}
	if diff := cmp.Diff(one.state.Owed, got); diff != "" || tallies != one.state.Tally.Delivered {
		t.Fatalf("%d delivered; owed (-want +got):\n%s", tallies, diff)
	}
}

// TestBogusBody proves that a body attribute not written by send is rejected, and that its dead letter fits however
// large the attribute is.
func TestBogusBody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		body []byte
		want string
	}{
		"beside a body":   {`{"UserId":"1","Body":"x"}`, []byte("x"), "bad-follow-up: HeliographBody stands beside a Body"},
		"not UTF-8":       {`{"UserId":"1"}`, []byte{0xff}, "bad-follow-up: HeliographBody is not valid UTF-8"},
		"too large":       {`{"UserId":"1"}`, make([]byte, message.MaxBody+1), "body-too-large: Body has 131073 bytes, more than 131072"},
		"as large as any": {`{}`, make([]byte, maxQueued-22), "no-target: none of UserId, UserIds, ConnectionId and Broadcast is given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				queue := &fakeQueue{}
				d := New(Config{Queue: queue, QueueURL: queueURL, DeadLetterQueueURL: deadLetterURL})
				r := Record{ID: "m", Body: test.text, Attributes: attributes{"HeliographBody": {DataType: aws.String("Binary"), BinaryValue: test.body}}}
				if back := d.Deliver(t.Context(), []Record{r}); back != nil {
					t.Fatalf("returned %v", back)
				}
				if got := attribute(queue.sent[0], "RejectReason"); got != test.want {
					t.Errorf("reason %q, want %q", got, test.want)
				}
			})
		})
	}
}
