package main

import (
	"encoding/json"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"heliograph"
	"heliograph/handlers/internal/topic"
	"heliograph/presence"
)

// accepted is SQS's rule for the characters of a text, in the words of its documentation.
var accepted = regexp.MustCompile(`^[\x{9}\x{A}\x{D}\x{20}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]+$`)

// FuzzWritten proves that SQS and SNS accept all that is written about any user: the event, the note, and the
// descriptions of records and notes that failed; and that the event names just this user.
func FuzzWritten(f *testing.F) {
	for _, user := range []string{"1234", "a\uffff", "\ufffe\x00\x1f", "<&>\u2028\"\\", "\xff"} {
		f.Add(user)
	}
	f.Fuzz(func(t *testing.T, user string) {
		queue, published := &fakeSQS{}, &fakeSNS{}
		check := func(what, text string, err error) {
			if err != nil || !accepted.MatchString(text) {
				t.Errorf("%s: %q, %v", what, text, err)
			}
		}
		err := (changes{topic.Topic{Client: published, ARN: "arn"}}).Publish(t.Context(), presence.Event{User: heliograph.UserID(user), At: time.Now()})
		check("event", *published.in.Message, err)
		err = (graceQueue{queue, "q", 0}).Queue(t.Context(), presence.Grace{User: heliograph.UserID(user)})
		check("note", *queue.in.MessageBody, err)
		var g presence.Grace
		if err := json.Unmarshal([]byte(*queue.in.MessageBody), &g); err != nil || string(g.User) != string([]rune(user)) {
			t.Errorf("the note is of %q, not %q: %v", g.User, user, err)
		}
		name, _ := json.Marshal(user)
		record := json.RawMessage(`{"eventID":` + string(name) + `,"dynamodb":{"Keys":{"pk":{"S":"user#` + "\uffff" + `"}}}}`)
		err = (failureQueue{queue, "q"}).Keep(t.Context(), describe(record, errors.New(user)))
		check("record", *queue.in.MessageBody, err)
		err = (failureQueue{queue, "q"}).Keep(t.Context(), describeNote(noteOf(user), errors.New(user)))
		check("failed note", *queue.in.MessageBody, err)
	})
}

func noteOf(body string) events.SQSMessage { return events.SQSMessage{MessageId: "m", Body: body} }
