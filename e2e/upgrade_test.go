package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/coder/websocket"

	"heliograph/infra/build"
	"heliograph/local"
	"heliograph/simulator/fault"
)

// TestUpgrade proves that an upgrade is not felt: while clients are connected, producers send, and follow-ups wait on the
// queue, each function is replaced by its successor, one after the other. No connection closes, nobody is reported as
// offline, and each message arrives once, those included whose state the version before has sealed.
//
// The version before is that of the last tag. A clone without tags replaces the functions by themselves, which still
// proves that a deployment loses nothing.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	before, after := formerFunctions(t), builtFunctions(t, projectRoot(t), "")
	stack, err := local.Start(t.Context(), local.Options{
		Root: projectRoot(t), Functions: before, Config: map[string]string{"presenceGrace": "1s"}, Progress: os.Stderr,
		EndpointsFile: filepath.Join(t.TempDir(), "local.json"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Close() })
	l := newLoad(t, stack.Endpoints())
	events := subscriber{l.queue, l.subscribe(t)}
	users := []string{newUser(), newUser(), newUser()}
	var stayed []*staying
	for _, user := range users {
		stayed = append(stayed, stay(t, l, user))
	}
	events.all(t, true, users...)
	l.owe(t, stack, stayed[0])

	stop, sent := make(chan struct{}), make(chan int)
	go func() { sent <- l.keepSending(t, users, stop) }()
	if err := stack.Replace(after, map[string]string{"UPGRADED": "yes"}); err != nil {
		t.Fatal(err)
	}

	comer := newUser() // meets the successors of all functions
	l.connect(t, comer)
	l.send(t, comer)
	events.until(t, append(users, comer), func(e event) bool {
		if !e.Data.IsOnline {
			t.Errorf("%s was reported as offline", e.Data.UserID)
		}
		return e.Data.UserID == comer
	})
	close(stop)
	n := <-sent
	for i, s := range stayed {
		want := n
		if i == 0 {
			want++
		}
		s.hasAll(t, want)
		if online, err := l.status(within(t), s.user); err != nil || !online {
			t.Errorf("%s is online: %v, %v", s.user, online, err)
		}
	}
	if denied := stack.Denied(); len(denied) > 0 {
		t.Errorf("calls were denied: %v", denied)
	}
}

// formerFunctions builds the functions of the last tag before this commit, or of this commit if there is none.
func formerFunctions(t *testing.T) build.Functions {
	t.Helper()
	root := projectRoot(t)
	tag, err := exec.CommandContext(t.Context(), "git", "-C", root, "describe", "--tags", "--abbrev=0", "HEAD^").Output()
	if err != nil {
		t.Log("this clone has no tag, or no history: the functions are replaced by themselves")
		return builtFunctions(t, root, "")
	}
	former := t.TempDir()
	source, err := exec.CommandContext(t.Context(), "git", "-C", root, "archive", strings.TrimSpace(string(tag))).Output()
	if err != nil {
		t.Fatalf("read the source of %s: %v", tag, err)
	}
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", former)
	unpack.Stdin = bytes.NewReader(source)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack the source of %s: %v\n%s", tag, err, out)
	}
	t.Logf("upgrading from %s", strings.TrimSpace(string(tag)))
	return builtFunctions(t, former, t.TempDir())
}

func builtFunctions(t *testing.T, root, out string) build.Functions {
	t.Helper()
	functions, err := build.Build(t.Context(), build.Target{Here: true, Root: root, Out: out, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	return functions
}

// staying is a connection that must stay open, and the bodies that arrived there.
type staying struct {
	user string
	mu   sync.Mutex
	got  map[string]int
}

// stay opens a connection and reads from it until the test ends; an end before is a failure.
func stay(t *testing.T, l load, user string) *staying {
	t.Helper()
	s := &staying{user: user, got: map[string]int{}}
	socket := l.connect(t, user)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for {
			kind, body, err := socket.Read(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil || kind != websocket.MessageText {
				t.Errorf("the connection of %s has ended: %v", user, err)
				return
			}
			s.mu.Lock()
			s.got[string(body)]++
			s.mu.Unlock()
		}
	}()
	return s
}

// hasAll waits until so many messages have arrived, and fails if one has come twice.
func (s *staying) hasAll(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages have reached %s", n, s.user), func(context.Context) (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.got) >= n, nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for body, times := range s.got {
		if times > 1 {
			t.Errorf("%s arrived %d times at %s", body, times, s.user)
		}
	}
}

// owe leaves a follow-up on the queue: a message that could not be posted.
func (l load) owe(t *testing.T, stack *local.Stack, s *staying) {
	t.Helper()
	id, err := stack.Faults().Add(fault.Rule{Service: fault.Connections, Action: "PostToConnection", Error: "LimitExceededException"})
	if err != nil {
		t.Fatal(err)
	}
	l.send(t, s.user)
	eventually(t, "the follow-up waits on the queue", func(ctx context.Context) (bool, error) {
		out, err := l.queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(l.endpoints.SendQueueURL), AttributeNames: []sqstypes.QueueAttributeName{"ApproximateNumberOfMessagesDelayed"},
		})
		if err != nil {
			return false, err
		}
		return out.Attributes["ApproximateNumberOfMessagesDelayed"] == "1", nil
	})
	if err := stack.Faults().Remove(id); err != nil {
		t.Fatal(err)
	}
}

// keepSending sends messages to all users until it is stopped, and returns how many each has got. There are some after
// the stop, too, which the successors alone handle.
func (l load) keepSending(t *testing.T, users []string, stop chan struct{}) (n int) {
	ctx := context.WithoutCancel(t.Context())
	for last := 0; last < 10; n++ {
		var bodies []string
		for _, user := range users {
			bodies = append(bodies, fmt.Sprintf(`{"UserId":%q,"Body":%q}`, user, strconv.Itoa(n)))
		}
		if err := l.sendAll(ctx, bodies); err != nil {
			t.Errorf("send: %v", err)
			return n
		}
		select {
		case <-stop:
			last++
		case <-time.After(20 * time.Millisecond):
		}
	}
	return n
}
