package delivery

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/observability/catalogue"
	"heliograph/presence"
)

// TestDeadline proves that Deliver keeps to its deadline: posts end early enough for their follow-ups, records
// without time to start go back in order, and no work continues afterwards.
func TestDeadline(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("stuck", time.Hour)}
		b.presence.connections["5678"] = []presence.Connection{since("works", time.Hour)}
		b.gateway.answers["stuck"] = []answer{hanging}
		var records []Record
		for i := range maxRecords {
			records = append(records, plain(fmt.Sprint(i), "hello"))
		}
		records = append(records, plain("late 1", "hello"), Record{ID: "late 2", Body: "?"})
		// The tenth ends before the others, and frees a turn in time for one more.
		records[9].Body = `{"UserId":"5678","Body":"hello"}`

		start := time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), 8*time.Second)
		defer cancel()
		returned := b.deliver(ctx, records...)
		if diff := cmp.Diff([]string{"late 2"}, returned); diff != "" {
			b.Errorf("returned (-want +got):\n%s", diff)
		}
		if took := time.Since(start); took != 7*time.Second {
			b.Errorf("took %v, want the 8 s less the second that is kept back", took)
		}
		if got := len(b.queue.to(queueURL)); got != maxRecords {
			b.Errorf("%d follow-ups, want %d", got, maxRecords)
		}
	})
}

// TestDeadlineOfNeighbors proves that a hanging presence or queue can't hold a call beyond its deadline either.
func TestDeadlineOfNeighbors(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	bubble(t, func(b *harness) {
		b.presence.read = hang
		start := time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), 8*time.Second)
		defer cancel()
		if returned := b.deliver(ctx, plain("1", "hello")); returned != nil || time.Since(start) != 7*time.Second {
			b.Errorf("presence hangs: returned %v after %v", returned, time.Since(start))
		}
		if reason := b.logged("follow-up queued")[0]["cause"]; reason != "reading the connections: time-out" {
			b.Errorf("cause %q", reason)
		}

		b.queue.send = func(ctx context.Context, _ *sqs.SendMessageInput) error { return hang(ctx) }
		start = time.Now()
		ctx, cancel = context.WithTimeout(b.Context(), 8*time.Second)
		defer cancel()
		if returned := b.deliver(ctx, plain("2", "hello")); len(returned) != 1 || time.Since(start) != 7500*time.Millisecond {
			b.Errorf("queue hangs: returned %v after %v", returned, time.Since(start))
		}
	})
}

// stub turns a function into a Poster.
type stub func(context.Context, string) error

func (s stub) PostToConnection(ctx context.Context, in *apigatewaymanagementapi.PostToConnectionInput, _ ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.PostToConnectionOutput, error) {
	return nil, s(ctx, *in.ConnectionId)
}

// TestConcurrency proves that records and connections are processed in parallel, within bounds, and that all posts
// have ended when Deliver returns, even those that ignore their context.
func TestConcurrency(t *testing.T) {
	bubble(t, func(b *harness) {
		for i := range 100 {
			b.presence.connections["1234"] = append(b.presence.connections["1234"], since(heliograph.ConnectionID(fmt.Sprint(i)), time.Hour))
		}
		var running, most, posts atomic.Int64
		b.config.Poster = stub(func(context.Context, string) error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(15 * time.Millisecond)
			running.Add(-1)
			posts.Add(1)
			return nil
		})
		start := time.Now()
		b.deliver(b.Context(), plain("1", "hello"))
		if took := time.Since(start); took != 30*time.Millisecond || most.Load() != maxPosts || posts.Load() != 100 {
			b.Errorf("100 devices: %d posts, %d at a time, in %v", posts.Load(), most.Load(), took)
		}

		b.presence.connections["1234"] = b.presence.connections["1234"][:3]
		var batch []Record
		for i := range 10 {
			batch = append(batch, plain(fmt.Sprint(i), "hello"))
		}
		start = time.Now()
		b.deliver(b.Context(), batch...)
		if took := time.Since(start); took != 15*time.Millisecond || posts.Load() != 130 {
			b.Errorf("10 messages to 3 devices: %d posts in %v", posts.Load()-100, took)
		}

		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
		defer cancel()
		b.config.Poster = stub(func(context.Context, string) error {
			running.Add(1)
			time.Sleep(5 * time.Second)
			running.Add(-1)
			return nil
		})
		if b.deliver(ctx, batch[0]); running.Load() != 0 {
			b.Errorf("%d posts outlived the call", running.Load())
		}
	})
}

// TestPanic proves that a panic in a post, in the work for a user or for a record affects nothing else.
func TestPanic(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour), since("b", time.Hour)}
		b.config.Poster = stub(func(_ context.Context, connection string) error {
			if connection == "b" {
				panic("broken")
			}
			return nil
		})
		b.deliver(b.Context(), plain("post", "hello"))
		if got := decode(b.T, attribute(only(b, queueURL), "HeliographRetry")).Owed["1234"].Connections; !cmp.Equal(got, []heliograph.ConnectionID{"b"}) {
			b.Errorf("owed %v", got)
		}

		b.presence.read = func(context.Context) error { panic("broken, too") }
		for _, id := range []string{"", `"Id":"1",`} { // with an id, the connections are read in parallel with the claim
			r := plain("user", "hello")
			r.Body = strings.Replace(r.Body, "{", "{"+id, 1)
			b.deliver(b.Context(), r)
			checkCause(b, only(b, queueURL), "panic")
		}

		b.queue.send = func(context.Context, *sqs.SendMessageInput) error { panic("all is broken") }
		if returned := b.deliver(b.Context(), plain("record", "hello")); !cmp.Equal(returned, []string{"record"}) {
			b.Errorf("returned %v", returned)
		}
		if got := len(b.logged("panic while delivering")); got != 5 {
			b.Errorf("%d log lines about panics, want 5", got)
		}
		if got := b.metrics()[catalogue.HandlerErrors.Name()]; !cmp.Equal(got, []float64{1, 1, 1, 2}) {
			b.Errorf("HandlerErrors %v", got)
		}
	})
}

// checkCause checks the cause in the log line of the latest follow-up.
func checkCause(b *harness, _ *sqs.SendMessageInput, want string) {
	b.Helper()
	lines := b.logged("follow-up queued")
	if got := lines[len(lines)-1]["cause"]; got != want {
		b.Errorf("cause %q, want %q", got, want)
	}
}
