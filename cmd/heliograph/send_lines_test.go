package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/sqs"
)

// runLines runs `send -` with a standard input.
func runLines(t *testing.T, endpoints string, stdin io.Reader) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	w := world{stdin: stdin, stdout: &out, stderr: &err, now: time.Now}
	code = run(t.Context(), w, []string{"--target", endpoints, "send", "--group", "acme", "-"})
	return code, out.String(), err.String()
}

func received(t *testing.T, queue *sqs.Queue) (bodies []string) {
	t.Helper()
	for queue.Stats().Visible > 0 {
		messages, err := queue.Receive(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if group := m.Attributes["MessageGroupId"]; group != "acme" {
				t.Errorf("a message of the group %q", group)
			}
			bodies = append(bodies, m.Body)
		}
	}
	return bodies
}

// TestSendLines proves that each line of standard input becomes a message, whatever their number and size, and that
// blank lines are none.
func TestSendLines(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 100<<10) // three of them exceed a request
	for name, lines := range map[string][]string{
		"none": {}, "one": {`{"UserId":"a","Body":"1"}`}, "large": {large, large, large, large},
		"many": strings.Split(strings.Repeat("x ", 24)+"x", " "),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue, endpoints := serveQueue(t)
			var want []string
			for i, line := range lines {
				if !strings.HasPrefix(line, "{") {
					line = fmt.Sprintf(`{"UserId":"u%d","Body":"%s"}`, i, line)
				}
				want = append(want, line)
			}
			code, stdout, stderr := runLines(t, endpoints, strings.NewReader(strings.Join(want, "\n\n")))
			if code != 0 || stdout != fmt.Sprintf("queued %d messages\n", len(want)) {
				t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
			}
			if diff := cmp.Diff(want, received(t, queue)); diff != "" {
				t.Errorf("on the queue (-want +got):\n%.500s", diff)
			}
		})
	}
}

// TestSendLinesRefuses proves that a line that is no message is named, and that only what stands before it is sent.
func TestSendLinesRefuses(t *testing.T) {
	t.Parallel()
	queue, endpoints := serveQueue(t)
	good := `{"UserId":"a","Body":"1"}`
	code, stdout, stderr := runLines(t, endpoints, strings.NewReader(good+"\n"+`{"UserId":"a"}`+"\n"+good))
	if code == 0 || stdout != "queued 1 messages\n" || !strings.Contains(stderr, "line 2 of standard input is no message: malformed: ") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if diff := cmp.Diff([]string{good}, received(t, queue)); diff != "" {
		t.Errorf("on the queue (-want +got):\n%s", diff)
	}
}

// TestSendLinesDoesNotWait proves that a message is sent although the next does not come.
func TestSendLinesDoesNotWait(t *testing.T) {
	t.Parallel()
	queue, endpoints := serveQueue(t)
	reader, writer := io.Pipe()
	done := make(chan int)
	go func() {
		code, _, _ := runLines(t, endpoints, reader)
		done <- code
	}()
	if _, err := io.WriteString(writer, `{"UserId":"a","Body":"1"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	messages, err := queue.Receive(t.Context(), 1, 20*time.Second)
	if err != nil || len(messages) != 1 {
		t.Errorf("on the queue: %v, %v", messages, err)
	}
	if err := writer.Close(); err != nil {
		t.Error(err)
	}
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
