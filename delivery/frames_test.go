package delivery

import (
	"strings"
	"testing"
	"time"

	"heliograph"
	"heliograph/message"
	"heliograph/presence"
)

// v1 returns a connection of heliograph.v1.
func v1(id heliograph.ConnectionID) presence.Connection {
	c := since(id, time.Hour)
	c.V1 = true
	return c
}

// TestFrames proves that clients of heliograph.v1 receive frames, that all copies of a message have the same id, whichever
// attempt posts them, and that raw clients receive the very bytes beside them.
func TestFrames(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{v1("a"), v1("b"), since("raw", time.Hour)}
		b.gateway.answers["b"] = []answer{{status: 403}, ok}
		dead := b.walk(plain("m", "hello"))
		frame := `{"type":"message","id":"m","sentAt":"2000-01-01T00:00:00.000Z","body":"hello"}`
		for id, want := range map[string]string{"a": frame, "b": frame, "raw": "hello"} {
			bodies := b.gateway.bodies(id)
			if len(bodies) == 0 || len(dead) > 0 {
				b.Errorf("%s received %q", id, bodies)
			}
			for _, got := range bodies {
				if got != want {
					b.Errorf("%s received %s, want %s", id, got, want)
				}
			}
		}
	})
}

// TestRawFollowUpsStayTheSame proves that a message that nobody of heliograph.v1 has is followed up without an id of ours.
func TestRawFollowUpsStayTheSame(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{since("raw", time.Hour)}
		b.gateway.answers["raw"] = []answer{{status: 403}}
		b.deliver(b.Context(), plain("m", "hello"))
		if got := attribute(only(b, queueURL), message.RetryAttribute); strings.Contains(got, `"id"`) {
			b.Errorf("state %s", got)
		}
	})
}

// TestFrameOfConnection proves that a message to a connection is framed if it is named as one of heliograph.v1, with the
// producer's own id.
func TestFrameOfConnection(t *testing.T) {
	bubble(t, func(b *harness) {
		b.walk(asking("m", `"ConnectionId":"v1:c","Id":"mine"`))
		want := `{"type":"message","id":"mine","sentAt":"2000-01-01T00:00:00.000Z","body":"hello"}`
		if got := b.gateway.bodies("c"); len(got) != 1 || got[0] != want {
			b.Errorf("received %q, want %s", got, want)
		}
	})
}

// TestFrameTooLarge proves that a body that fits into a message, but not into a frame, is a dead letter that says so, and
// that it reaches raw clients all the same.
func TestFrameTooLarge(t *testing.T) {
	bubble(t, func(b *harness) {
		b.presence.connections["1234"] = []presence.Connection{v1("a"), since("raw", time.Hour)}
		dead := b.walk(plain("m", strings.Repeat("x", message.MaxBody)))
		if len(dead) != 1 || attribute(dead[0], "RejectReason") != "body-too-large: its frame for heliograph.v1 has 131145 bytes, more than 131072" {
			b.Errorf("dead letters %v", dead)
		}
		if len(b.gateway.bodies("raw")) != 1 || len(b.gateway.bodies("a")) != 0 {
			b.Errorf("raw received %d, v1 %d", len(b.gateway.bodies("raw")), len(b.gateway.bodies("a")))
		}
	})
}
