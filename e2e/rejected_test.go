package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestBadMessages proves that each undeliverable message ends in the dead-letter queue with a reason that the runbook
// lists, and that a good one behind them still arrives.
func TestBadMessages(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone := connect(t, user)
	id := func(n int) string { return strings.Repeat("x", n-20) + fmt.Sprintf("%020d", time.Now().UnixNano()) }
	many := make([]string, 1001)
	for i := range many {
		many[i] = newUser()
	}
	bad := []struct{ name, message, reason string }{
		{"no JSON", "hello " + newUser(), "malformed"},
		{"a list", `["` + newUser() + `"]`, "malformed"},
		{"no body", `{"UserId":"` + newUser() + `"}`, "malformed"},
		{"a field twice", `{"UserId":"` + newUser() + `","userid":"b","Body":""}`, "malformed"},
		{"user is no string", `{"UserId":{"a":1},"Body":"` + newUser() + `"}`, "malformed"},
		{"users are no list", `{"UserIds":"a","Body":"` + newUser() + `"}`, "malformed"},
		{"a user is a number", `{"UserIds":["a",7],"Body":"` + newUser() + `"}`, "malformed"},
		{"connection is no string", `{"ConnectionId":7,"Body":"` + newUser() + `"}`, "malformed"},
		{"broadcast is no bool", `{"Broadcast":"true","Body":"` + newUser() + `"}`, "malformed"},
		{"receipt is no bool", `{"UserId":"a","Id":"1","Receipt":1,"Body":"` + newUser() + `"}`, "malformed"},
		{"a receipt without an id", `{"UserId":"a","Receipt":true,"Body":"` + newUser() + `"}`, "malformed"},
		{"expires tomorrow", `{"UserId":"a","ExpiresAt":"tomorrow","Body":"` + newUser() + `"}`, "malformed"},
		{"half a surrogate pair", `{"UserId":"a","Body":"\ud83d` + newUser() + `"}`, "malformed"},
		{"deep", `{"UserId":"a","Body":` + strings.Repeat("[", 100_000) + `"` + newUser() + `"` + strings.Repeat("]", 100_000) + `}`, "malformed"},
		{"a long id", message{UserID: "a", ID: id(257)}.text(t), "malformed"},
		{"no target", `{"Body":"` + newUser() + `"}`, "no-target"},
		{"nobody", `{"UserIds":[],"Broadcast":false,"Body":"` + newUser() + `"}`, "no-target"},
		{"an empty user", `{"UserId":"","Body":"` + newUser() + `"}`, "no-target"},
		{"a user and all", message{UserID: newUser(), Broadcast: true}.text(t), "several-targets"},
		{"a user and users", message{UserID: newUser(), UserIDs: []string{"b"}}.text(t), "several-targets"},
		{"users and a connection", message{UserIDs: []string{newUser()}, ConnectionID: "c="}.text(t), "several-targets"},
		{"1001 users", message{UserIDs: many}.text(t), "too-many-users"},
		{"a long user id", message{UserID: id(257)}.text(t), "user-id-too-long"},
		{"a long user id of several", message{UserIDs: []string{"b", id(257)}}.text(t), "user-id-too-long"},
		{"a large body", message{UserID: newUser(), Body: strings.Repeat("x", 128<<10+1)}.text(t), "body-too-large"},
	}
	for _, b := range bad {
		sendRaw(t, b.message)
	}
	send(t, user, "still here")
	if got := phone.next(t); got != "still here" {
		t.Errorf("arrived %q", got)
	}
	for _, b := range bad {
		letter := deadLetter(t, b.message)
		reason, detail, _ := strings.Cut(aws.ToString(letter.MessageAttributes["RejectReason"].StringValue), ": ")
		if reason != b.reason || detail == "" {
			t.Errorf("%s: the reason is %q (%s), want %q", b.name, reason, detail, b.reason)
		}
	}
}

// TestLargestMessages proves that even a rejected message of SQS's largest size becomes a dead letter, cut only as
// far as the reason needs room.
func TestLargestMessages(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone := connect(t, user)
	mark := `{"UserId":"` + user + `","Note":"`
	largest := mark + strings.Repeat("n", 256<<10-len(mark)-len(`","Body":"fits"}`)) + `","Body":"fits"}`
	sendRaw(t, largest)
	phone.getsOnce(t, user, "fits")

	mark = `{"UserId":"` + user + `","Body":"`
	sendRaw(t, mark+strings.Repeat("x", 256<<10-len(mark)-2)+`"}`)
	letter := deadLetterLike(t, "the largest", func(body string) bool { return strings.HasPrefix(body, mark) })
	if cut := aws.ToString(letter.MessageAttributes["CutFrom"].StringValue); cut != fmt.Sprint(256<<10) {
		t.Errorf("CutFrom is %q, want %d", cut, 256<<10)
	}
	if reason := aws.ToString(letter.MessageAttributes["RejectReason"].StringValue); !strings.HasPrefix(reason, "body-too-large: ") {
		t.Errorf("the reason is %q", reason)
	}
}
