package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// listed is an entry of `heliograph dlq list --json`.
type listed struct {
	MessageID, Reason, Detail, ID string
	Attempts, Bytes               int
}

// endpointsFile returns a file for the command line's --target.
func (r reached) endpointsFile(t *testing.T) string {
	t.Helper()
	data, err := json.Marshal(r.Endpoints)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "target.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// tryCommand runs the command line and returns its exit code.
func tryCommand(t *testing.T, file string, arguments ...string) (stdout, stderr string, code int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	command := exec.CommandContext(within(t), path, append([]string{"--target", file}, arguments...)...)
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil && command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

// waitForLetter waits until the list contains the dead letter of a message.
func waitForLetter(t *testing.T, file, id string) (found listed) {
	t.Helper()
	eventually(t, "the list of dead letters has "+id, func(context.Context) (bool, error) {
		var all []listed
		decode(t, runCommand(t, file, "dlq", "list", "--json", "--limit", "10000"), &all)
		for _, l := range all {
			if l.ID == id {
				found = l
				return true, nil
			}
		}
		return false, nil
	})
	return found
}

// TestDeadLetterCommands proves an operator's handling of a malformed message: list, show, drop.
func TestDeadLetterCommands(t *testing.T) {
	t.Parallel()
	file, id := shared().endpointsFile(t), newUser()
	body := `{"UserId":7,"Body":"private","Id":"` + id + `"}`
	sendRaw(t, body)
	letter := waitForLetter(t, file, id)
	want := listed{letter.MessageID, "malformed", letter.Detail, id, 1, len(body)}
	if letter != want || letter.Detail == "" {
		t.Errorf("listed as %+v, want %+v", letter, want)
	}
	table := runCommand(t, file, "dlq", "list", "--reason", "malformed", "--limit", "10000")
	if !strings.Contains(table, "malformed: ") || strings.Contains(table, "private") {
		t.Errorf("list printed\n%s", table)
	}
	for _, step := range []struct {
		arguments []string
		code      int
		has, not  string
	}{
		{[]string{"show", letter.MessageID}, 0, "SentTimestamp", "private"},
		{[]string{"show", letter.MessageID, "--body"}, 0, body, ""},
		{[]string{"drop", letter.MessageID}, 1, "add --yes", ""},
		{[]string{"drop", letter.MessageID, "--yes"}, 0, "1 dropped", ""},
		{[]string{"show", letter.MessageID}, 1, "not found in " + target.DeadLetterQueueURL, ""},
		{[]string{"redrive", letter.MessageID}, 1, "not found in " + target.DeadLetterQueueURL, ""},
	} {
		// Parallel tests read the queue as well, and hide its messages for some seconds.
		eventually(t, "dlq "+strings.Join(step.arguments, " "), func(context.Context) (bool, error) {
			stdout, stderr, code := tryCommand(t, file, append([]string{"dlq"}, step.arguments...)...)
			if step.not != "" && strings.Contains(stdout+stderr, step.not) {
				t.Errorf("printed\n%s\n%s", stdout, stderr)
			}
			return code == step.code && strings.Contains(stdout+stderr, step.has), nil
		})
	}
}

// redriven: a redriven dead letter arrives, although its Id is known, and only once; another message with its Id does
// not. Other tests read this queue as well, so the command is repeated until it finds the letter.
func (b *breakable) redriven(t *testing.T) {
	t.Parallel()
	file, user := b.endpointsFile(t), newUser()
	phone, connection := b.connect(t, user)
	added := runCommand(t, file, "fault", "add", "execute-api", "--action", "PostToConnection",
		"--resource", "*/@connections/"+connection, "--error", "PayloadTooLargeException")
	fault, _, _ := strings.Cut(added, ":")
	m := message{UserID: user, Body: "at last", ID: newUser()}
	b.sendRaw(t, m.text(t), map[string]sqstypes.MessageAttributeValue{
		"tenant": {DataType: aws.String("String"), StringValue: aws.String("acme")},
	})
	letter := waitForLetter(t, file, m.ID)
	if letter.Reason != "body-too-large" || letter.Attempts != 1 {
		t.Errorf("listed as %+v", letter)
	}
	runCommand(t, file, "fault", "clear", fault)
	eventually(t, "the message is redriven", func(context.Context) (bool, error) {
		out, _, code := tryCommand(t, file, "dlq", "redrive", letter.MessageID)
		return code == 0 && strings.Contains(out, "\n1 redriven\n"), nil
	})
	b.arrivesOnce(t, phone, user, "at last")
	b.sendRaw(t, m.text(t), nil)
	b.send(t, user, "fence", nil)
	if got := phone.next(t); got != "fence" {
		t.Errorf("arrived %q, want the fence", got)
	}
}
