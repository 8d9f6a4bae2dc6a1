package observability

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLogLine proves a log line's keys, in a context as aws-lambda-go makes it.
func TestLogLine(t *testing.T) {
	t.Parallel()
	ctx := lambdaContext(context.Background(), "r-1", "Root=1-5e1b4151-5ac6c58f1234567890abcdef;Parent=53995c3f42cd8ad8;Sampled=1")
	logs, _, _ := run(t, ctx, func(ctx context.Context) error {
		Log(ctx).Debug("not written, but the logger is made")
		SetProperty(ctx, "connectionId", "c-1")
		Log(ctx).Info("posted", "attempt", 2, "error", errTest)
		return nil
	})
	at, err := time.Parse(time.RFC3339Nano, logs[0]["timestamp"].(string))
	if err != nil || time.Since(at) > time.Minute {
		t.Errorf("the timestamp is %v", logs[0]["timestamp"])
	}
	delete(logs[0], "timestamp")
	want := line{
		"level": "INFO", "message": "posted", "requestId": "r-1", "traceId": "1-5e1b4151-5ac6c58f1234567890abcdef",
		"coldStart": true, "connectionId": "c-1", "attempt": 2.0,
		"error": map[string]any{"message": "no such luck", "type": "*errors.errorString"},
	}
	if diff := cmp.Diff(want, logs[0]); diff != "" {
		t.Error(diff)
	}
}

// TestUntracedID proves that a trace's id is not written if X-Ray has no such trace.
func TestUntracedID(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Root=1-5e1b4151-5ac6c58f1234567890abcdef;Parent=53995c3f42cd8ad8;Sampled=0", "Root=1-5e1b4151-5ac6c58f1234567890abcdef"} {
		logs, metrics, _ := run(t, lambdaContext(context.Background(), "r-1", header), func(ctx context.Context) error {
			Log(ctx).Info("hello")
			return nil
		})
		for _, l := range append(logs, metrics...) {
			if l["traceId"] != nil || l["requestId"] != "r-1" {
				t.Errorf("by %s: %v", header, l)
			}
		}
	}
}

// TestLogWithoutLambda proves that ids that are not known are left out, and not empty.
func TestLogWithoutLambda(t *testing.T) {
	t.Parallel()
	logs, _, _ := run(t, context.Background(), func(ctx context.Context) error {
		Log(ctx).Info("hello")
		return nil
	})
	want := []string{"coldStart", "level", "message", "timestamp"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(logs[0]))); diff != "" {
		t.Error(diff)
	}
}

// TestLogLevel proves that lines below the configured level are not written, and metric lines are.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]int{slog.LevelDebug: 4, slog.LevelInfo: 3, slog.LevelWarn: 2, slog.LevelError: 1} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			f := newUntraced("send", Settings{Stage: "test", LogLevel: level}, &out)
			_, _ = Wrap(f, ignoring(func(ctx context.Context) error {
				for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
					Log(ctx).Log(ctx, l, "hello")
				}
				return nil
			}))(context.Background(), struct{}{})
			logs, metrics := decodeLines(t, out.Bytes())
			if len(logs) != want || len(metrics) != 1 {
				t.Errorf("%d log lines, want %d, and %d metric lines", len(logs), want, len(metrics))
			}
		})
	}
}

// userID is a named string type, as the domain has them.
type userID string

// TestSecretsStayOut proves that user ids are only ever logged as their hash, and tokens, secrets and
// bodies not at all, however they come to the logger.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	const secret = "jane@example.com"
	var out bytes.Buffer
	f := newUntraced("send", testSettings, &out)
	_, err := Wrap(f, ignoring(func(ctx context.Context) error {
		SetProperty(ctx, "user", secret)
		SetProperty(ctx, "token", secret)
		for _, key := range []string{"user", "userId", "UserId", "token", "Authorization", "secret", "jwtSecret", "body"} {
			Log(ctx).Info("text", key, secret)
			Log(ctx).Info("named type", key, userID(secret))
			Log(ctx).Info("bytes", key, []byte(secret))
			Log(ctx).With(key, secret).Info("with")
			Log(ctx).WithGroup("group").Info("in a group", key, secret)
			Log(ctx).Info("error", key, errors.New(secret))
		}
		return nil
	}))(context.Background(), struct{}{})
	if err != nil || bytes.Contains(out.Bytes(), []byte(secret)) {
		t.Errorf("it is in the lines: %s", out.Bytes())
	}
	logs, _ := decodeLines(t, out.Bytes())
	if logs[0]["user"] != HashUser(secret) || logs[6]["userId"] != HashUser(secret) {
		t.Errorf("the user's hash is not in %v", logs[6])
	}
}

// TestHashUser proves that the hash is short, the same for the same id, and known as a hash.
func TestHashUser(t *testing.T) {
	t.Parallel()
	// The start of `printf 1234 | sha256sum`.
	if got := HashUser("1234"); got != "u-03ac674216f3" {
		t.Errorf("HashUser(1234) is %s", got)
	}
	for s, want := range map[string]bool{
		HashUser("1234"): true, HashUser(""): true,
		"1234": false, "u-03ac674216f": false, "u-03ac674216f3a": false, "u-03AC674216F3": false, "03ac674216f3ab": false,
	} {
		if isHash(s) != want {
			t.Errorf("isHash(%q) is not %v", s, want)
		}
	}
}
