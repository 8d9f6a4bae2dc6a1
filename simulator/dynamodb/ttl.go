package dynamodb

import (
	"strconv"
	"time"

	"heliograph/simulator/dynamodb/attribute"
)

// tooOld is how far in the past an expiry may lie: AWS takes an older one for a mistake.
const tooOld = 5 * 365 * 24 * time.Hour

// ExpireDue deletes the items whose time to live has passed at the given time, and says how many. Until
// then they are there for all to read, as on AWS. Deletions by time to live cost no write units.
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

// due finds the expired items under the read lock, so that others can go on meanwhile.
func (t *Table) due(now time.Time) []attribute.Item {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var due []attribute.Item
	t.rows.Scan(func(r row) bool {
		if t.isDue(r.item, now) {
			due = append(due, r.item)
		}
		return true
	})
	return due
}

// expire deletes an item if it still is due: a request may have been faster.
func (t *Table) expire(item attribute.Item, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, _ := t.get(item)
	if !t.isDue(old, now) { // nor is one that is gone
		return false
	}
	t.replace(old, nil, TimeToLive)
	return true
}

// isDue holds for a number of Unix seconds that has passed; anything else never expires.
func (t *Table) isDue(item attribute.Item, now time.Time) bool {
	v := item[t.def.TTLAttribute]
	if v.Kind() != attribute.Number {
		return false
	}
	seconds, err := strconv.ParseFloat(v.Text(), 64)
	at := time.Unix(int64(seconds), 0)
	return err == nil && at.Before(now) && at.After(now.Add(-tooOld))
}
