package delivery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"heliograph/message"
)

// FuzzReadState proves that any HeliographRetry, even one with a seal, is either rejected or read as a state within
// bounds, which is written as it was read, and that a message with it goes only to recipients that the message names.
func FuzzReadState(f *testing.F) {
	now := time.UnixMilli(1767323045678)
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
		old := func(ms int64) bool { return ms != 0 && now.Sub(time.UnixMilli(ms)).Abs() > 61*24*time.Hour }
		if s.Attempt < 1 || s.Attempt > message.MaxAttempts || old(s.FirstSentAt) || old(s.Settled) || old(s.OwedSince) {
			t.Fatalf("accepted %+v", s)
		}
		carried, _ := message.ParseState("", text, now) // without the time from the record
		if text != carried.Text() && !strings.HasSuffix(text, " "+carried.Text()) {
			t.Fatalf("%s was read as %s", text, carried.Text())
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
