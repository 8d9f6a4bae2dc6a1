package dynamodb

import (
	"cmp"
	"maps"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
)

// maxBatchWrites is the maximum number of puts and deletes in one BatchWriteItem.
const maxBatchWrites = 25

// BatchWriteItemInput is the input of BatchWriteItem.
type BatchWriteItemInput struct {
	RequestItems                map[string][]WriteRequest
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

// WriteRequest puts or deletes one item.
type WriteRequest struct {
	PutRequest    *PutRequest    `json:",omitempty"`
	DeleteRequest *DeleteRequest `json:",omitempty"`
}

// PutRequest is an item to put.
type PutRequest struct{ Item attribute.Item }

// DeleteRequest is the key of an item to delete.
type DeleteRequest struct{ Key attribute.Item }

// BatchWriteItemOutput is the output of BatchWriteItem. Only throttled writes stay unprocessed: 25 items can't exceed
// the 16 MB above which AWS leaves some out.
type BatchWriteItemOutput struct {
	UnprocessedItems map[string][]WriteRequest
	ConsumedCapacity []*ConsumedCapacity `json:",omitempty"`
}

func (db *Database) batchWriteARNs(in *BatchWriteItemInput) []string {
	var arns []string
	for _, table := range slices.Sorted(maps.Keys(in.RequestItems)) {
		arns = append(arns, db.arnOf(table))
	}
	return arns
}

// batchWriteItem checks every write before it carries out the first; then each write succeeds or is throttled on its
// own.
func (db *Database) batchWriteItem(in *BatchWriteItemInput) (*BatchWriteItemOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(in.RequestItems))
	writes := map[string][]writing{}
	for _, name := range names {
		var err error
		if writes[name], err = db.writings(name, in.RequestItems[name]); err != nil {
			return nil, err
		}
	}
	out := &BatchWriteItemOutput{UnprocessedItems: map[string][]WriteRequest{}}
	left := 0
	for _, name := range names {
		consumed, err := db.writeAll(name, writes[name], in, out)
		left += len(out.UnprocessedItems[name])
		if err != nil && (!isThrottled(err) || left == in.count()) {
			return nil, err // throttling is an error only if nothing at all was written, see API_BatchWriteItem
		}
		if consumed != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, consumed)
		}
	}
	return out, nil
}

// check validates everything that needs no table, except the items.
func (in *BatchWriteItemInput) check() error {
	if len(in.RequestItems) == 0 {
		return invalid("The requestItems parameter is required for BatchWriteItem")
	}
	var c constraints
	for name, requests := range in.RequestItems {
		c.table(name)
		if n := len(requests); n == 0 || n > maxBatchWrites {
			c.failed("Map value must satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to 1]", maxBatchWrites)
		}
	}
	c.returnConsumedCapacity(in.ReturnConsumedCapacity)
	c.oneOf("returnItemCollectionMetrics", in.ReturnItemCollectionMetrics, "SIZE", "NONE")
	if err := c.err(); err != nil {
		return err
	}
	if in.count() > maxBatchWrites {
		return invalid("Too many items requested for the BatchWriteItem call")
	}
	return nil
}

// writings checks the writes to one table. No item may be written twice.
func (db *Database) writings(name string, requests []WriteRequest) ([]writing, error) {
	for _, r := range requests {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	t, err := db.lookup(name)
	if err != nil {
		return nil, err
	}
	writes := make([]writing, len(requests))
	seen := map[position]bool{}
	for i, r := range requests {
		if writes[i], err = t.writing(r); err != nil {
			return nil, err
		}
		at := t.schema.position(writes[i].key)
		if seen[at] {
			return nil, invalid("Provided list of item keys contains duplicates")
		}
		seen[at] = true
	}
	return writes, nil
}

// check validates everything that needs no table.
func (r WriteRequest) check() error {
	switch {
	case (r.PutRequest != nil) == (r.DeleteRequest != nil):
		return invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	case r.PutRequest != nil:
		return attribute.Check(r.PutRequest.Item)
	}
	return attribute.Check(r.DeleteRequest.Key)
}

func (t *Table) writing(r WriteRequest) (writing, error) {
	if r.DeleteRequest != nil {
		key := r.DeleteRequest.Key
		return writing{key: key, change: replaceBy(nil)}, t.schema.checkKey(key)
	}
	item := r.PutRequest.Item
	return writing{key: item, change: replaceBy(item)}, t.checkPut(item)
}

// writeAll writes to one table, and adds up the consumed capacity. Throttled writes are left unprocessed; the error is
// that of the first.
func (db *Database) writeAll(name string, writes []writing, in *BatchWriteItemInput, out *BatchWriteItemOutput) (*ConsumedCapacity, error) {
	t, err := db.lookup(name)
	if err != nil {
		return nil, err
	}
	var throttled error
	table, indexes := 0.0, map[string]float64{}
	for i, w := range writes {
		w.detail = "INDEXES"
		done, err := t.write(w)
		if isThrottled(err) {
			throttled = cmp.Or(throttled, err)
			out.UnprocessedItems[name] = append(out.UnprocessedItems[name], in.RequestItems[name][i])
			continue
		}
		if err != nil {
			return nil, err
		}
		table += done.consumed.Table.CapacityUnits
		for index, c := range done.consumed.GlobalSecondaryIndexes {
			indexes[index] += c.CapacityUnits
		}
	}
	return t.consumed(in.ReturnConsumedCapacity, table, indexes), throttled
}

// count returns the number of writes in the batch.
func (in *BatchWriteItemInput) count() (n int) {
	for _, requests := range in.RequestItems {
		n += len(requests)
	}
	return n
}
