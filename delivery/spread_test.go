package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph"
	"heliograph/message"
	"heliograph/presence"
)

// fast lets broadcasts be spread, over pages of three users.
func (b *harness) fast() {
	b.config.BroadcastRate, b.presence.page = 16_000, 3
}

// TestBroadcastSpreads proves that a broadcast faster than one record becomes a record for each shard, and reaches every
// online user once.
func TestBroadcastSpreads(t *testing.T) {
	bubble(t, func(b *harness) {
		b.fast()
		b.crowd(200)
		b.deliver(b.Context(), asking("m", toAll))
		b.checkPosts("before it is spread", map[string]int{})
		records := slices.Clone(b.queue.to(queueURL))
		if len(records) != presence.Shards || len(b.logged("broadcast spread")) != 1 {
			b.Fatalf("%d records, want one for each of %d shards, and a log line", len(records), presence.Shards)
		}
		b.queue.sent = nil
		for i, in := range records {
			if s := decode(b.T, attribute(in, message.RetryAttribute)); s.Shard != i+1 || in.DelaySeconds != 0 {
				b.Errorf("record %d is for shard %d, in %d s", i, s.Shard, in.DelaySeconds)
			}
			if dead := b.walk(received(in, fmt.Sprint("m", i))); len(dead) > 0 {
				b.Errorf("dead letters: %v", dead)
			}
		}
		b.checkPosts("spread", once(0, 200))
	})
}

// TestBroadcastWithReceiptIsNotSpread proves that a broadcast has one receipt, at any rate, which counts everybody.
func TestBroadcastWithReceiptIsNotSpread(t *testing.T) {
	bubble(t, func(b *harness) {
		b.fast()
		b.crowd(50)
		if dead := b.walk(asking("m", toAll+`,"Id":"1","Receipt":true`)); len(dead) > 0 {
			b.Errorf("dead letters: %v", dead)
		}
		b.checkPosts("walk", once(0, 50))
		if r := b.receipts.published; len(r) != 1 || r[0].Delivered != 50 {
			b.Errorf("receipts %+v", r)
		}
	})
}

// TestShardDies proves that the dead letter of one shard, redriven, goes on where it had ended, and only there.
func TestShardDies(t *testing.T) {
	bubble(t, func(b *harness) {
		b.fast()
		b.crowd(200)
		failing := false
		b.presence.list = func(context.Context) error {
			if failing {
				return errors.New("throttled")
			}
			return nil
		}
		b.deliver(b.Context(), asking("m", toAll))
		first := received(b.queue.to(queueURL)[0], "first")
		b.queue.sent = nil
		failing = true
		dead := b.walk(first)
		b.checkPosts("unreadable", map[string]int{})
		if len(dead) != 1 || decode(b.T, attribute(dead[0], message.OwedAttribute)).Shard != 1 {
			b.Fatalf("dead letters: %v", dead)
		}
		failing = false
		b.walk(received(dead[0], "redriven"))
		want := map[string]int{}
		for i := range 200 {
			if shardOf(heliograph.UserID(fmt.Sprintf("u%03d-", i))) == 1 {
				want[device(i)] = 1
			}
		}
		b.checkPosts("redriven", want)
	})
}

// TestSpreadingDies proves that a broadcast whose records could not all be queued comes again, and with an Id reaches
// nobody twice.
func TestSpreadingDies(t *testing.T) {
	bubble(t, func(b *harness) {
		b.fast()
		b.crowd(100)
		sent := 0
		b.queue.send = func(context.Context, *sqs.SendMessageInput) error {
			if sent++; sent > 7 {
				return errors.New("the function is dead")
			}
			return nil
		}
		m := asking("m", toAll+`,"Id":"1"`)
		if back := b.deliver(b.Context(), m); len(back) != 1 {
			b.Fatalf("back went %v, want the broadcast", back)
		}
		b.queue.send = nil
		records := slices.Clone(b.queue.to(queueURL))
		b.queue.sent = nil
		for _, in := range records {
			b.walk(received(in, "early"))
		}
		b.walk(m)
		b.checkPosts("all", once(0, 100))
	})
}

// TestShardsOfState proves that states know as many shards as the list has.
func TestShardsOfState(t *testing.T) {
	t.Parallel()
	for shard, want := range map[int]bool{-1: false, 0: true, 1: true, presence.Shards: true, presence.Shards + 1: false} {
		s := message.State{Attempt: 1, Shard: shard}
		if _, rejection := message.ParseState("", s.Text(), time.Now()); (rejection == nil) != want {
			t.Errorf("shard %d: %v", shard, rejection)
		}
	}
}

// crew is a number of functions that work on one queue at once, each with one record, as Lambda may run them.
type crew struct {
	mu    sync.Mutex
	due   []*sqs.SendMessageInput
	at    []time.Time
	posts []time.Time
	busy  int
}

func (c *crew) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due, c.at = append(c.due, in), append(c.at, time.Now().Add(time.Duration(in.DelaySeconds)*time.Second))
	return &sqs.SendMessageOutput{MessageId: aws.String("m")}, nil
}

func (c *crew) post(context.Context, string) error {
	time.Sleep(15 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts = append(c.posts, time.Now())
	return nil
}

// take returns a record that is due, and reports whether there is, or will be, any.
func (c *crew) take() (in *sqs.SendMessageInput, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.due {
		if !c.at[i].After(time.Now()) {
			in = c.due[i]
			c.due, c.at = slices.Delete(c.due, i, i+1), slices.Delete(c.at, i, i+1)
			c.busy++
			return in, true
		}
	}
	return nil, len(c.due)+c.busy > 0
}

// work delivers records until none is left.
func (c *crew) work(ctx context.Context, config Config) {
	for {
		in, more := c.take()
		switch {
		case !more:
			return
		case in == nil:
			time.Sleep(10 * time.Millisecond)
			continue
		}
		New(config).Deliver(ctx, []Record{received(in, "m")})
		c.mu.Lock()
		c.busy--
		c.mu.Unlock()
	}
}

// TestBroadcastPace proves how many users a second broadcasts go through, if a post takes 15 ms and a read 5 ms: never
// more than the rate, and not much less, though each page waits for a second after the last.
func TestBroadcastPace(t *testing.T) {
	t.Parallel()
	pause := func(d time.Duration) func(context.Context) error {
		return func(context.Context) error { time.Sleep(d); return nil }
	}
	for _, test := range []struct{ rate, functions, users, least int }{
		{500, 1, 5_000, 450}, {1000, 1, 10_000, 800}, {4000, 4, 20_000, 3_000}, {10_000, 10, 50_000, 7_000},
	} {
		t.Run(fmt.Sprint(test.rate), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, p := &crew{}, newPresence()
				p.read, p.list = pause(5*time.Millisecond), pause(5*time.Millisecond)
				took := c.broadcast(t, p, test.rate, test.functions, test.users, c.post)
				pace := float64(test.users) / took.Seconds()
				t.Logf("broadcastRate %d, %d functions: %.0f users a second", test.rate, test.functions, pace)
				if len(c.posts) != test.users || pace < float64(test.least) {
					t.Errorf("%d posts to %d users, %.0f a second, want %d", len(c.posts), test.users, pace, test.least)
				}
				for i := test.rate; i < len(c.posts); i++ {
					if took := c.posts[i].Sub(c.posts[i-test.rate]); took < time.Second {
						t.Fatalf("%d posts within %v, after %v", test.rate+1, took, c.posts[i].Sub(c.posts[0]))
					}
				}
			})
		})
	}
}

// broadcast sends a message to this many users, a connection each, by functions that work side by side, and returns how long
// that takes.
func (c *crew) broadcast(t *testing.T, p *fakePresence, rate, functions, users int, post stub) time.Duration {
	t.Helper()
	for i := range users {
		user := heliograph.UserID(fmt.Sprint("user", i))
		p.connections[user] = []presence.Connection{{User: user, ID: heliograph.ConnectionID(user)}}
	}
	config := Config{
		Presence: p, Queue: c, QueueURL: queueURL, DeadLetterQueueURL: deadLetterURL, Poster: post,
		Claims: newClaims(), Receipts: &fakeReceipts{}, Keys: testKeys{}, BroadcastRate: rate,
	}
	_, _ = c.SendMessage(t.Context(), &sqs.SendMessageInput{MessageBody: aws.String(asking("m", toAll).Body)})
	start := time.Now()
	var group sync.WaitGroup
	for range functions {
		group.Go(func() { c.work(t.Context(), config) })
	}
	group.Wait()
	return time.Since(start)
}
