package presence_test

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"heliograph"
	"heliograph/presence"
)

// Invariants of a user's events, whatever fails. checkEvents in world_test.go has the rest: they alternate, rise in
// version, and end with the truth.

// presenceOf is the part of a presence item that concerns events.
type presenceOf struct {
	online, announced     bool
	epoch, announcedEpoch int64
}

func readPresence(i item) presenceOf {
	is := func(name string) bool {
		b, _ := i[name].(*types.AttributeValueMemberBOOL)
		return b != nil && b.Value
	}
	count := func(name string) int64 {
		n, _ := i[name].(*types.AttributeValueMemberN)
		if n == nil {
			return 0
		}
		value, _ := strconv.ParseInt(n.Value, 10, 64) // the table accepts numbers only
		return value
	}
	return presenceOf{is("online"), is("announced"), count("epoch"), count("announcedEpoch")}
}

// presenceNow is the table's presence item of a user.
func (w *world) presenceNow(t tb, user heliograph.UserID) presenceOf {
	t.Helper()
	out, err := w.db.GetItem(context.Background(), &api.GetItemInput{
		TableName: aws.String(tableName), ConsistentRead: aws.Bool(true),
		Key: item{"pk": text("user#" + string(user)), "sk": text("presence")},
	})
	if err != nil {
		t.Fatalf("presence of %s: %v", user, err)
	}
	return readPresence(out.Item)
}

// lastHeard is the last new event of a user; with version 0 if there was none.
func (w *world) lastHeard(t tb, user heliograph.UserID) (last presence.Event) {
	t.Helper()
	if events := w.events(t, user); len(events) > 0 {
		last = events[len(events)-1]
	}
	return last
}

// checkHandled checks, once a record has been handled, that a user whom it shows online and who has been online since
// has been announced as online.
func (w *world) checkHandled(t tb, r presence.Record) {
	t.Helper()
	sk, _ := r.Keys["sk"].(*types.AttributeValueMemberS)
	then := readPresence(r.New)
	if sk == nil || sk.Value != "presence" || !then.online {
		return
	}
	user := heliograph.UserID(r.Partition()[len("user#"):])
	if now := w.presenceNow(t, user); now.online && now.epoch == then.epoch && !w.lastHeard(t, user).Online {
		t.Fatalf("%s is online, the record of it is handled, and what was announced is %v", user, w.events(t, user))
	}
}

// checkGone checks, once the grace period is over, that a user who has been offline since then has been announced as
// offline, in the version of that change.
func (w *world) checkGone(t tb, g presence.Grace) {
	t.Helper()
	now, last := w.presenceNow(t, g.User), w.lastHeard(t, g.User)
	if !now.online && now.epoch == g.Epoch && (last.Online || last.Version != g.Epoch) {
		t.Fatalf("%s stayed away from epoch %d on, and what was announced is %v", g.User, g.Epoch, w.events(t, g.User))
	}
}

// decisions are the announced changes according to the table, in order.
func (w *world) decisions(t tb, user heliograph.UserID) (decided []presence.Event) {
	t.Helper()
	for _, record := range w.records(t, "") {
		r := recordOf(record)
		before, p := readPresence(r.Old), readPresence(r.New)
		if r.Partition() == "user#"+string(user) && p.announcedEpoch != before.announcedEpoch {
			decided = append(decided, presence.Event{User: user, Online: p.announced, Version: p.announcedEpoch})
		}
	}
	return decided
}

// checkDecisions checks that every decision was published, in this order, and nothing else.
func (w *world) checkDecisions(t tb, user heliograph.UserID) {
	t.Helper()
	var heard []presence.Event
	for _, e := range w.events(t, user) {
		heard = append(heard, presence.Event{User: user, Online: e.Online, Version: e.Version})
	}
	same(t, "events of "+string(user), heard, w.decisions(t, user))
}

// checkRepeats checks that every repeated event has a reason. A function that publishes an event again saw it decided
// but not marked as published. So the function that published it before has failed since, or was still at work. Each
// failure is made up for once, and two concurrent functions may each find the other's work.
func (m *machine) checkRepeats(t tb) {
	t.Helper()
	decided := 0
	for _, user := range []heliograph.UserID{"ann", "bob"} {
		decided += len(m.decisions(t, user))
	}
	if again := len(m.heard) - decided; again > m.failed+2*m.overlaps {
		t.Errorf("%d events were heard again: %d announcers failed, %d pairs overlapped: %v", again, m.failed, m.overlaps, m.heard)
	}
}
