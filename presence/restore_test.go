package presence_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"heliograph"
	"heliograph/presence"
)

// items returns all items of the table, as a backup has them.
func (f *fixture) items(t tb) []item {
	t.Helper()
	page, err := f.db.(*api.Client).Scan(context.Background(), &api.ScanInput{TableName: aws.String(tableName)})
	if err != nil || page.LastEvaluatedKey != nil {
		t.Fatalf("scan: %v, %v", page, err)
	}
	return page.Items
}

// replace gives the table the items of a backup, and no others.
func (f *fixture) replace(t tb, backup []item) {
	t.Helper()
	for _, i := range f.items(t) {
		f.remove(t, i)
	}
	for _, i := range backup {
		f.put(t, i)
	}
}

func (f *fixture) remove(t tb, i item) {
	t.Helper()
	key := item{"pk": i["pk"], "sk": i["sk"]}
	if _, err := f.db.DeleteItem(context.Background(), &api.DeleteItemInput{TableName: aws.String(tableName), Key: key}); err != nil {
		t.Fatalf("delete: %v", err)
	}
}

// comes and goes are a connection's life as client, gateway and functions see it.
func (w *world) comes(t tb, user heliograph.UserID, id heliograph.ConnectionID) {
	t.Helper()
	w.sockets.open(id)
	w.connect(t, user, id)
}

func (w *world) goes(t tb, user heliograph.UserID, id heliograph.ConnectionID) {
	t.Helper()
	w.sockets.close(id)
	w.disconnect(t, user, id)
}

// beforeAndAfter is a world whose table was backed up half an hour ago. Since then, one user has left, one has moved to
// another connection, one has come for the first time, and one has stayed. Another went at the time of the backup; a grace
// note of that is in the queue.
func beforeAndAfter(t tb) (w *world, backup []item) {
	w = newWorld(t)
	w.comes(t, "away", "w")
	w.settle(t)
	w.goes(t, "away", "w")
	w.settle(t)
	for user, id := range map[heliograph.UserID]heliograph.ConnectionID{"leaves": "l", "moves": "m1", "stays": "s", "goes": "g"} {
		w.comes(t, user, id)
	}
	w.converge(t)
	w.goes(t, "goes", "g")
	w.deliver(t)
	backup = w.items(t)
	w.advance(20 * time.Minute)
	w.goes(t, "leaves", "l")
	w.comes(t, "comes", "c")
	w.goes(t, "moves", "m1")
	w.deliver(t)
	w.advance(time.Minute)
	w.comes(t, "moves", "m2")
	w.deliver(t)
	w.advance(9 * time.Minute)
	return w, backup
}

// TestRestoreInPlace proves what becomes of a table that gets back the items of half an hour ago. The leases of that time
// have ended, so that the next sweep finds every ghost. Connections made since are missing: their users are offline until
// they connect again, and their ends do no harm. No record and no note gets stuck. Versions go on from
// those in the backup, so that one that was published before may come again for another event.
func TestRestoreInPlace(t *testing.T) {
	t.Parallel()
	w, backup := beforeAndAfter(t)
	w.settle(t)
	before := w.lastHeard(t, "leaves")
	w.heard = nil
	w.replace(t, backup)
	w.graces = append(w.graces, presence.Grace{User: "goes", Epoch: 1}) // delivered once more, from before everything
	w.sweep(t)
	if open := w.open(t, "stays"); !slices.Equal(open, []heliograph.ConnectionID{"s"}) || !w.status(t, "stays").Online {
		t.Errorf("who stayed has %v", open)
	}
	for _, user := range []heliograph.UserID{"leaves", "moves", "comes", "away", "goes"} {
		if open := w.open(t, user); len(open) > 0 || w.status(t, user).Online {
			t.Errorf("after a sweep %s has %v, online: %v", user, open, w.status(t, user).Online)
		}
	}
	w.goes(t, "moves", "m2") // API Gateway ends what it does not know to be missing, after two hours at the latest
	w.goes(t, "comes", "c")
	w.comes(t, "moves", "m3")
	w.comes(t, "comes", "c2")
	w.converge(t)
	if users := w.listed(t, 0); !slices.Equal(slices.Sorted(slices.Values(users)), []heliograph.UserID{"comes", "moves", "stays"}) {
		t.Errorf("online are %v", users)
	}
	for user, online := range map[heliograph.UserID]bool{"moves": true, "comes": true, "leaves": false} {
		if last := w.lastHeard(t, user); last.Online != online {
			t.Errorf("the last event of %s is %v", user, last)
		}
	}
	if again := w.lastHeard(t, "leaves"); again.Version != before.Version || again.At.Equal(before.At) {
		t.Errorf("who left was announced as %v before and as %v after; docs/operating.md says that versions come again", before, again)
	}
}

// TestRestoreByTheBook proves docs/operating.md: what is missing in the table is copied from a backup without anything that
// belongs to connections and announcements. Last activity is back, live connections are not touched, and versions rise.
func TestRestoreByTheBook(t *testing.T) {
	t.Parallel()
	w, backup := beforeAndAfter(t)
	w.settle(t)
	before := w.lastHeard(t, "away")
	for _, i := range w.items(t) {
		if textOf(i["sk"]) == "presence" && textOf(i["pk"]) != "user#moves" {
			w.remove(t, i) // the damage
		}
	}
	w.settle(t)
	for _, i := range backup {
		if textOf(i["sk"]) != "presence" {
			continue
		}
		kept := item{}
		for _, name := range []string{"pk", "sk", "lastActivity", "offlineSince", "ttl"} {
			if i[name] != nil {
				kept[name] = i[name]
			}
		}
		_, err := w.db.PutItem(context.Background(), &api.PutItemInput{TableName: aws.String(tableName), Item: kept, ConditionExpression: aws.String("attribute_not_exists(pk)")})
		if (err != nil) != (textOf(i["pk"]) == "user#moves") {
			t.Fatalf("copy %v: %v", kept, err)
		}
	}
	w.converge(t)
	same(t, "status", w.status(t, "away"), presence.Status{User: "away", LastActivity: start})
	if open := w.open(t, "moves"); !slices.Equal(open, []heliograph.ConnectionID{"m2"}) || !w.status(t, "moves").Online {
		t.Errorf("who was not damaged has %v", open)
	}
	w.comes(t, "away", "w2")
	w.comes(t, "stays", "s2") // until then, messages reach the first connection, and the user counts as offline
	w.converge(t)
	for _, user := range []heliograph.UserID{"away", "stays"} {
		if last := w.lastHeard(t, user); !last.Online || last.Version <= before.Version {
			t.Errorf("the last event of %s is %v, after versions up to %v", user, last, before)
		}
	}
	if open := w.open(t, "stays"); len(open) != 2 {
		t.Errorf("who stayed has %v", open)
	}
}
