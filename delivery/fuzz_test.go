package delivery

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"heliograph/message"
)

// FuzzReadState proves that any HeliographRetry, whoever wrote it, is either rejected or read as a state within
// bounds, and that a message with it goes only to recipients that the message names.
func FuzzReadState(f *testing.F) {
	now := time.Now()
	bodies := []string{
		`{"UserId":"a","Body":"b","Id":"m"}`, `{"UserIds":["a","b"],"Body":"b"}`, `{"ConnectionId":"c","Body":"b"}`, `{"Broadcast":true,"Body":"b"}`,
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := Record{SentAt: now, Attributes: map[string]types.MessageAttributeValue{message.RetryAttribute: {StringValue: aws.String(text)}}}
		s, rejection := readState(&r, now)
		if rejection != nil {
			if rejection.Reason != message.ReasonBadFollowUp {
				t.Fatalf("reason %q", rejection.Reason)
			}
			return
		}
		if s.Attempt < 1 || s.Attempt > message.MaxAttempts || s.FirstSentAt < 0 || s.Settled < 0 {
			t.Fatalf("accepted %+v", s)
		}
		if len(s.Owed) == 0 {
			s.Owed = nil // which means the same
		}
		if len(s.Known) == 0 {
			s.Known = nil
		}
		again, rejection := readState(&Record{Attributes: followUpOf(s)}, now)
		if diff := cmp.Diff(s, again); rejection != nil || diff != "" {
			t.Fatalf("read again: %v (-first +again):\n%s", rejection, diff)
		}
		for _, body := range bodies {
			r.Body = body
			held(t, &r, now)
		}
	})
}

// held opens a record, and checks its recipients against those that its message names.
func held(t *testing.T, r *Record, now time.Time) {
	j := open(r, now)
	if j.rejection != nil {
		return
	}
	recipients := j.recipients()
	if len(recipients) == 0 && !j.message.Broadcast {
		t.Fatalf("%s goes to nobody", r.Body)
	}
	for _, one := range recipients {
		named := slices.Contains(j.message.Users, one.user) || j.message.Broadcast || j.message.Connection != "" && one.user == ""
		if !named {
			t.Fatalf("%s goes to %q", r.Body, one.user)
		}
	}
}
