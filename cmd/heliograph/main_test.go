package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNoStack proves that each command that needs a stack reports a missing one in one line, at once and with exit
// code 1, whether the stack was never started or was killed.
func TestNoStack(t *testing.T) {
	t.Parallel()
	stale := filepath.Join(t.TempDir(), "local.json")
	const killed = `{"webSocketUrl":"ws://127.0.0.1:1/local","httpUrl":"http://127.0.0.1:1","sendQueueUrl":"http://127.0.0.1:1/q","region":"us-east-1",
		"parameterPrefix":"/p","awsEndpointUrl":"http://127.0.0.1:1","consoleUrl":"http://127.0.0.1:1/console","pid":1073741824}`
	if err := os.WriteFile(stale, []byte(killed), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range []string{
		"hello", "token --user 1", "connect --user 1", "send --user 1 text", "dlq list", "dlq show 1", "dlq redrive --all", "dlq drop --all", "online", "metrics",
		"journey 1", "doctor", "load", "top --once", "fault list", "fault clear", "fault add sns --down",
	} {
		for where, target := range map[string]string{"never was": filepath.Join(t.TempDir(), "local.json"), "killed": stale} {
			t.Run(arguments+", "+where, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				var stdout, stderr bytes.Buffer
				w := world{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now}
				code := run(ctx, w, append([]string{"--target", target}, strings.Fields(arguments)...))
				text := stderr.String()
				if code != 1 || stdout.Len() > 0 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "heliograph: the local stack is not running (") ||
					!strings.Contains(text, "start it with `heliograph local`") {
					t.Errorf("exit code %d, printed %q and %q", code, &stdout, text)
				}
			})
		}
	}
}

// TestHangUp proves that closing the terminal ends the program as Ctrl-C and SIGTERM do, so that it can clean up.
func TestHangUp(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to send")
	}
	signals := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}
	// Under nohup the program goes on, as its user asked.
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	for _, s := range signals {
		ctx, stop := untilEnded()
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Signal(s)
		}
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Errorf("%v does not end the program", s)
		}
		stop()
	}
}

// TestEmptyArguments proves, for every flag and argument that takes text, that an empty one is a usage error: a shell gives
// it for a variable that is not set, and without its filter a command would reach more than was meant.
func TestEmptyArguments(t *testing.T) {
	t.Parallel()
	for arguments, refused := range map[string]string{
		"dlq drop --all --reason= --yes": "--reason", "dlq redrive --all --reason=": "--reason", "dlq list --reason=": "--reason",
		"dlq drop <> --yes": "message-id", "dlq show <>": "message-id", "metrics --namespace=": "--namespace", "--stack= dlq drop --all --yes": "--stack",
		"send --user= text": "--user", "send --user=1 --user= text": "--user", "send --connection= --user=1 text": "--connection",
		"send --user=1 --id= text": "--id", "send --user=1 --expires= text": "--expires", "token --user=": "--user", "send --user=1 --group= text": "--group",
		"connect --user=": "--user", "connect --token=": "--token", "online --token=": "--token", "online <>": "users", "online 1 <>": "users", "journey <>": "id",
		"local --config jwtSecret=": "--config", "local --allow-host=": "--allow-host", "fault add <> --down": "service", "fault add sns --action= --down": "--action",
		"fault add sns --resource= --down": "--resource", "fault add sns --caller= --down": "--caller", "fault add sns --error=": "--error", "fault clear <>": "is empty",
	} {
		words := strings.Fields(arguments)
		for i := range words {
			words[i] = strings.Replace(words[i], "<>", "", 1)
		}
		var stderr bytes.Buffer
		nowhere := func() (string, error) { return "", errors.New("it runs") }
		w := world{stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: &stderr, now: time.Now, directory: nowhere}
		code := run(t.Context(), w, words)
		if code != 2 || !strings.Contains(stderr.String(), refused) || !strings.Contains(stderr.String(), "is empty") {
			t.Errorf("heliograph %s: exit code %d, %q", arguments, code, &stderr)
		}
	}
}
