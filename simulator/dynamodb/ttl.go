package dynamodb

import (
	"cmp"
	"strconv"
	"time"

	"github.com/tidwall/btree"

	"heliograph/simulator/dynamodb/attribute"
)

// tooOld is how far in the past an expiry may lie: AWS takes an older one for a mistake, and keeps the item.
const tooOld = 5 * 365 * 24 * time.Hour

// ExpireDue deletes the items whose time to live has passed at the given time, and returns their number. As on AWS,
// every reader still sees them until then. Deletions by time to live cost no write units.
func (t *Table) ExpireDue(now time.Time) int {
	if t.def.TTLAttribute == "" {
		return 0
	}
	expired := 0
	for _, item := range t.due(now) {
		if t.expire(item, now) {
			expired++
		}
	}
	return expired
}

// expiry is an entry in the list of expiries, which finds expired items without a look at all the others.
type expiry struct {
	seconds int64 // Unix
	at      position
	item    attribute.Item
}

func newExpiries() *btree.BTreeG[expiry] {
	less := func(a, b expiry) bool { return cmp.Or(cmp.Compare(a.seconds, b.seconds), a.at.compare(b.at)) < 0 }
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true}) // the table's lock guards it
}

// follow updates the list of expiries after a change of the item at a place. The caller holds the lock.
func (t *Table) follow(at position, old, new attribute.Item) {
	was, had := t.expiresAt(old)
	will, has := t.expiresAt(new)
	if had && (!has || was != will) {
		t.expiries.Delete(expiry{seconds: was, at: at})
	}
	if has {
		t.expiries.Set(expiry{seconds: will, at: at, item: new})
	}
}

// due finds the expired items under the read lock, so that other readers need not wait.
func (t *Table) due(now time.Time) []attribute.Item {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var due []attribute.Item
	t.expiries.Ascend(expiry{seconds: now.Add(-tooOld).Unix()}, func(e expiry) bool {
		if t.isDue(e.item, now) {
			due = append(due, e.item)
		}
		return e.seconds <= now.Unix()
	})
	return due
}

// expire deletes an item if it is still due: a request may have changed it since.
func (t *Table) expire(item attribute.Item, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, _ := t.get(item)
	if !t.isDue(old, now) { // a deleted item is not due either
		return false
	}
	t.replace(old, nil, TimeToLive)
	return true
}

// isDue reports whether an item's time has passed, but not so long ago that it must be a mistake.
func (t *Table) isDue(item attribute.Item, now time.Time) bool {
	seconds, ok := t.expiresAt(item)
	at := time.Unix(seconds, 0)
	return ok && at.Before(now) && at.After(now.Add(-tooOld))
}

// expiresAt returns the whole second in which an item expires. Only a Number of Unix seconds counts; with anything
// else, the item never expires.
func (t *Table) expiresAt(item attribute.Item) (int64, bool) {
	v := item[t.def.TTLAttribute]
	if v.Kind() != attribute.Number {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(v.Text(), 64)
	return int64(seconds), err == nil
}
