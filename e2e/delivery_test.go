package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// seedToken is the token printed in the documentation of the original project: user 1234, signed with its public
// default secret.
const seedToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwidXNlcklkIjoiMTIzNCIsImlhdCI6MjAxNjIzOTAyMiwiZXhwIjoyMDE2MjM5MDIyfQ.6C7xpaC9_vmadA72tABVkqXH9HWcPY4RE8dGALnT-Hw"

// TestSeedTokenReceives proves a new user's first minute: the documented token connects as user 1234, and a message
// to 1234 on the queue arrives.
func TestSeedTokenReceives(t *testing.T) {
	if own == nil {
		t.Skip("the public default secret signs the documented token, and a deployed stack refuses it")
	}
	t.Parallel()
	phone := connectWith(t, seedToken)
	send(t, "1234", "Hello, world")
	if got := phone.next(t); got != "Hello, world" {
		t.Errorf("arrived %q", got)
	}
}

// TestEveryDeviceGetsTheExactBody proves that both devices of a user get each body byte for byte.
func TestEveryDeviceGetsTheExactBody(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"plain":             "Hello, world",
		"one space":         " ",
		"127 KB":            strings.Repeat("0123456789abcdef", 127<<10/16),
		"UTF-8":             "Grüße, 世界 🌍 \u2028 \u00a0",
		"JSON text":         `{"kind":"note","n":1.0,"html":"<b>&amp;</b>"}`,
		"quotes":            `he said "no" and 'yes' \ / \n`,
		"newlines":          "one\ntwo\r\n\tthree\n",
		"one zero":          "0",
		"looks like a pong": `{"action":"pong"}`,
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := newUser()
			phone, laptop := connect(t, user), connect(t, user)
			send(t, user, body)
			for _, d := range []device{phone, laptop} {
				if got := d.next(t); got != body {
					t.Errorf("arrived %d bytes %.80q, sent %d bytes %.80q", len(got), got, len(body), body)
				}
			}
		})
	}
}

// TestJSONBodyArrivesAsItsText proves that a body that is not a string is delivered as its compact text.
func TestJSONBodyArrivesAsItsText(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone := connect(t, user)
	sendRaw(t, `{"userid":"`+user+`","BODY": {"a": [1, 2.50, "<&>"]} , "other": true}`)
	if diff := cmp.Diff(`{"a":[1,2.50,"<&>"]}`, phone.next(t)); diff != "" {
		t.Error(diff)
	}
}

// TestOthersGetNothing proves that a message reaches its user and no other: the other user's first message is one
// that was sent later.
func TestOthersGetNothing(t *testing.T) {
	t.Parallel()
	alice, bob := newUser(), newUser()
	a, b := connect(t, alice), connect(t, bob)
	send(t, alice, "for Alice")
	if got := a.next(t); got != "for Alice" {
		t.Errorf("Alice got %q", got)
	}
	send(t, bob, "for Bob")
	if got := b.next(t); got != "for Bob" {
		t.Errorf("Bob got %q", got)
	}
}

// TestPing proves that a client can keep its connection alive without invoking a function.
func TestPing(t *testing.T) {
	t.Parallel()
	phone := connect(t, newUser())
	if err := phone.Write(within(t), 1, []byte(`{"action":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"action":"pong"}`, phone.next(t)); diff != "" {
		t.Error(diff)
	}
}

// letters holds the dead letters seen by any test. SQS hides a message that one test has received from the tests that
// run in parallel, so they share their finds.
var letters sync.Map

// deadLetter waits for a message with this body in the dead-letter queue.
func deadLetter(t *testing.T, body string) types.Message {
	t.Helper()
	return shared().deadLetter(t, body)
}

func (r reached) deadLetter(t *testing.T, body string) types.Message {
	t.Helper()
	return r.deadLetterLike(t, "a dead letter "+body[:min(60, len(body))], func(other string) bool { return other == body })
}

// deadLetterLike waits for a message in the dead-letter queue whose body satisfies a condition.
func deadLetterLike(t *testing.T, what string, like func(body string) bool) types.Message {
	t.Helper()
	return shared().deadLetterLike(t, what, like)
}

func (r reached) deadLetterLike(t *testing.T, what string, like func(body string) bool) (found types.Message) {
	t.Helper()
	client := sqs.NewFromConfig(r.config)
	seen := func(_, m any) bool {
		if found = m.(types.Message); like(aws.ToString(found.Body)) {
			return false
		}
		found = types.Message{}
		return true
	}
	eventually(t, what, func(ctx context.Context) (bool, error) {
		if letters.Range(seen); found.Body != nil {
			return true, nil
		}
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(r.DeadLetterQueueURL), MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
			VisibilityTimeout:     3, // short, so that the command line sees them again soon
			MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			return false, err
		}
		for _, message := range out.Messages {
			letters.Store(aws.ToString(message.MessageId), message)
		}
		return false, nil
	})
	return found
}

// TestOldMessagesExpire proves that a message past its ExpiresAt is not delivered, and one before it is.
func TestOldMessagesExpire(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone := connect(t, user)
	for _, m := range []map[string]string{
		{"UserId": user, "Body": "stale", "ExpiresAt": "2020-01-01T00:00:00Z"},
		{"UserId": user, "Body": "fresh", "ExpiresAt": "2100-01-01T00:00:00Z"},
	} {
		message, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		sendRaw(t, string(message))
	}
	if got := phone.next(t); got != "fresh" {
		t.Errorf("arrived %q", got)
	}
}
