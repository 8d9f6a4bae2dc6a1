package presence_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph/presence"
)

// TestRecordsOfNoInterest proves that the Announcer does nothing at all with records of presence that change neither who
// is online nor what is to be announced, so that the stream's filters may keep them back. TestStreamFilters, in
// infra/stack, proves of the same records that the filters pass the others.
func TestRecordsOfNoInterest(t *testing.T) {
	t.Parallel()
	for _, before := range images() {
		for _, after := range images() {
			if after == nil || before == nil && after["announced"] != nil {
				continue // no write makes the latter: what is announced was stored before
			}
			was, now := readPresence(before), readPresence(after)
			want := now.online != now.announced || now.online && !was.online
			r := presence.Record{Keys: item{"pk": text("user#u"), "sk": text("presence")}, Old: before, New: after}
			if got := acts(t, r); got != want {
				t.Errorf("from %v to %v: acts %v, want %v", before, after, got, want)
			}
		}
	}
}

// acts reports whether handling a record calls anything: the table, the topic and the queue are not there.
func acts(t *testing.T, r presence.Record) (acted bool) {
	t.Helper()
	defer func() { acted = recover() != nil || acted }()
	missing := presence.NewStore(struct{ presence.DynamoDB }{}, tableName, nil)
	if err := presence.NewAnnouncer(missing, nil, nil).Handle(context.Background(), r); err != nil {
		t.Error(err)
	}
	return false
}

// images are those that the stream can have of a presence item: missing, or online or not, and announced or not or not
// yet.
func images() []item {
	all := []item{nil}
	flag := func(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }
	for _, online := range []bool{true, false} {
		all = append(all, item{"online": flag(online)})
		for _, announced := range []bool{true, false} {
			all = append(all, item{"online": flag(online), "announced": flag(announced)})
		}
	}
	return all
}
