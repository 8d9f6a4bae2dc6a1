package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// message is a producer's message.
type message struct {
	UserID       string   `json:"UserId,omitempty"`
	UserIDs      []string `json:"UserIds,omitempty"`
	ConnectionID string   `json:"ConnectionId,omitempty"`
	Broadcast    bool     `json:",omitempty"`
	Body         string
	ID           string `json:"Id,omitempty"`
	ExpiresAt    string `json:",omitempty"`
	Receipt      bool   `json:",omitempty"`
}

func (m message) text(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (m message) send(t *testing.T) {
	t.Helper()
	sendRaw(t, m.text(t))
}

// getsOnce proves that a device gets a body exactly once: its next message is one sent later.
func (d device) getsOnce(t *testing.T, user, body string) {
	t.Helper()
	if got := d.next(t); got != body {
		t.Errorf("%s got %q, want %q", user, got, body)
	}
	d.getsNothing(t, user)
}

// getsNothing proves that no message is under way to a device: its next one is one sent later.
func (d device) getsNothing(t *testing.T, user string) {
	t.Helper()
	fence := "fence " + newUser()
	send(t, user, fence)
	for {
		switch got := d.next(t); {
		case got == fence:
			return
		case !strings.HasPrefix(got, "fence "): // meant for the user's other device
			t.Errorf("%s got %q, want the fence", user, got)
			return
		}
	}
}

// TestSeveralUsers proves that a message to several users reaches each of their devices once, and no other user.
func TestSeveralUsers(t *testing.T) {
	t.Parallel()
	users := map[string][]device{}
	var ids []string
	for _, devices := range []int{2, 1, 3} {
		user := newUser()
		for range devices {
			users[user] = append(users[user], connect(t, user))
		}
		ids = append(ids, user)
	}
	other := newUser()
	bystander := connect(t, other)
	message{UserIDs: append(slices.Clone(ids), newUser(), ids[0]), Body: "to some"}.send(t)
	for _, user := range ids {
		for _, d := range users[user] {
			d.getsOnce(t, user, "to some")
		}
	}
	bystander.getsNothing(t, other)
}

// TestConnectionID proves that a message to a connection reaches this device and no other of its user.
func TestConnectionID(t *testing.T) {
	t.Parallel()
	user := newUser()
	phone := connect(t, user)
	id := shared().waitForConnections(t, user, 1)[0]
	laptop := connect(t, user)
	message{ConnectionID: id, Body: "to the phone"}.send(t)
	phone.getsOnce(t, user, "to the phone")
	laptop.getsNothing(t, user)
}

var everybody = flag.Bool("broadcast", false, "test broadcasts on a stack that these tests did not start, too: all its users get one")

// TestBroadcast proves that a broadcast that takes several steps reaches every device of every online user once, and
// no offline user. It is not parallel, because the users of parallel tests would get the broadcast as well.
func TestBroadcast(t *testing.T) {
	if own == nil && !*everybody {
		t.Skip("all users of the stack would get the message: if that does no harm, add -broadcast")
	}
	const people = 24
	topic := subscribe(t)
	users := make([]string, people)
	devices := make([][]device, people)
	for i := range users {
		users[i] = newUser()
		for range 1 + i%2 {
			devices[i] = append(devices[i], connect(t, users[i]))
		}
	}
	away := newUser()
	connect(t, away).hangUp(t)
	waitForConnections(t, away, 0)
	eventually(t, "all are listed as online", func(context.Context) (bool, error) {
		listed := allOnline(t)
		for _, user := range users {
			if !listed[user] {
				return false, nil
			}
		}
		return !listed[away], nil
	})
	m := message{Broadcast: true, Body: "to all", ID: newUser(), Receipt: true}
	m.send(t)
	settled := topic.receipt(t, m.ID)
	// A stack that is also used by others may have more users online.
	if settled.Data.Delivered < people*3/2 || settled.Data.Failed+settled.Data.Expired > 0 {
		t.Errorf("the receipt says %+v, want at least %d delivered", settled.Data, people*3/2)
	}
	var group errgroup.Group
	for i, user := range users {
		for _, d := range devices[i] {
			group.Go(func() error { d.getsOnce(t, user, "to all"); return nil })
		}
	}
	_ = group.Wait() // the test itself reports what went wrong
}

// allOnline lists the online users, page by page.
func allOnline(t *testing.T) map[string]bool {
	t.Helper()
	online := map[string]bool{}
	token := tokenFor(t, newUser())
	for path := "/user/online"; path != ""; {
		a := get(t, path, "Bearer "+token)
		var page []status
		if err := json.Unmarshal([]byte(a.body), &page); err != nil {
			t.Fatalf("read %s: %v", a.body, err)
		}
		for _, s := range page {
			online[s.UserID] = true
		}
		reference, _, more := strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
		if path = ""; more {
			path = "/user/online" + reference
		}
	}
	return online
}
