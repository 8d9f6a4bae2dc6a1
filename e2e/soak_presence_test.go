package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// truth lists the users who have an open device.
func (s *soak) truth() map[string]bool {
	online := map[string]bool{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		online[d.user] = online[d.user] || d.isOpen()
	}
	return online
}

// waitForPresence waits until the ghosts of lost disconnects are gone: a first lease of a minute and two sweeps.
func (s *soak) waitForPresence(t *testing.T) {
	t.Helper()
	truth := s.truth()
	s.within(t, 3*time.Minute, "presence is the truth", func(ctx context.Context) error {
		for user, online := range truth {
			got, err := s.load.status(ctx, user)
			if err != nil {
				return err
			}
			if got != online {
				return fmt.Errorf("%s is told to be online: %t", user, got)
			}
		}
		return nil
	})
}

// checkEvents proves that events about a user alternate, rise in version, and end with the truth. The last ones may
// still be under way: a grace period, and retries.
func (s *soak) checkEvents(t *testing.T) {
	t.Helper()
	truth := s.truth()
	events := map[string][]event{}
	s.receipts = map[string]int{}
	s.within(t, 40*time.Second, "the last event about everybody is the truth", func(context.Context) error {
		for _, text := range s.drain(t, s.queue) {
			var e event
			var r receipt
			if err := errors.Join(json.Unmarshal([]byte(text), &e), json.Unmarshal([]byte(text), &r)); err != nil {
				return err
			}
			if r.EventName == "MessageSettled" {
				s.receipts[r.Data.ID]++
				continue
			}
			events[e.Data.UserID] = append(events[e.Data.UserID], e)
		}
		for user, online := range truth {
			if last := lastOf(events[user]); last.Data.IsOnline != online {
				return fmt.Errorf("the last event about %s says %t", user, last.Data.IsOnline)
			}
		}
		return nil
	})
	for user, all := range events {
		slices.SortStableFunc(all, func(a, b event) int { return int(a.Data.Version - b.Data.Version) })
		all = slices.CompactFunc(all, func(a, b event) bool { return a.Data.Version == b.Data.Version }) // duplicates carry the same version
		for i, e := range all {
			if e.Data.IsOnline != (i%2 == 0) {
				t.Errorf("event %d about %s says %t: events do not alternate", i, user, e.Data.IsOnline)
			}
		}
	}
}

// lastOf returns the event with the highest version.
func lastOf(events []event) (last event) {
	for _, e := range events {
		if e.Data.Version > last.Data.Version {
			last = e
		}
	}
	return last
}
