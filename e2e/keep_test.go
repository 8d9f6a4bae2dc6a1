package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph/local"
	"heliograph/simulator/fault"
)

// held keeps send from running, so that messages stay on the queue.
var held = fault.Rule{Service: fault.Lambda, Resource: "*-send", Error: "TooManyRequestsException"}

// TestKeep proves that a stack with --keep goes on where it was stopped, or killed: queued messages arrive, dead letters
// can be redriven, and users who were online are reported as offline on the queue of a subscriber, since their
// connections have ended with the process.
func TestKeep(t *testing.T) {
	t.Parallel()
	stopped, killed := filepath.Join(t.TempDir(), "stopped"), t.TempDir()
	before, r := startKeeping(t, stopped)
	l := newLoad(t, before.Endpoints())
	events := subscriber{l.queue, l.subscribe(t)}
	away, back := newUser(), newUser()
	l.connect(t, away)
	phone := l.connect(t, back)
	events.all(t, true, away, back)
	letter := r.refusedLetter(t, before, back)
	if _, err := before.Faults().Add(held); err != nil {
		t.Fatal(err)
	}
	r.send(t, back, "queued", map[string]sqstypes.MessageAttributeValue{
		"tenant": {DataType: aws.String("String"), StringValue: aws.String("acme")},
	})
	// What is in the file while the stack runs is what a stack that was killed leaves behind.
	eventually(t, "the state is saved", func(context.Context) (bool, error) {
		state, err := os.ReadFile(filepath.Join(stopped, "state.json"))
		if err == nil && strings.Contains(string(state), `\"queued\"`) {
			return true, os.WriteFile(filepath.Join(killed, "state.json"), state, 0o600)
		}
		return false, err
	})
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	phone.CloseNow()
	for name, folder := range map[string]string{"stopped": stopped, "killed": killed} {
		t.Run(name, func(t *testing.T) {
			stack, r := startKeeping(t, folder, held)
			l := newLoad(t, stack.Endpoints())
			events := subscriber{l.queue, events.url}
			events.all(t, false, away, back)
			phone := device{l.connect(t, back)}
			stack.Faults().Clear()
			if got := phone.next(t); got != "queued" {
				t.Errorf("arrived %q, want the queued message", got)
			}
			file := r.endpointsFile(t)
			if got := waitForLetter(t, file, letter.ID); got != letter {
				t.Errorf("the dead letter is %+v, was %+v", got, letter)
			}
			eventually(t, "the message is redriven", func(context.Context) (bool, error) {
				out, _, code := tryCommand(t, file, "dlq", "redrive", letter.MessageID)
				return code == 0 && strings.Contains(out, "\n1 redriven\n"), nil
			})
			if got := phone.next(t); got != "at last" {
				t.Errorf("arrived %q, want the redriven message", got)
			}
			r.send(t, back, "fence", nil)
			if got := phone.next(t); got != "fence" {
				t.Errorf("arrived %q, want the fence", got)
			}
		})
	}
}

// all waits until all of some users are reported as online, or as offline.
func (s subscriber) all(t *testing.T, online bool, users ...string) {
	t.Helper()
	reported := map[string]bool{}
	s.until(t, users, func(e event) bool {
		if e.Data.IsOnline == online {
			reported[e.Data.UserID] = true
		}
		return len(reported) == len(users)
	})
}

// startKeeping starts a stack that keeps its state in a folder.
func startKeeping(t *testing.T, folder string, faults ...fault.Rule) (*local.Stack, reached) {
	t.Helper()
	stack, err := local.Start(t.Context(), local.Options{
		Root: projectRoot(t), Config: map[string]string{"presenceGrace": "1s"}, Progress: os.Stderr, Keep: folder, Faults: faults,
		EndpointsFile: filepath.Join(t.TempDir(), "local.json"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Close() }) // the test may have closed it
	config, err := stack.Endpoints().AWSConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stack, reached{stack.Endpoints(), config}
}

// refusedLetter sends a message that becomes a dead letter, because API Gateway refuses it once.
func (r reached) refusedLetter(t *testing.T, stack *local.Stack, user string) listed {
	t.Helper()
	id, err := stack.Faults().Add(fault.Rule{Service: fault.Connections, Action: "PostToConnection", Error: "PayloadTooLargeException"})
	if err != nil {
		t.Fatal(err)
	}
	m := message{UserID: user, Body: "at last", ID: newUser()}
	r.sendRaw(t, m.text(t), nil)
	letter := waitForLetter(t, r.endpointsFile(t), m.ID)
	if err := stack.Faults().Remove(id); err != nil {
		t.Fatal(err)
	}
	return letter
}

// TestKeepIsLocked proves that two stacks don't keep their state in one folder, that other users can't write there, and
// that a state that can't be used is an error which says what to do.
func TestKeepIsLocked(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	startKeeping(t, folder)
	try := func(folder string) string {
		_, err := local.Start(t.Context(), local.Options{
			Root: projectRoot(t), Progress: os.Stderr, Keep: folder, EndpointsFile: filepath.Join(t.TempDir(), "local.json"),
		})
		if err == nil {
			t.Fatal("a second stack has started")
		}
		return err.Error()
	}
	if got := try(folder); !strings.Contains(got, "another local stack keeps its state in "+folder) {
		t.Errorf("got %s", got)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := try(open); !strings.Contains(got, "can be written to by other users") || !strings.Contains(got, "--keep") {
		t.Errorf("got %s", got)
	}
	broken := t.TempDir()
	text, _ := json.Marshal(map[string]int{"Version": 0})
	if err := os.WriteFile(filepath.Join(broken, "state.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := try(broken); !strings.Contains(got, filepath.Join(broken, "state.json")) || !strings.Contains(got, "move that file away") {
		t.Errorf("got %s", got)
	}
}
