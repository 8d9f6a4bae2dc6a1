package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/message"
)

// failing is a neighbor's call that always fails.
func failing(context.Context) error { return errors.New("throttled") }

// asking returns a record with the given fields and the body "hello", sent just now.
func asking(id, fields string) Record {
	return Record{ID: id, Body: `{` + fields + `,"Body":"hello"}`, SentAt: time.Now()}
}

// online gives a user a number of devices that have been open for an hour, named after the user and numbered.
func (b *harness) online(user heliograph.UserID, devices int) {
	for i := range devices {
		c := since(heliograph.ConnectionID(fmt.Sprint(user, i+1)), time.Hour)
		c.User = user
		b.presence.connections[user] = append(b.presence.connections[user], c)
	}
}

// walk delivers a record and then all its follow-ups, each when the queue would deliver it, until none is left. It
// returns the dead letters.
func (b *harness) walk(r Record) []*sqs.SendMessageInput {
	b.Helper()
	var dead []*sqs.SendMessageInput
	b.queue.group = r.Group
	due := map[time.Time][]Record{time.Now(): {r}}
	for step := 0; len(due) > 0; step++ {
		now := slices.MinFunc(slices.Collect(maps.Keys(due)), time.Time.Compare)
		time.Sleep(time.Until(now))
		r, due[now] = due[now][0], due[now][1:]
		if len(due[now]) == 0 {
			delete(due, now)
		}
		if step > 100 {
			b.Fatal("the message goes round and round")
		}
		if back := b.deliver(b.Context(), r); back != nil {
			b.Fatalf("step %d went back:\n%s", step, &b.output)
		}
		dead = append(dead, b.queue.to(deadLetterURL)...)
		for _, in := range b.queue.to(queueURL) {
			at := time.Now().Add(time.Duration(in.DelaySeconds) * time.Second)
			due[at] = append(due[at], received(in, fmt.Sprint(r.ID, "+")))
		}
		b.queue.sent = nil
	}
	return dead
}

// posts returns how often each connection was posted to since the last call.
func (b *harness) posts() map[string]int {
	b.gateway.mu.Lock()
	defer b.gateway.mu.Unlock()
	counts := map[string]int{}
	for id, bodies := range b.gateway.posts {
		counts[id] = len(bodies)
	}
	clear(b.gateway.posts)
	return counts
}

func (b *harness) checkPosts(what string, want map[string]int) {
	b.Helper()
	if diff := cmp.Diff(want, b.posts()); diff != "" {
		b.Errorf("%s: posts (-want +got):\n%s", what, diff)
	}
}

// TestSeveralUsers proves, on a message to four users whose deliveries end in four different ways, that follow-ups
// name only the users still owed, and that nothing that arrived is sent again.
func TestSeveralUsers(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("fine", 2)
		b.online("half", 2)
		b.online("broken", 1)
		b.presence.lastActivity["leaving"] = time.Now().Add(-time.Second)
		b.gateway.answers["half2"] = []answer{{status: 403}, ok}
		b.gateway.answers["broken1"] = []answer{{status: 403}}
		r := asking("m", `"UserIds":["fine","half","broken","leaving","away"]`)
		b.deliver(b.Context(), r)
		b.checkPosts("first attempt", map[string]int{"fine1": 1, "fine2": 1, "half1": 1, "half2": 1, "broken1": 1})
		in := only(b, queueURL)
		checkFollowUp(b, in, message.State{
			Attempt: 2, FirstSentAt: r.SentAt.UnixMilli(), Tally: message.Tally{Delivered: 3, Offline: 1},
			Owed: map[heliograph.UserID]message.Owed{
				"half":    {Connections: []heliograph.ConnectionID{"half2"}, Delivered: 1},
				"broken":  {Connections: []heliograph.ConnectionID{"broken1"}},
				"leaving": {Waited: true},
			},
		}, 5, 7)

		dead := b.walk(received(in, "again"))
		b.checkPosts("second and third attempt", map[string]int{"half2": 1, "broken1": 2})
		if len(dead) != 1 {
			b.Fatalf("%d dead letters, want one", len(dead))
		}
		want := map[string]string{
			"RejectReason": "undelivered: 1 connection owed after 3 attempts, the last one: 403", "Attempts": "3",
			"HeliographOwed": `{"attempt":1,"owed":{"broken":{"connections":["broken1"]}},"tally":{"delivered":4,"offline":2}}`,
		}
		if diff := cmp.Diff(want, texts(dead[0])); diff != "" {
			b.Errorf("dead letter (-want +got):\n%s", diff)
		}

		// Redriven unchanged, by whatever tool, the letter reaches the one user still owed.
		b.gateway.answers["broken1"] = []answer{ok}
		if dead := b.walk(received(dead[0], "redriven")); len(dead) > 0 {
			b.Errorf("dead again: %v", texts(dead[0]))
		}
		b.checkPosts("put back", map[string]int{"broken1": 1})
	})
}

// TestOneUserCantBeRead proves that if the connections of one user can't be read, the other users get the message at
// once and that one as soon as possible.
func TestOneUserCantBeRead(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 1)
		b.online("b", 1)
		b.presence.unreadable["b"] = true
		b.deliver(b.Context(), asking("m", `"UserIds":["a","b"]`))
		b.checkPosts("unreadable", map[string]int{"a1": 1})
		in := only(b, queueURL)
		if got := decode(b.T, attribute(in, "HeliographRetry")).Owed; !cmp.Equal(got, map[heliograph.UserID]message.Owed{"b": {}}) {
			b.Errorf("owed %v", got)
		}
		b.presence.unreadable["b"] = false
		b.walk(received(in, "again"))
		b.checkPosts("readable", map[string]int{"b1": 1})
	})
}

// TestAllOwedNeedsNoWords proves that a follow-up for all of a message's users names none of them: a large message
// might have no room for the names.
func TestAllOwedNeedsNoWords(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.read = failing
		var users []string
		for i := range message.MaxUsers {
			users = append(users, fmt.Sprintf(`"%0200d"`, i))
		}
		r := asking("m", `"UserIds":[`+strings.Join(users, ",")+`]`)
		b.deliver(b.Context(), r)
		in := only(b, queueURL)
		checkFollowUp(b, in, message.State{Attempt: 2, FirstSentAt: r.SentAt.UnixMilli()}, 5, 7)
		dead := b.walk(received(in, "again"))
		if len(dead) != 1 || attribute(dead[0], "HeliographOwed") != "" {
			b.Errorf("dead letters: %v", dead)
		}
	})
}

// TestConnection proves each outcome of a message to one connection, about which nothing is known except that it
// existed when the message was sent.
func TestConnection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answers []answer
		sent    time.Duration // how long ago
		posts   int
		outcome string
		dead    string // owed in the dead letter
	}{
		{name: "delivered", answers: []answer{ok}, posts: 1},
		{name: "gone, sent long ago", answers: []answer{gone}, sent: trustGoneAfter + time.Second, posts: 1, outcome: "gone"},
		{name: "gone, sent just now", answers: []answer{gone}, posts: 3, outcome: "gone"},
		{name: "gone, then it settles in", answers: []answer{gone, ok}, posts: 2, outcome: "delivered"},
		{
			name: "failing", answers: []answer{{status: 403}}, posts: 3,
			dead: `{"attempt":1,"owed":{"":{"connections":["c1="]}}}`,
		},
		{
			name: "not an id", answers: []answer{{status: 400, code: "BadRequestException"}}, posts: 1,
			dead: `{"attempt":1,"owed":{"":{"connections":["c1="]}}}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.online("c", 1) // a user with connections that the message must not touch
				b.gateway.answers["c1="] = test.answers
				r := asking("m", `"ConnectionId":"c1="`)
				r.SentAt = r.SentAt.Add(-test.sent)
				dead := b.walk(r)
				b.checkPosts("walk", map[string]int{"c1=": test.posts})
				if len(b.presence.pruned) > 0 {
					t.Errorf("pruned %v", b.presence.pruned)
				}
				outcome := ""
				for _, l := range b.logged("message done") {
					outcome = fmt.Sprint(l["outcome"])
				}
				if outcome != test.outcome {
					t.Errorf("outcome %q, want %q", outcome, test.outcome)
				}
				if (len(dead) > 0) != (test.dead != "") || (len(dead) > 0 && attribute(dead[0], "HeliographOwed") != test.dead) {
					t.Errorf("dead letters: %v", dead)
				}
				for _, in := range dead {
					b.gateway.answers["c1="] = []answer{ok}
					b.walk(received(in, "redriven"))
					b.checkPosts("redriven", map[string]int{"c1=": 1})
				}
			})
		})
	}
}

// TestOneBodyIsRefused proves that a body that no connection will accept ends the chain at once, and that the dead
// letter names the connections without it.
func TestOneBodyIsRefused(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 1)
		b.online("b", 1)
		b.gateway.answers["b1"] = []answer{{status: 413}}
		dead := b.walk(asking("m", `"UserIds":["a","b"]`))
		b.checkPosts("walk", map[string]int{"a1": 1, "b1": 1})
		if len(dead) != 1 || attribute(dead[0], "RejectReason") != "body-too-large: API Gateway answered 413" {
			b.Fatalf("dead letters: %v", dead)
		}
		if got, want := attribute(dead[0], "HeliographOwed"), `{"attempt":1,"owed":{"b":{"connections":["b1"]}},"tally":{"delivered":1}}`; got != want {
			b.Errorf("owed %s, want %s", got, want)
		}
	})
}
