package presence_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"heliograph"
	"heliograph/presence"
)

// tryConnect connects, and reports whether the connection was accepted.
func tryConnect(t tb, s *presence.Store, id int) bool {
	t.Helper()
	err := s.Connect(context.Background(), presence.Connection{User: "u", ID: heliograph.ConnectionID(fmt.Sprintf("c%05d", id))})
	if err != nil && !errors.Is(err, presence.ErrTooManyConnections) {
		t.Errorf("connect %d: %v", id, err)
	}
	return err == nil
}

// TestConnectionLimit proves that a user's connections are limited, however often the user comes and goes; a refused
// one leaves nothing behind, and other users are not affected.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.store = f.store.LimitConnections(3)
	for id := range 3 {
		if !tryConnect(t, f.store, id) {
			t.Errorf("connection %d was refused", id)
		}
	}
	for id := 3; id < 6; id++ {
		if tryConnect(t, f.store, id) {
			t.Errorf("connection %d was not refused", id)
		}
	}
	f.connect(t, "other", "d")
	same(t, "open connections", f.open(t, "u"), []heliograph.ConnectionID{"c00000", "c00001", "c00002"})
	if !f.status(t, "u").Online {
		t.Error("a refusal made the user offline")
	}
	f.disconnect(t, "u", "c00001")
	if !tryConnect(t, f.store, 7) || tryConnect(t, f.store, 8) {
		t.Error("after one connection closed, not exactly one more was let in")
	}
	for _, id := range f.open(t, "u") {
		f.disconnect(t, "u", id)
	}
	for id := 10; id < 20; id++ { // one after the other, as a device that reconnects
		if !tryConnect(t, f.store, id) {
			t.Errorf("connection %d, the only one, was refused", id)
		}
		f.disconnect(t, "u", heliograph.ConnectionID(fmt.Sprintf("c%05d", id)))
	}
}

// TestConnectionLimitInARace proves that many simultaneous connects never exceed the limit, and get close to it.
func TestConnectionLimitInARace(t *testing.T) {
	t.Parallel()
	const limit, clients = 10, 60
	f := setUp(t)
	store := f.store.LimitConnections(limit)
	var wait sync.WaitGroup
	for id := range clients {
		wait.Go(func() { tryConnect(t, store, id) })
	}
	wait.Wait()
	if open := len(f.open(t, "u")); open > limit {
		t.Errorf("%d connections are open, the limit is %d", open, limit)
	}
	for id := clients; id < clients+limit; id++ {
		tryConnect(t, store, id)
	}
	if open := len(f.open(t, "u")); open != limit {
		t.Errorf("%d connections are open once the race is over, want the limit, %d", open, limit)
	}
}

// TestCostOfTheLimit proves that the limit costs a connect nothing until the user has connected more often than allowed
// since coming online; from then on it costs a read of the user's connections for each connect, for as long as the user
// stays online.
func TestCostOfTheLimit(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	const limit = 20
	f.store = f.store.LimitConnections(limit)
	for id := range limit + 1 {
		before := f.units()
		f.connect(t, "u", heliograph.ConnectionID(fmt.Sprintf("c%05d", id)))
		if read := f.units()[0] - before[0]; (read > 0) != (id == limit) || read > 1 {
			t.Errorf("connect %d took %v read units", id, read)
		}
		f.advance(time.Second)
		if id > 0 { // at most two are open
			f.disconnect(t, "u", heliograph.ConnectionID(fmt.Sprintf("c%05d", id-1)))
		}
	}
}
