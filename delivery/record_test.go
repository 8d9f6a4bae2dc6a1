package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"heliograph"
	"heliograph/message"
	"heliograph/presence"
)

// padded returns a valid message of exactly this many bytes, padded with an unknown field.
func padded(id string, bytes int) Record {
	r := plain(id, "hello")
	head := strings.TrimSuffix(r.Body, "}") + `,"padding":"`
	r.Body = head + strings.Repeat("x", bytes-len(head)-2) + `"}`
	return r
}

// TestRoom proves the behavior at SQS's limits: a record keeps as much of its message as fits, and a follow-up always
// fits; only a text that is not a message is cut.
func TestRoom(t *testing.T) {
	t.Parallel()
	bad := func(bytes int) Record { return Record{ID: "m", Body: strings.Repeat("é", bytes/2)} }
	tests := []struct {
		name    string
		record  func() Record
		foreign int // bytes of the producer's attribute
		want    string
	}{
		{"a follow-up just fits", func() Record { return padded("m", maxQueued-followUpBytes) }, 0, "follow-up, whole"},
		{"a follow-up just does not fit", func() Record { return padded("m", maxQueued-followUpBytes+1) }, 0, "follow-up, anew"},
		{"a follow-up just fits with attributes", func() Record { return padded("m", maxQueued-followUpBytes-1000) }, 1000 - len("tag") - len("String.tag"), "follow-up, whole, tag"},
		{"a follow-up just does not fit with attributes", func() Record { return padded("m", maxQueued-followUpBytes-1000) }, 1001 - len("tag") - len("String.tag"), "follow-up, whole"},
		{"no room at all", func() Record { return padded("m", maxQueued) }, 0, "follow-up, anew"},
		{"a rejected message with its attributes", func() Record { return bad(maxQueued - 1000) }, 500, "dead: malformed, whole, tag"},
		{"a rejected message without its attributes", func() Record { return bad(maxQueued - 1000) }, 960, "dead: malformed, whole"},
		{"a rejected message as large as can be", func() Record { return bad(maxQueued) }, 0, "dead: malformed, cut from 262144"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
				b.gateway.answers["a"] = []answer{{status: 403}}
				r := test.record()
				if test.foreign > 0 {
					r.Attributes = map[string]types.MessageAttributeValue{"tag": foreign(strings.Repeat("x", test.foreign))}
				}
				got := "back"
				if returned := b.deliver(b.Context(), r); returned == nil {
					got = describe(b, r)
				}
				if got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
			})
		})
	}
}

// followUpBytes is the size that the follow-up's attribute in TestRoom counts for.
var followUpBytes = len("HeliographRetry") + len("String") + len(unsealed()+`{"attempt":2,"firstSentAt":946684800000,"owed":{"1234":{"connections":["a"]}}}`)

// describe names the form of the record that was queued: follow-up or dead letter, and how much of it was kept.
func describe(b *harness, r Record) string {
	got, in := "follow-up", b.queue.sent[0]
	if *in.QueueUrl == deadLetterURL {
		reason, _, _ := strings.Cut(attribute(in, "RejectReason"), ":")
		got = "dead: " + reason
	}
	switch {
	case *in.MessageBody == r.Body:
		got += ", whole"
	case *in.MessageBody == `{"UserId":"1234"}` && string(in.MessageAttributes["HeliographBody"].BinaryValue) == "hello":
		got += ", anew"
	case strings.HasPrefix(r.Body, *in.MessageBody) && utf8.ValidString(*in.MessageBody) && size(in) > maxQueued-4:
		got += ", cut from " + attribute(in, "CutFrom")
	}
	if attribute(in, "tag") != "" {
		got += ", tag"
	}
	return got
}

// TestManyConnectionsOwed proves that the state of a user with very many devices fits beside the largest body.
func TestManyConnectionsOwed(t *testing.T) {
	bubble(t, func(b *harness) {
		for i := range 5000 {
			id := heliograph.ConnectionID(fmt.Sprintf("L0SM9cOFv%05d=", i)) // as long as API Gateway's ids
			b.presence.connections["1234"] = append(b.presence.connections["1234"], since(id, time.Hour))
		}
		b.config.Poster = stub(func(context.Context, string) error { return errors.New("network") })
		if returned := b.deliver(b.Context(), plain("m", strings.Repeat("x", message.MaxBody))); returned != nil {
			b.Fatalf("returned %v", returned)
		}
		if got := len(decode(b.T, attribute(only(b, queueURL), "HeliographRetry")).Owed["1234"].Connections); got != 5000 {
			b.Errorf("%d connections owed, want 5000", got)
		}
		if ids := b.logged("follow-up queued")[0]["connectionIds"].([]any); len(ids) != maxLogged {
			b.Errorf("the log line names %d connections", len(ids))
		}
	})
}

// TestForeignAttributes proves which of the producer's attributes travel along: all that are not reserved, up to the
// number that leaves room for ours.
func TestForeignAttributes(t *testing.T) {
	bubble(t, func(b *harness) {
		r := Record{ID: "m", Body: "?", Attributes: map[string]types.MessageAttributeValue{}}
		for _, name := range []string{"j", "c", "i", "a", "h", "b", "g", "d", "f", "e"} {
			r.Attributes[name] = foreign(name)
		}
		b.deliver(b.Context(), r)
		in := only(b, deadLetterURL)
		want := []string{"Attempts", "RejectReason", "a", "b", "c", "d", "e", "f", "g"}
		if diff := cmp.Diff(want, sortedNames(in.MessageAttributes)); diff != "" {
			b.Errorf("ten attributes (-want +got):\n%s", diff)
		}
		if *in.MessageAttributes["a"].DataType != "String.tag" {
			b.Errorf("data type %q", *in.MessageAttributes["a"].DataType)
		}

		b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
		b.gateway.answers["a"] = []answer{{status: 403}}
		r.Body = plain("m", "hello").Body
		b.deliver(b.Context(), r)
		followUp := []string{"HeliographRetry", "a", "b", "c", "d", "e", "f", "g", "h"}
		if diff := cmp.Diff(followUp, sortedNames(only(b, queueURL).MessageAttributes)); diff != "" {
			b.Errorf("follow-up (-want +got):\n%s", diff)
		}

		// A dead letter put back on the queue, as `redrive` does it, is tried afresh.
		again := received(in, "again")
		b.deliver(b.Context(), again)
		if diff := cmp.Diff(want, sortedNames(only(b, deadLetterURL).MessageAttributes)); diff != "" {
			b.Errorf("redriven (-want +got):\n%s", diff)
		}
		if len(r.Attributes) != 10 {
			b.Error("the record's own attributes were changed")
		}
	})
}

func sortedNames(attributes map[string]types.MessageAttributeValue) []string {
	var names []string
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestStateRoundTrip proves that a follow-up reads the state that was written for it, and that SQS accepts the text:
// never empty, and without characters that need escapes.
func TestStateRoundTrip(t *testing.T) {
	t.Parallel()
	now := time.Now()
	times := rapid.Int64Range(now.Add(-59*24*time.Hour).UnixMilli(), now.UnixMilli())
	rapid.Check(t, func(t *rapid.T) {
		want := message.State{
			Attempt:     rapid.IntRange(1, message.MaxAttempts).Draw(t, "attempt"),
			FirstSentAt: times.Draw(t, "firstSentAt"),
			Holder:      rapid.StringMatching(`[A-Z0-9]{0,26}`).Draw(t, "holder"),
			Owed:        rapid.MapOfN(userIDs, debts, 0, 4).Draw(t, "owed"),
			Cursor:      rapid.StringMatching(`[A-Za-z0-9_-]{0,20}`).Draw(t, "cursor"),
			Listed:      rapid.Bool().Draw(t, "listed"),
			Paused:      rapid.Bool().Draw(t, "paused"),
			OwedSince:   rapid.OneOf(rapid.Just(int64(0)), times).Draw(t, "owedSince"),
			Tally:       message.Tally{Delivered: n.Draw(t, "delivered"), Gone: n.Draw(t, "gone"), Offline: n.Draw(t, "offline"), Failed: n.Draw(t, "failed"), Expired: n.Draw(t, "expired")},
			Settled:     rapid.OneOf(rapid.Just(int64(0)), times).Draw(t, "settled"),
		}
		if len(want.Owed) == 0 {
			want.Owed = nil // which means the same
		}
		got, rejection := readState(&Record{Attributes: followUpOf(want)}, now)
		if rejection != nil {
			t.Fatalf("rejected: %s", rejection)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("state (-want +got):\n%s", diff)
		}
	})
}

var (
	n       = rapid.IntRange(0, 1000)
	userIDs = rapid.Map(rapid.StringN(0, -1, heliograph.MaxUserID), func(s string) heliograph.UserID { return heliograph.UserID(s) })
	debts   = rapid.Custom(func(t *rapid.T) message.Owed {
		d := message.Owed{Delivered: n.Draw(t, "delivered"), Gone: n.Draw(t, "gone"), Waited: rapid.Bool().Draw(t, "waited"), Holder: rapid.StringMatching(`[A-Z0-9]{0,12}`).Draw(t, "holder")}
		if rapid.Bool().Draw(t, "named") {
			d.Connections = []heliograph.ConnectionID{}
		}
		for range rapid.IntRange(0, 3).Draw(t, "connections") {
			d.Connections = append(d.Connections, heliograph.ConnectionID(rapid.StringMatching(`[A-Za-z0-9_-]{15}=`).Draw(t, "connection")))
		}
		return d
	})
)
