package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"heliograph/local"
	"heliograph/simulator/cloud"
	"heliograph/simulator/fault"
)

// newAccount is what AWS allows a new account: 10 concurrent executions.
var newAccount = cloud.Stress{Concurrency: 10}

// throttles are AWS's answers to an account whose quotas are low or used up by others.
var throttles = []fault.Rule{
	{Service: fault.Connections, Action: "PostToConnection", Error: "LimitExceededException", Rate: 0.2},
	{Service: fault.DynamoDB, Caller: "*", Error: "ThrottlingException", Rate: 0.05},
	{Service: fault.SQS, Caller: "*", Error: "ThrottlingException", Rate: 0.05},
}

// TestAccounts proves that the whole program works on the accounts that there are: all messages arrive, and meanwhile
// clients can connect, since send leaves them executions.
func TestAccounts(t *testing.T) {
	t.Parallel()
	for name, account := range map[string]struct {
		local.Options
		tries int // of a client; a table that throttles one call in twenty refuses three in a row once in 8,000 calls
	}{
		"new":       {local.Options{Stress: newAccount}, 1},
		"shared":    {local.Options{LogRole: "arn:aws:iam::000000000000:role/theirs"}, 1},
		"throttled": {local.Options{Faults: throttles}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			o := account.Options
			o.Root, o.EndpointsFile, o.Progress = projectRoot(t), filepath.Join(t.TempDir(), "local.json"), os.Stderr
			stack, err := local.Start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := stack.Close(); err != nil {
					t.Error(err)
				}
			})
			connectUnderLoad(t, newLoad(t, stack.Endpoints()), account.tries)
			if denied := stack.Denied(); len(denied) > 0 {
				t.Errorf("calls were denied: %v", denied)
			}
		})
	}
}

// connectUnderLoad keeps send busy with messages to one user, and opens connections of others, two at a time: with three
// executions of send, two of announce and a sweep, they fit into 10.
func connectUnderLoad(t *testing.T, l load, tries int) {
	t.Helper()
	const messages, clients, side = 1000, 40, 2
	receiver := l.connect(t, "receiver")
	if receiver == nil {
		return
	}
	var arrived atomic.Int64
	go countMessages(receiver, &arrived)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(1 + side)
	group.Go(func() error {
		for i := range messages / 10 {
			var bodies []string
			for j := range 10 {
				bodies = append(bodies, fmt.Sprintf(`{"UserId":"receiver","Body":"message %d"}`, 10*i+j))
			}
			if err := l.sendAll(ctx, bodies); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range clients {
		group.Go(func() error {
			socket, err := l.dial(ctx, fmt.Sprint("user-", i))
			for try := 1; err != nil && try < tries; try++ {
				socket, err = l.dial(ctx, fmt.Sprint("user-", i))
			}
			if err != nil {
				return fmt.Errorf("connection %d, with %d messages delivered: %w", i, arrived.Load(), err)
			}
			t.Cleanup(func() { socket.CloseNow() })
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	during := arrived.Load()
	t.Logf("%d of %d messages had arrived when the last of %d clients connected", during, messages, clients)
	for late := time.Now().Add(3 * time.Minute); arrived.Load() < messages; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d of %d messages arrived", arrived.Load(), messages)
		}
	}
}

// countMessages counts a connection's messages until it ends.
func countMessages(socket *websocket.Conn, n *atomic.Int64) {
	for {
		if _, _, err := socket.Read(context.Background()); err != nil {
			return
		}
		n.Add(1)
	}
}
