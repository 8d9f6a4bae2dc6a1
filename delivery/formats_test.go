package delivery

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/message"
	"heliograph/presence"
)

// recordFormats writes what this version leaves on queues. A file that a release has is never written anew: its messages
// may wait on some queue.
var recordFormats = flag.String("record-formats", "", "write the follow-ups and dead letters of this version to testdata/formats/<name>.json")

// formerRecord is a message that a version has left on a queue, and what any later version has to post when it finds it.
type formerRecord struct {
	Name, Body string
	Texts      map[string]string            // attributes
	Bytes      map[string][]byte            `json:",omitempty"`
	Posts      map[string][]string          // by connection
	Users      map[heliograph.UserID]string // that are connected, by their connection of before
}

// formerCases are messages whose first attempt does not reach everybody, by name. Each user has a connection of the same
// name; those of answers refuse the first post.
var formerCases = map[string]struct {
	text    string
	users   []heliograph.UserID
	answers map[string]answer
	left    heliograph.UserID // has just left, and comes back
	dies    bool              // becomes a dead letter
}{
	"one connection":  {text: `{"UserId":"a","Body":"hello"}`, users: []heliograph.UserID{"a"}, answers: map[string]answer{"a": throttled}},
	"one user of two": {text: `{"UserIds":["a","b"],"Body":"hello"}`, users: []heliograph.UserID{"a", "b"}, answers: map[string]answer{"b": throttled}},
	"a user who left": {text: `{"UserIds":["a","b"],"Body":"hello"}`, users: []heliograph.UserID{"a"}, left: "b"},
	"an Id":           {text: `{"UserId":"a","Body":"hello","Id":"1"}`, users: []heliograph.UserID{"a"}, answers: map[string]answer{"a": throttled}},
	"a receipt":       {text: `{"UserIds":["a","b"],"Body":"hello","Id":"1","Receipt":true}`, users: []heliograph.UserID{"a", "b"}, answers: map[string]answer{"b": throttled}},
	"a connection id": {text: `{"ConnectionId":"a","Body":"hello"}`, answers: map[string]answer{"a": throttled}},
	"a broadcast":     {text: `{"Broadcast":true,"Body":"hello"}`, users: []heliograph.UserID{"a", "b"}, answers: map[string]answer{"b": throttled}},
	"a dead letter":   {text: `{"UserIds":["a","b"],"Body":"hello"}`, users: []heliograph.UserID{"a", "b"}, answers: map[string]answer{"b": {status: 413, code: "PayloadTooLargeException"}}, dies: true},
}

// TestFormerFormats proves that this version goes on with each message that an earlier one has left on a queue, whose
// format and seal are fixed: nobody gets it twice, nobody misses it, and no state is taken for a forgery.
func TestFormerFormats(t *testing.T) {
	if *recordFormats != "" {
		recordFormer(t, filepath.Join("testdata", "formats", *recordFormats+".json"))
	}
	files, err := filepath.Glob(filepath.Join("testdata", "formats", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are the files %v: %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var records []formerRecord
		if err := json.Unmarshal(text, &records); err != nil {
			t.Fatalf("read %s: %v", file, err)
		}
		for _, former := range records {
			t.Run(filepath.Base(file)+" "+former.Name, func(t *testing.T) {
				bubble(t, func(b *harness) {
					time.Sleep(time.Minute) // connections are no longer young
					if diff := cmp.Diff(former.Posts, b.follow(former)); diff != "" {
						b.Errorf("the posts differ (-then +now):\n%s", diff)
					}
				})
			})
		}
	}
}

// follow delivers a message of before, when all users are connected twice, and returns the posts.
func (b *harness) follow(former formerRecord) map[string][]string {
	for user, connection := range former.Users {
		b.presence.connections[user] = []presence.Connection{
			{User: user, ID: heliograph.ConnectionID(connection), ConnectedAt: time.Now().Add(-time.Hour)},
			{User: user, ID: heliograph.ConnectionID("new-" + connection), ConnectedAt: time.Now().Add(-time.Minute)},
		}
	}
	r := Record{ID: "m", Body: former.Body, SentAt: time.Now(), Attributes: attributes{}}
	for name, value := range former.Texts {
		r.Attributes[name] = stringAttribute(value)
	}
	for name, value := range former.Bytes {
		r.Attributes[name] = types.MessageAttributeValue{DataType: aws.String("Binary"), BinaryValue: value}
	}
	if back := b.deliverRaw(b.Context(), r); len(back) > 0 {
		b.Errorf("%v went back to the queue", back)
	}
	for _, in := range b.queue.to(deadLetterURL) {
		b.Errorf("it became a dead letter: %s", attribute(in, message.ReasonAttribute))
	}
	return b.gateway.received()
}

// recordFormer makes the first attempt of each case, and writes down what it leaves on a queue.
func recordFormer(t *testing.T, file string) {
	if _, err := os.Stat(file); err == nil {
		t.Fatalf("%s exists: name another version", file)
	}
	var records []formerRecord
	for name, c := range formerCases {
		t.Run("record "+name, func(t *testing.T) {
			alone(t, func(b *harness) {
				former := formerRecord{Name: name, Texts: map[string]string{}, Bytes: map[string][]byte{}, Users: map[heliograph.UserID]string{}}
				for _, user := range c.users {
					b.presence.connections[user] = []presence.Connection{{User: user, ID: heliograph.ConnectionID(user), ConnectedAt: time.Now().Add(-time.Hour)}}
					former.Users[user] = string(user)
				}
				if c.left != "" {
					b.presence.lastActivity[c.left] = time.Now()
					former.Users[c.left] = string(c.left)
				}
				for connection, a := range c.answers {
					b.gateway.answers[connection] = []answer{a}
				}
				b.deliver(b.Context(), Record{ID: "m", Body: c.text, SentAt: time.Now()})
				to := queueURL
				if c.dies {
					to = deadLetterURL
				}
				in := only(b, to)
				former.Body = *in.MessageBody
				for name, a := range in.MessageAttributes {
					if a.StringValue != nil {
						former.Texts[name] = *a.StringValue
					} else {
						former.Bytes[name] = a.BinaryValue
					}
				}
				records = append(records, former)
			})
		})
	}
	for i := range records {
		t.Run("follow "+records[i].Name, func(t *testing.T) {
			alone(t, func(b *harness) {
				time.Sleep(time.Minute)
				records[i].Posts = b.follow(records[i])
			})
		})
	}
	text, err := json.MarshalIndent(records, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("write %s: %w", file, err))
	}
}
