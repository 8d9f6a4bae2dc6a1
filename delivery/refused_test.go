package delivery

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/message"
	"heliograph/presence"
)

// FuzzWritten proves, for any user id, Id and body, and for any text that is no message: SQS accepts whatever send
// writes, so that a message that fails becomes a follow-up and then a dead letter, and never goes back to the queue.
func FuzzWritten(f *testing.F) {
	for _, seed := range [][2]string{
		{"evil\uffff", `plain`},
		{"\ufffe", "\uffff"},
		{"\x00\x1f\x7f", "\x00"},
		{"a\\\"<>\u2028", "\xff"},
		{"", ""},
		{"1234", `{"UserId":"` + "\uffff" + `","Body":{"` + "\ufffe" + `":1}}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, id, text string) {
		if text == "" {
			return // SQS carries no empty text
		}
		synctest.Test(t, func(t *testing.T) {
			quoted, _ := json.Marshal(id)
			body, _ := json.Marshal(text)
			p, queue := newPresence(), &fakeQueue{}
			var user heliograph.UserID
			_ = json.Unmarshal(quoted, &user)
			p.connections[user] = []presence.Connection{since("a", time.Hour), since("b", time.Hour)}
			d := New(Config{
				Presence: p, Queue: queue, QueueURL: queueURL, DeadLetterQueueURL: deadLetterURL, Claims: newClaims(),
				Receipts: &fakeReceipts{}, Keys: testKeys{}, BroadcastRate: 10,
				Poster: stub(func(_ context.Context, id string) error {
					if id == "a" {
						return nil
					}
					return refusal("Forbidden")
				}),
			})
			records := []Record{
				{ID: "users", Body: `{"UserIds":["by0",` + string(quoted) + `],"Id":` + string(quoted) + `,"Receipt":true,"Body":` + string(body) + `}`},
				{ID: "escaped", Body: message.Sendable(`{"UserId":` + string(quoted) + `,"Body":` + string(body) + `}`)},
				{ID: "raw", Body: text},
				{ID: "forged", Body: message.Sendable(text) + " ", Attributes: attributes{"HeliographRetry": stringAttribute(message.Sendable(text) + " ")}},
			}
			for round := 0; len(records) > 0; round++ {
				if back := d.Deliver(t.Context(), records); back != nil || round > 3 {
					t.Fatalf("returned %q in round %d", back, round)
				}
				records = nil
				for _, in := range queue.to(queueURL) {
					records = append(records, received(in, *in.MessageBody))
				}
				queue.sent = nil
			}
		})
	})
}

// TestRefusedFollowUp proves that a follow-up that SQS refuses for what is in it becomes a dead letter that owes the
// same, at once, and that no connection is sent the message again.
func TestRefusedFollowUp(t *testing.T) {
	for name, code := range map[string]string{"contents": "InvalidMessageContents", "size": "InvalidParameterValue"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour), since("b", time.Hour)}
				b.gateway.answers["b"] = []answer{{status: 403}}
				b.queue.send = refusing(queueURL, code)
				if returned := b.deliver(b.Context(), plain("m", "hello")); returned != nil {
					b.Fatalf("returned %v", returned)
				}
				want := map[string]string{
					"RejectReason": "follow-up-refused: 403; the queue answered 400 " + code, "Attempts": "1",
					"HeliographOwed": `{"attempt":1,"owed":{"1234":{"connections":["b"],"delivered":1}},"tally":{"delivered":1}}`,
				}
				if diff := cmp.Diff(want, texts(only(b, deadLetterURL))); diff != "" {
					b.Errorf("dead letter (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// refusing refuses messages to one queue.
func refusing(url, code string) func(context.Context, *sqs.SendMessageInput) error {
	return func(_ context.Context, in *sqs.SendMessageInput) error {
		if *in.QueueUrl == url {
			return refusal(code)
		}
		return nil
	}
}

// TestRefusedDeadLetter proves that a short letter takes the place of one that SQS refuses, small enough for any queue.
func TestRefusedDeadLetter(t *testing.T) {
	bubble(t, func(b *harness) {
		b.queue.send = func(_ context.Context, in *sqs.SendMessageInput) error {
			if size(in) > leastQueue || attribute(in, "tag") != "" {
				return refusal("InvalidParameterValue")
			}
			return nil
		}
		long, tagged := Record{ID: "long", Body: strings.Repeat("?", 2000)}, Record{ID: "tagged", Body: "?"}
		tagged.Attributes = attributes{"tag": foreign("x")}
		if returned := b.deliver(b.Context(), long, tagged); returned != nil {
			b.Fatalf("returned %v", returned)
		}
		for _, in := range b.queue.to(deadLetterURL) {
			if cut := attribute(in, "CutFrom"); cut != "2000" && cut != "1" || !strings.HasPrefix(attribute(in, "RejectReason"), "malformed: ") {
				b.Errorf("dead letter %v", texts(in))
			}
		}
		if n := len(b.queue.sent); n != 2 {
			b.Errorf("%d dead letters", n)
		}
	})
}

// TestRefusedCalls proves that a definite refusal by the topic or the table ends the matter at once: a dead letter with
// its reason, and no follow-up.
func TestRefusedCalls(t *testing.T) {
	final := func(code string) func(context.Context) error {
		return func(context.Context) error { return refusal(code) }
	}
	tests := map[string]struct {
		arrange func(b *harness)
		target  string
		reason  string
	}{
		"receipt": {func(b *harness) { b.receipts.publish = final("InvalidParameter") }, `"UserId":"1234"`, "receipt-unpublished: after 1 attempts, the last one: publishing the receipt: "},
		"claim": {func(b *harness) {
			b.claims.call = func(context.Context, string, string) error { return refusal("ValidationException") }
		}, `"UserId":"1234"`, "refused: claiming the message: "},
		"connections": {func(b *harness) { b.presence.read = final("ValidationException") }, `"UserId":"1234"`, "refused: reading the connections: "},
		"online":      {func(b *harness) { b.presence.list = final("ValidationException") }, `"Broadcast":true`, "refused: reading who is online: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.presence.connections["1234"] = []presence.Connection{since("a", time.Hour)}
				test.arrange(b)
				if returned := b.deliver(b.Context(), asking("m", test.target+`,"Id":"1","Receipt":true`)); returned != nil {
					b.Fatalf("returned %v", returned)
				}
				if dead := b.queue.to(deadLetterURL); len(dead) == 0 || !strings.HasPrefix(attribute(dead[0], "RejectReason"), test.reason) {
					b.Errorf("dead letters %v, want %q", dead, test.reason)
				}
				if n := len(b.queue.to(queueURL)); n > 0 {
					b.Errorf("%d follow-ups", n)
				}
			})
		})
	}
}
