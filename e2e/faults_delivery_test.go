package e2e

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/fault"
)

// posts is a fault of posts to one connection.
func posts(connection string, r fault.Rule) fault.Rule {
	r.Service, r.Action, r.Resource = fault.Connections, "PostToConnection", "*/@connections/"+connection
	return r
}

// arrivesOnce proves that a body arrives exactly once: the message sent after it comes next.
func (b *breakable) arrivesOnce(t *testing.T, d device, user, body string) {
	t.Helper()
	if got := d.next(t); got != body {
		t.Errorf("arrived %q, want %q", got, body)
	}
	b.send(t, user, "fence", nil)
	if got := d.next(t); got != "fence" {
		t.Errorf("arrived %q after %q, want the fence", got, body)
	}
}

// queueDeliversTwice: SQS delivers at least once, and so does the stack. The second copy of a message is unchanged,
// and does not count as a failure.
func (b *breakable) queueDeliversTwice(t *testing.T) {
	user := newUser()
	phone, _ := b.connect(t, user)
	hits := b.inject(t, fault.Rule{Service: fault.Delivery, Resource: "*:heliograph-local-send", Duplicate: true, Count: 1})
	b.send(t, user, "twice", nil)
	if diff := cmp.Diff([]string{"twice", "twice"}, []string{phone.next(t), phone.next(t)}); diff != "" || hits() != 1 {
		t.Errorf("%d messages came twice\n%s", hits(), diff)
	}
	b.send(t, user, "fence", nil)
	if got := phone.next(t); got != "fence" {
		t.Errorf("arrived %q, want the fence", got)
	}
}

// hideFor shortens a queue's visibility time-out until the test ends. The stack's own is three minutes, too long
// for a test.
func (b *breakable) hideFor(t *testing.T, queue string, seconds int) {
	t.Helper()
	set := func(ctx context.Context, seconds int) {
		if _, err := sqs.NewFromConfig(b.config).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
			QueueUrl: &queue, Attributes: map[string]string{"VisibilityTimeout": strconv.Itoa(seconds)},
		}); err != nil {
			t.Error(err)
		}
	}
	set(within(t), seconds)
	t.Cleanup(func() { set(context.Background(), 180) })
}

// sendIsKilled: a message whose function dies still arrives, once it is visible on the queue again.
func (b *breakable) sendIsKilled(t *testing.T) {
	user := newUser()
	phone, id := b.connect(t, user)
	b.hideFor(t, b.SendQueueURL, 2)
	// The post is delayed until after the kill; otherwise the message might arrive before.
	b.inject(t, posts(id, fault.Rule{Latency: fault.Fixed(time.Minute), Count: 1}))
	hits := b.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-send", Kill: true, Latency: fault.Fixed(200 * time.Millisecond), Count: 1})
	b.send(t, user, "survives", nil)
	b.arrivesOnce(t, phone, user, "survives")
	if killed := strings.Contains(b.logs.String(), "Runtime.ExitError"); hits() != 1 || !killed {
		t.Errorf("%d functions were to be killed; the log says so: %t", hits(), killed)
	}
}

// sendIsKilledLate: if a function dies between its posts and its acknowledgment, the posts are made again. That is
// the meaning of at-least-once.
func (b *breakable) sendIsKilledLate(t *testing.T) {
	user := newUser()
	phone, _ := b.connect(t, user)
	b.hideFor(t, b.SendQueueURL, 2)
	b.inject(t, fault.Rule{Service: fault.Lambda, Resource: "*-send", Kill: true, Latency: fault.Fixed(time.Minute), Count: 1})
	b.send(t, user, "again", nil)
	if diff := cmp.Diff([]string{"again", "again"}, []string{phone.next(t), phone.next(t)}); diff != "" {
		t.Error(diff)
	}
}

// postsFail: a message whose posts fail, in any way, arrives later by its follow-up, once.
func (b *breakable) postsFail(t *testing.T) {
	for _, code := range []string{"LimitExceededException", "InternalServerErrorException", fault.NoAnswer, "ForbiddenException"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			user := newUser()
			phone, id := b.connect(t, user)
			tries := 3 // the SDK's tries in one attempt
			if code == "ForbiddenException" {
				tries = 1
			}
			hits := b.inject(t, posts(id, fault.Rule{Error: code, Count: tries}))
			began := time.Now()
			b.send(t, user, "late", nil)
			b.arrivesOnce(t, phone, user, "late")
			if took := time.Since(began); hits() != tries || took < 5*time.Second {
				t.Errorf("%d posts failed, want %d; it took %v", hits(), tries, took)
			}
		})
	}
}

// postAnswerGetsLost: a post whose answer is lost is made again, and arrives again. The function can't know that it
// succeeded; an Id does not help within one delivery.
func (b *breakable) postAnswerGetsLost(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone, id := b.connect(t, user)
	b.inject(t, posts(id, fault.Rule{Error: fault.LostAnswer, Count: 1}))
	b.send(t, user, "unheard", nil)
	if got := phone.next(t); got != "unheard" {
		t.Errorf("arrived %q", got)
	}
	b.arrivesOnce(t, phone, user, "unheard")
}

// postTakesTooLong: a post without an answer is abandoned after 3 s and retried, and arrives once.
func (b *breakable) postTakesTooLong(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone, id := b.connect(t, user)
	hits := b.inject(t, posts(id, fault.Rule{Latency: fault.Fixed(10 * time.Second), Count: 1}))
	began := time.Now()
	b.send(t, user, "slow", nil)
	b.arrivesOnce(t, phone, user, "slow")
	if took := time.Since(began); hits() != 1 || took < 3*time.Second || took > 9*time.Second {
		t.Errorf("%d posts were held up; it took %v", hits(), took)
	}
}

// forgedFollowUp: a message with the state of a third attempt that send did not write becomes a dead letter at once,
// and reaches nobody.
func (b *breakable) forgedFollowUp(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone, id := b.connect(t, user)
	letter := b.deadLetter(t, b.send(t, user, "forged", map[string]sqstypes.MessageAttributeValue{
		"HeliographRetry": {DataType: aws.String("String"), StringValue: aws.String(`{"attempt":3,"owed":{"` + user + `":{"connections":["` + id + `"]}}}`)},
	}))
	if reason := aws.ToString(letter.MessageAttributes["RejectReason"].StringValue); !strings.HasPrefix(reason, "bad-follow-up: ") {
		t.Errorf("dead letter: %s", reason)
	}
	b.send(t, user, "genuine", nil)
	b.arrivesOnce(t, phone, user, "genuine")
}

func checkDeadLetter(t *testing.T, letter sqstypes.Message, owed string) {
	t.Helper()
	got := map[string]string{}
	for name, a := range letter.MessageAttributes {
		got[name] = aws.ToString(a.StringValue)
	}
	want := map[string]string{
		"Attempts": "3", "RejectReason": "undelivered: 1 connection owed after 3 attempts, the last one: 503 ServiceUnavailableException",
		"HeliographOwed": owed,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// everyAttemptFails: the whole life of a message that never arrives, in real time.
func (b *breakable) everyAttemptFails(t *testing.T) {
	if !*slow {
		t.Skip("waits for a minute: run it with -slow")
	}
	t.Parallel()
	user := newUser()
	_, id := b.connect(t, user)
	hits := b.inject(t, posts(id, fault.Rule{Down: true}))
	began := time.Now()
	body := b.send(t, user, "never, really", nil)
	patiently(t, 90*time.Second, func() bool { return hits() == 9 })
	checkDeadLetter(t, b.deadLetter(t, body), `{"attempt":1,"owed":{"`+user+`":{"connections":["`+id+`"]}}}`)
	if took := time.Since(began); took < 37*time.Second {
		t.Errorf("given up after %v", took)
	}
}
