package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/mailbox"
	"heliograph/presence"
)

// fakeMailbox keeps messages in memory.
type fakeMailbox struct {
	mu   sync.Mutex
	kept []string // <user>: <body>, in order
	err  error    // of the next call
}

var _ Mailbox = (*fakeMailbox)(nil)

func (m *fakeMailbox) Keep(_ context.Context, user heliograph.UserID, one mailbox.Message) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.err; err != nil {
		m.err = nil
		return "", err
	}
	m.kept = append(m.kept, fmt.Sprintf("%s: %s %s until %s", user, one.ID, one.Body, one.Expires.UTC().Format("15:04:05")))
	return fmt.Sprintf("box.%d", len(m.kept)), nil
}

// TestKept proves that a message with Keep is kept once for each of its users, online or not, however often it is tried,
// and that clients of heliograph.v1 receive its position with it.
func TestKept(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["a"] = []presence.Connection{v1("a1"), v1("a2"), since("raw", time.Hour)}
		b.gateway.answers["a2"] = []answer{{status: 403}, ok}
		dead := b.walk(asking("m", `"UserIds":["a","b"],"Keep":"1h"`))
		slices.Sort(b.mailbox.kept)
		if diff := cmp.Diff([]string{"a: m hello until 01:00:00", "b: m hello until 01:00:00"}, b.mailbox.kept); diff != "" || len(dead) > 0 {
			b.Errorf("kept (-want +got):\n%s, dead %v", diff, dead)
		}
		frames := slices.Concat(b.gateway.bodies("a1"), b.gateway.bodies("a2"))
		if len(frames) != 3 || strings.Join(slices.Compact(frames), "") != frames[0] || !strings.Contains(frames[0], `"position":`) || !strings.Contains(frames[0], `"cursor":"box.`) {
			b.Errorf("frames %q", frames)
		}
		if raw := b.gateway.bodies("raw"); len(raw) != 1 || raw[0] != "hello" {
			b.Errorf("the raw client received %q", raw)
		}
	})
}

// TestKeptForNobodyOnline proves that a message that is kept is not dropped: its outcome and its receipt say so, and a
// resend by its Id is a duplicate.
func TestKeptForNobodyOnline(t *testing.T) {
	bubble(t, func(b *harness) {
		r := asking("m", `"UserId":"a","Keep":"1h","Id":"i","Receipt":true`)
		b.walk(r)
		b.walk(r)
		if done := b.logged("message done"); len(done) != 2 || done[0]["outcome"] != "kept" || done[1]["outcome"] != "duplicate" {
			b.Errorf("done %v", done)
		}
		if len(b.mailbox.kept) != 1 || b.metrics()["MessagesOffline"] != nil {
			b.Errorf("kept %v, metrics %v", b.mailbox.kept, b.metrics())
		}
		if got := b.receipts.published; len(got) == 0 || got[0].Kept != 1 || got[0].Offline != 1 {
			b.Errorf("receipts %+v", got)
		}
	})
}

// TestKeepFails proves that a message that could not be kept is posted to nobody before it is: a client that comes back in
// between would miss it.
func TestKeepFails(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["a"] = []presence.Connection{v1("a1")}
		b.mailbox.err = errors.New("the table is down")
		b.deliver(b.Context(), asking("m", `"UserId":"a","Keep":"1h"`))
		if len(b.gateway.bodies("a1")) > 0 || len(b.queue.sent) != 1 {
			b.Errorf("posted %q, queued %d", b.gateway.bodies("a1"), len(b.queue.sent))
		}
	})
}

// TestKeepHasEnded proves that a message is kept no longer than it says, nor than it is worth.
func TestKeepHasEnded(t *testing.T) {
	bubble(t, func(b *harness) {
		old := asking("old", `"UserId":"a","Keep":"1h"`)
		old.SentAt = old.SentAt.Add(-time.Hour)
		b.walk(old)
		b.walk(asking("short", `"UserId":"a","Keep":"1h","ExpiresAt":"2000-01-01T00:00:30Z"`))
		if diff := cmp.Diff([]string{"a: short hello until 00:00:30"}, b.mailbox.kept); diff != "" {
			b.Errorf("kept (-want +got):\n%s", diff)
		}
	})
}
