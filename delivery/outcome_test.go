package delivery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/presence"
)

// TestOutcomeOfAPost proves, through the SDK's real client, the meaning of each answer of API Gateway: for the
// connection that gave it, and for the number of retries. A second connection always works.
func TestOutcomeOfAPost(t *testing.T) {
	t.Parallel()
	const old, young = time.Hour, 35 * time.Second
	type result struct {
		Posts  int    // how often the body was posted
		Pruned bool   // the connection is forgotten
		Owed   bool   // a follow-up names this connection, and no other
		Cause  string // cause of the follow-up
		Reason string // reason of the dead letter
	}
	tests := []struct {
		name    string
		age     time.Duration
		answers []answer
		want    result
	}{
		{"delivered", old, []answer{ok}, result{Posts: 1}},
		{"delivered, the answer's end is lost", old, []answer{{status: 200, body: "x", short: true}}, result{Posts: 1}},
		{"gone", old, []answer{gone}, result{Posts: 1, Pruned: true}},
		{"gone, without a type", old, []answer{{status: 410}}, result{Posts: 1, Pruned: true}},
		{"gone, at 35 s and a bit", young + time.Millisecond, []answer{gone}, result{Posts: 1, Pruned: true}},
		{"gone, at 35 s", young, []answer{gone}, result{Posts: 1, Owed: true, Cause: "410 on a connection of 35s"}},
		{"gone, at once", 0, []answer{gone}, result{Posts: 1, Owed: true, Cause: "410 on a connection of 0s"}},
		{"too large", old, []answer{{status: 413, code: "PayloadTooLargeException"}}, result{Posts: 1, Reason: "body-too-large: API Gateway answered 413"}},
		{"too large, without a type", old, []answer{{status: 413, body: "<html>"}}, result{Posts: 1, Reason: "body-too-large: API Gateway answered 413"}},
		{"bad request", old, []answer{{status: 400, code: "BadRequestException"}}, result{Posts: 1, Reason: "refused: API Gateway answered 400"}},
		{"a throttle that comes as a 400", old, []answer{{status: 400, code: "ThrottlingException"}}, result{Posts: 3, Owed: true, Cause: "400 ThrottlingException"}},
		{"throttled", old, []answer{throttled}, result{Posts: 3, Owed: true, Cause: "429 LimitExceededException"}},
		{"throttled, without a type", old, []answer{{status: 429}}, result{Posts: 3, Owed: true, Cause: "429"}},
		{"throttled, then delivered", old, []answer{throttled, throttled, ok}, result{Posts: 3}},
		{"forbidden", old, []answer{{status: 403, code: "ForbiddenException"}}, result{Posts: 1, Owed: true, Cause: "403 ForbiddenException"}},
		{"forbidden, without a type", old, []answer{{status: 403}}, result{Posts: 1, Owed: true, Cause: "403"}},
		{"no such stage", old, []answer{{status: 404, code: "NotFoundException"}}, result{Posts: 1, Owed: true, Cause: "404 NotFoundException"}},
		{"500", old, []answer{{status: 500, code: "InternalServerErrorException"}}, result{Posts: 3, Owed: true, Cause: "500 InternalServerErrorException"}},
		{"502 of a proxy", old, []answer{{status: 502, body: "<html>bad gateway</html>"}}, result{Posts: 3, Owed: true, Cause: "502"}},
		{"503, then delivered", old, []answer{{status: 503}, ok}, result{Posts: 2}},
		{"504", old, []answer{{status: 504}}, result{Posts: 3, Owed: true, Cause: "504"}},
		{"503, then gone", old, []answer{{status: 503}, gone}, result{Posts: 2, Pruned: true}},
		{"the connection breaks", old, []answer{{drop: true}}, result{Posts: 3, Owed: true, Cause: "network"}},
		{"the connection breaks, then delivered", old, []answer{{drop: true}, ok}, result{Posts: 2}},
		{"no answer", old, []answer{hanging}, result{Posts: 3, Owed: true, Cause: "time-out"}},
		{"no answer, then delivered", old, []answer{hanging, ok}, result{Posts: 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(b *harness) {
				b.presence.connections["1234"] = []presence.Connection{since("tested=", test.age), since("works", old)}
				// The age counts at the time of the answer: this network takes no time.
				b.gateway.answers["tested="] = test.answers
				start := time.Now()
				if returned := b.deliver(b.Context(), plain("m", "hello")); returned != nil {
					t.Fatalf("returned %v", returned)
				}
				got := result{Posts: len(b.gateway.received()["tested="])}
				_, got.Pruned = b.presence.pruned["tested="]
				for _, in := range b.queue.to(queueURL) {
					s := decode(t, attribute(in, "HeliographRetry"))
					got.Owed = cmp.Equal(s.Owed["1234"].Connections, []heliograph.ConnectionID{"tested="}) && s.Attempt == 2 && s.Tally.Delivered == 1
					got.Cause = fmt.Sprint(b.logged("follow-up queued")[0]["cause"])
				}
				for _, in := range b.queue.to(deadLetterURL) {
					got.Reason = attribute(in, "RejectReason")
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("result (-want +got):\n%s", diff)
				}
				if works := len(b.gateway.received()["works"]); works != 1 {
					t.Errorf("the working connection got %d posts, want 1", works)
				}
				if took := time.Since(start); took > 3*attemptTimeout+time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestOutcomeWithoutAnAnswer proves the causes of errors without an answer, which no server can provoke at will.
func TestOutcomeWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		err     error
		outcome Outcome
		cause   string
	}{
		{"deadline", fmt.Errorf("post: %w", context.DeadlineExceeded), Failed, "time-out"},
		{"canceled", fmt.Errorf("post: %w", context.Canceled), Failed, "canceled"},
		{"no credentials", errors.New("get credentials"), Failed, "no answer"},
		{"a typed error without its answer", fmt.Errorf("post: %w", &types.GoneException{}), Gone, "gone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			outcome, cause := outcomeOf(test.err, time.Hour)
			if outcome != test.outcome || cause != test.cause {
				t.Errorf("got %s, %q, want %s, %q", outcome, cause, test.outcome, test.cause)
			}
		})
	}
}
