package dynamodb

import (
	"encoding/json"
	"fmt"

	"heliograph/simulator/dynamodb/attribute"
)

// Kept is what a table holds, in the form in which it is saved.
type Kept struct {
	Items []attribute.Item
	// Changes are those records of the stream that one of its readers has not handled yet.
	Changes []KeptRecord `json:",omitempty"`
}

// KeptRecord is a Record in the form in which it is saved. Loading it gives it a new sequence number.
type KeptRecord Record

// Keep returns what the tables hold, by name. No table changes before also has returned, so what also reads elsewhere is
// of the same instant. handled returns, for each of a stream's shards by id, the last record that needs no keeping.
func (db *Database) Keep(handled func(*Stream) map[string]Sequence, also func()) map[string]Kept {
	kept := map[string]Kept{}
	for _, t := range db.Tables() {
		var after map[string]Sequence
		if t.stream != nil {
			after = handled(t.stream) // before the instant: a record handled since is kept, and handled again
		}
		t.mu.RLock()
		defer t.mu.RUnlock()
		k := Kept{Items: make([]attribute.Item, 0, t.rows.Len())}
		t.rows.Scan(func(r row) bool {
			k.Items = append(k.Items, r.item)
			return true
		})
		for id, last := range after {
			k.Changes = append(k.Changes, t.stream.keep(id, last)...)
		}
		kept[t.Name()] = k
	}
	also()
	return kept
}

// keep returns a shard's records after one of them.
func (s *Stream) keep(shard string, after Sequence) (kept []KeptRecord) {
	for _, x := range s.shards {
		if x.ID() != shard {
			continue
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, r := range x.records {
			if r.Sequence > after {
				kept = append(kept, KeptRecord(r))
			}
		}
	}
	return kept
}

// Load fills an empty table with what was kept of one. Items make no records of their own; the records that were kept
// follow, and only readers from the trim horizon on see them. An item that the table can't hold is an error.
func (t *Table) Load(k Kept) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, item := range k.Items {
		err := attribute.Check(item)
		if err == nil {
			err = t.checkPut(item)
		}
		if err != nil {
			key, _ := json.Marshal(t.schema.keyOf(item)) // for the error only
			return fmt.Errorf("load the item %s of the table %s: %w", key, t.Name(), err)
		}
		old, _ := t.get(item)
		t.set(old, item)
	}
	if t.stream == nil {
		return nil
	}
	for _, r := range k.Changes {
		t.stream.put(Record(r))
	}
	return nil
}
