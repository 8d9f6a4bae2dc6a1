package delivery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/message"
)

const toBoth = `"UserIds":["a","b"],"Id":"1"`

// TestDuplicateIsDropped proves that a message with an Id arrives once per user within the window, however often it
// is sent, and that after the window it counts as new.
func TestDuplicateIsDropped(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 2)
		b.online("b", 1)
		b.walk(asking("first", `"UserId":"a","Id":"1"`))
		b.checkPosts("first", map[string]int{"a1": 1, "a2": 1})
		b.walk(asking("second", toBoth))
		b.checkPosts("second, to one more", map[string]int{"b1": 1})
		b.walk(asking("third", toBoth+`,"Receipt":true`))
		b.checkPosts("third", map[string]int{})
		if got := b.metrics()["DuplicatesDropped"]; !cmp.Equal(got, []float64{1, 2}) {
			b.Errorf("DuplicatesDropped %v", got)
		}
		if log := b.logged("message done"); len(log) != 1 || log[0]["outcome"] != "duplicate" {
			b.Errorf("log %v", log)
		}
		if r := b.receipts.published; len(r) != 1 || r[0].Delivered != 3 || r[0].Offline != 0 {
			b.Errorf("receipts %v, want what came of the first", r)
		}
		time.Sleep(b.claims.window)
		b.walk(asking("much later", toBoth))
		b.checkPosts("much later", map[string]int{"a1": 1, "a2": 1, "b1": 1})
	})
}

// TestWithoutIdNothingIsClaimed proves that a message without an Id costs no claim.
func TestWithoutIdNothingIsClaimed(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 1)
		b.gateway.answers["a1"] = []answer{{status: 403}}
		b.walk(asking("m", `"UserId":"a"`))
		if len(b.claims.calls) > 0 {
			b.Errorf("calls %v", b.claims.calls)
		}
	})
}

// TestContested proves that of two simultaneous copies of a message one delivers, and the other waits for the claim
// to end without using up attempts; the same holds for two copies of a follow-up.
func TestContested(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 2)
		b.gateway.answers["a2"] = []answer{{status: 403}, ok}
		b.presence.read = func(context.Context) error {
			time.Sleep(time.Millisecond) // by then both copies have asked for the claim
			return nil
		}
		first := asking("1", `"UserId":"a","Id":"1"`)
		second := first
		second.ID = "2"
		b.deliver(b.Context(), first, second)
		b.checkPosts("two copies", map[string]int{"a1": 1, "a2": 1})
		followUps := b.queue.to(queueURL)
		b.queue.sent = nil
		if len(followUps) != 2 {
			b.Fatalf("%d follow-ups, want two", len(followUps))
		}
		winner, loser := followUps[0], followUps[1]
		if winner.DelaySeconds > loser.DelaySeconds {
			winner, loser = loser, winner
		}
		if s := decode(b.T, attribute(loser, "HeliographRetry")); s.Attempt != 1 || s.Owed != nil || loser.DelaySeconds != 120 {
			b.Errorf("the loser: %+v in %d s", s, loser.DelaySeconds)
		}

		b.deliver(b.Context(), received(winner, "3"), received(winner, "4"))
		b.checkPosts("two copies of the follow-up", map[string]int{"a2": 1})
		waits := only(b, queueURL)
		if s := decode(b.T, attribute(waits, "HeliographRetry")); s.Attempt != 2 {
			b.Errorf("the second copy waits at attempt %d, want 2", s.Attempt)
		}
		b.walk(received(waits, "5"))
		b.walk(received(loser, "6"))
		b.checkPosts("who waited", map[string]int{})
	})
}

// TestCrashedClaim proves that a message whose function died after claiming it is delivered when the queue redelivers
// it.
func TestCrashedClaim(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 1)
		if _, err := b.claims.Claim(b.Context(), "user#a", "1", Owner{Token: "dead"}); err != nil {
			b.Fatal(err)
		}
		time.Sleep(180 * time.Second)
		b.walk(asking("again", `"UserId":"a","Id":"1"`))
		b.checkPosts("again", map[string]int{"a1": 1})
	})
}

// TestClaimFails proves that a failed claim is retried and given up in the same way as a failed read of connections.
func TestClaimFails(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 1)
		b.claims.call = func(context.Context, string, string) error { return errors.New("throttled") }
		dead := b.walk(asking("m", `"UserId":"a","Id":"1"`))
		b.checkPosts("walk", map[string]int{})
		const want = "undelivered: all connections owed after 3 attempts, the last one: claiming the message: no answer"
		if len(dead) != 1 || attribute(dead[0], "RejectReason") != want {
			b.Errorf("dead letters: %v", dead)
		}
	})
}

// TestMarkFails proves that a claim that can't be marked as done stays owed on its own, and never causes a dead
// letter.
func TestMarkFails(t *testing.T) {
	t.Parallel()
	for _, failures := range []int{2, 99} {
		t.Run(fmt.Sprint(failures), func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.online("a", 2)
				b.gateway.answers["a2"] = []answer{gone}
				left := failures
				b.claims.call = func(_ context.Context, name, _ string) error {
					if left--; name != "done" || left < 0 {
						left++
						return nil
					}
					return errors.New("throttled")
				}
				r := asking("m", `"UserId":"a","Id":"1"`)
				b.deliver(b.Context(), r)
				b.checkPosts("first attempt", map[string]int{"a1": 1, "a2": 1})
				in := only(b, queueURL)
				got := decode(b.T, attribute(in, "HeliographRetry")).Owed["a"]
				if diff := cmp.Diff(message.Owed{Connections: []heliograph.ConnectionID{}, Delivered: 1, Gone: 1}, got); diff != "" {
					t.Errorf("owed (-want +got):\n%s", diff)
				}
				if dead := b.walk(received(in, "again")); len(dead) > 0 {
					t.Errorf("dead: %v", texts(dead[0]))
				}
				held := b.claims.held["user#a 1"]
				if held.done != (failures == 2) || (held.done && (held.delivered != 1 || held.gone != 1)) {
					t.Errorf("claim %+v", held)
				}
				b.checkPosts("later attempts", map[string]int{})
			})
		})
	}
}

// TestReleased proves that a message that reached no connection can be sent again: its user was offline, it was given
// up, or it expired.
func TestReleased(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string]string{
		"offline": `"UserId":"a","Id":"1"`, "given up": `"UserId":"a","Id":"1"`, "connection": `"ConnectionId":"a1","Id":"1"`,
		"expired": `"UserId":"a","Id":"1","ExpiresAt":"` + time.Date(2000, 1, 1, 0, 0, 3, 0, time.UTC).Format(time.RFC3339) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				if name != "offline" {
					b.online("a", 1)
					b.gateway.answers["a1"] = []answer{{status: 403}}
				}
				b.walk(asking("m", fields))
				if len(b.claims.held) > 0 {
					t.Errorf("claims %v", b.claims.held)
				}
				if len(b.claims.calls) == 0 {
					t.Error("nothing was claimed")
				}
			})
		})
	}
}

// TestPartlyDelivered proves that a message given up after it reached only some of a user's devices is a duplicate if
// it is sent again, but not if its dead letter is redriven.
func TestPartlyDelivered(t *testing.T) {
	bubble(t, func(b *harness) {
		b.online("a", 2)
		b.gateway.answers["a2"] = []answer{{status: 403}}
		dead := b.walk(asking("m", `"UserId":"a","Id":"1"`))
		b.checkPosts("given up", map[string]int{"a1": 1, "a2": 3})
		b.gateway.answers["a2"] = []answer{ok}
		b.walk(asking("again", `"UserId":"a","Id":"1"`))
		b.checkPosts("sent again", map[string]int{})
		for i, want := range []map[string]int{{"a2": 1}, {}} {
			b.walk(received(dead[0], fmt.Sprint("redriven", i)))
			b.checkPosts(fmt.Sprint("put back ", i), want)
		}
		if held := b.claims.held["user#a 1"]; !held.done || held.delivered != 2 {
			b.Errorf("claim %+v", held)
		}
	})
}
