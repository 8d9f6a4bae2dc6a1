package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/message"
	"heliograph/presence"
)

const toAll = `"Broadcast":true`

// crowd brings n users online, with one device each. The harness's rate is ten users a second.
func (b *harness) crowd(n int) {
	for i := range n {
		b.online(heliograph.UserID(fmt.Sprintf("u%03d-", i)), 1)
	}
}

// device returns the device of one user in the crowd.
func device(i int) string { return fmt.Sprintf("u%03d-1", i) }

// once returns the expected posts if each user in the range gets one.
func once(from, to int) map[string]int {
	posts := map[string]int{}
	for i := from; i < to; i++ {
		posts[device(i)] = 1
	}
	return posts
}

// TestBroadcast proves that a broadcast reaches every online user once, page by page and no faster than the rate, and
// that its progress is logged and measured.
func TestBroadcast(t *testing.T) {
	bubble(t, func(b *harness) {
		b.crowd(25)
		var times []time.Time
		var mu sync.Mutex
		b.config.Poster = stub(func(_ context.Context, id string) error {
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Now())
			b.gateway.posts[id] = append(b.gateway.posts[id], "")
			return nil
		})
		start := time.Now()
		if dead := b.walk(asking("m", toAll)); len(dead) > 0 {
			b.Errorf("dead letters: %v", dead)
		}
		b.checkPosts("walk", once(0, 25))
		for i := 10; i < len(times); i++ {
			if times[i].Sub(times[i-10]) < time.Second {
				b.Errorf("posts %d to %d came within %v", i-10, i, times[i].Sub(times[i-10]))
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			b.Errorf("took %v, want a second between the pages", took)
		}
		want := map[string][]float64{"MessagesReceived": {1, 1, 1}, "PostsDelivered": {10, 10, 5}, "BroadcastUsers": {10, 10, 5}}
		if diff := cmp.Diff(want, b.metrics()); diff != "" {
			b.Errorf("metrics (-want +got):\n%s", diff)
		}
		if got := len(b.logged("broadcast page done")); got != 3 {
			b.Errorf("%d log lines, want one a page", got)
		}
	})
}

// TestBroadcastToNobody proves that a broadcast with no user online settles with its receipt and no dead letter.
func TestBroadcastToNobody(t *testing.T) {
	bubble(t, func(b *harness) {
		if dead := b.walk(asking("m", toAll+`,"Id":"1","Receipt":true`)); len(dead) > 0 || len(b.receipts.published) != 1 {
			b.Errorf("dead letters %v, receipts %v", dead, b.receipts.published)
		}
	})
}

// TestBroadcastGoesOnAfterACrash proves that SQS redelivers a page whose function died and the broadcast continues
// from there; with an Id, no user gets it twice.
func TestBroadcastGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	for fields, again := range map[string]map[string]int{toAll: once(10, 20), toAll + `,"Id":"1"`: {}} {
		t.Run(fields, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.crowd(25)
				b.deliver(b.Context(), asking("m", fields))
				second := received(only(b, queueURL), "second")
				b.queue.send = func(context.Context, *sqs.SendMessageInput) error { return errors.New("the function is dead") }
				b.deliver(b.Context(), second)
				b.checkPosts("until the crash", once(0, 20))
				b.queue.send = nil
				time.Sleep(180 * time.Second)
				b.deliver(b.Context(), second)
				b.checkPosts("the page again", again)
				b.walk(received(only(b, queueURL), "third"))
				b.checkPosts("the rest", once(20, 25))
			})
		})
	}
}

// TestBroadcastOwes proves that users whom a page could not reach are retried at the end of the list, and that a
// redriven dead letter reaches only the users who were given up.
func TestBroadcastOwes(t *testing.T) {
	bubble(t, func(b *harness) {
		b.crowd(25)
		b.gateway.answers[device(3)] = []answer{{status: 403}}
		b.gateway.answers[device(12)] = []answer{{status: 403}, ok}
		dead := b.walk(asking("m", toAll+`,"Id":"1","Receipt":true`))
		posts := once(0, 25)
		posts[device(3)], posts[device(12)] = 3, 2
		b.checkPosts("walk", posts)
		if len(dead) != 1 || attribute(dead[0], "RejectReason") != "undelivered: 1 connection owed after 3 attempts, the last one: 403" {
			b.Fatalf("dead letters: %v", dead)
		}
		if r := b.receipts.published; len(r) != 1 || r[0].Delivered != 24 || r[0].Failed != 1 {
			b.Errorf("receipts %+v", r)
		}
		b.gateway.answers[device(3)] = []answer{ok}
		b.walk(received(dead[0], "redriven"))
		b.checkPosts("put back", map[string]int{device(3): 1})
		if r := b.receipts.published; len(r) != 2 || r[1].Delivered != 1 || r[1].Failed != 0 {
			b.Errorf("receipts %+v", r)
		}
	})
}

// TestBroadcastPauses proves that the paging pauses once many users are owed, or one has been owed for long: they are
// retried, those given up are left behind, and the paging continues.
func TestBroadcastPauses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		crowd  int
		broken []int
		before int // users that the broadcast has gone through before the retry
	}{
		{"half of a page is owed", 30, []int{0, 2, 4, 6, 8}, 10},
		{"half of a page is owed over two pages", 30, []int{0, 2, 4, 10, 12}, 17},
		{"one is owed for long", 400, []int{0}, 280},
		{"all are owed", 20, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.crowd(test.crowd)
				posts := once(0, test.crowd)
				for _, i := range test.broken {
					b.gateway.answers[device(i)] = []answer{{status: 403}}
					posts[device(i)] = 3
				}
				before := 0
				b.queue.send = func(_ context.Context, in *sqs.SendMessageInput) error {
					if before == 0 && strings.Contains(attribute(in, "HeliographRetry"), `"paused":true`) {
						before = len(b.gateway.received())
					}
					return nil
				}
				dead := b.walk(asking("m", toAll))
				b.checkPosts("walk", posts)
				if before != test.before {
					t.Errorf("paused after %d users, want %d", before, test.before)
				}
				owed := map[heliograph.UserID]message.Owed{}
				for _, in := range dead {
					for user, debt := range decode(t, attribute(in, "HeliographOwed")).Owed {
						owed[user] = debt
					}
				}
				if len(dead) != 1 || len(owed) != len(test.broken) {
					t.Errorf("%d dead letters name %d users, want one that names %d", len(dead), len(owed), len(test.broken))
				}
				for _, i := range test.broken {
					b.gateway.answers[device(i)] = []answer{ok}
				}
				b.queue.send = nil
				b.walk(received(dead[0], "redriven"))
				if got := b.posts(); len(got) != len(test.broken) {
					t.Errorf("put back, it reached %v", got)
				}
			})
		})
	}
}

// TestBroadcastToAMovingCrowd proves that users who stay online get the broadcast once while others come and go, and
// that the broadcast waits for no user.
func TestBroadcastToAMovingCrowd(t *testing.T) {
	bubble(t, func(b *harness) {
		b.crowd(25)
		b.deliver(b.Context(), asking("m", toAll+`,"Id":"1","Receipt":true`))
		b.online("a", 1) // before the cursor, so too late
		b.online("z", 1)
		delete(b.presence.connections, "u005-")
		delete(b.presence.connections, "u015-")
		b.presence.list = func(context.Context) error {
			// The list lags: a user on it may have left a moment ago.
			b.presence.lastActivity["z"] = time.Now().Add(-time.Second)
			return nil
		}
		b.presence.left["z"] = true
		b.walk(received(only(b, queueURL), "again"))
		if waits := b.logged("follow-up queued"); len(waits) > 0 {
			b.Errorf("somebody was waited for: %v", waits)
		}
		posts := once(0, 25)
		delete(posts, device(15))
		b.checkPosts("walk", posts)
		if r := b.receipts.published; len(r) != 1 || r[0].Delivered != 24 || r[0].Offline != 1 {
			b.Errorf("receipts %+v", r)
		}
	})
}

// TestBroadcastPageUnreadable proves that a page that can't be read is retried, and that the dead letter after the
// last attempt resumes the broadcast where it stopped.
func TestBroadcastPageUnreadable(t *testing.T) {
	bubble(t, func(b *harness) {
		b.crowd(25)
		b.gateway.answers[device(1)] = []answer{{status: 403}, ok}
		b.deliver(b.Context(), asking("m", toAll+`,"Id":"1"`))
		second := received(only(b, queueURL), "second")
		b.presence.list = failing
		dead := b.walk(second)
		b.checkPosts("until the table fails", once(0, 10))
		const want = "undelivered: the rest of the online users owed after 3 attempts, the last one: reading who is online: no answer"
		if len(dead) != 1 || attribute(dead[0], "RejectReason") != want {
			b.Fatalf("dead letters: %v", dead)
		}
		b.presence.list = func(context.Context) error { return nil }
		time.Sleep(time.Hour)
		b.walk(received(dead[0], "redriven"))
		rest := once(10, 25)
		rest[device(1)] = 1
		b.checkPosts("put back", rest)
	})
}

// TestBroadcastEnds proves which faults end a broadcast at once, in the dead-letter queue.
func TestBroadcastEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(*harness)
		record  func() Record
		reason  string
		posts   int
	}{
		{
			name: "nobody will take the body", posts: 10, reason: "body-too-large: API Gateway answered 413",
			prepare: func(b *harness) { b.gateway.answers[device(2)] = []answer{{status: 413}} },
			record:  func() Record { return asking("m", toAll) },
		},
		{
			name: "the cursor is none", reason: "bad-follow-up: the cursor is not one of the list of online users",
			prepare: func(b *harness) {
				b.presence.list = func(context.Context) error { return &presence.InvalidError{Field: "cursor", Reason: "is odd"} }
			},
			record: func() Record {
				r := asking("m", toAll)
				r.Attributes = followUpOf(message.State{Attempt: 1, Cursor: "?"})
				return r
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.crowd(25)
				test.prepare(b)
				dead := b.walk(test.record())
				if len(dead) != 1 || attribute(dead[0], "RejectReason") != test.reason {
					t.Fatalf("dead letters: %v", dead)
				}
				if got := len(b.posts()); got != test.posts {
					t.Errorf("%d posts, want %d", got, test.posts)
				}
			})
		})
	}
}
