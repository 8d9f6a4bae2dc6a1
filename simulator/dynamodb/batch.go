package dynamodb

import (
	"cmp"
	"maps"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// Limits of one BatchGetItem.
const (
	maxBatchKeys  = 100
	maxBatchBytes = 16 << 20
)

// BatchGetItemInput is the input of BatchGetItem.
type BatchGetItemInput struct {
	RequestItems           map[string]KeysAndAttributes
	ReturnConsumedCapacity string
}

// KeysAndAttributes are the keys that a BatchGetItem reads from one table, and the options for reading them.
type KeysAndAttributes struct {
	Keys                     []attribute.Item
	ConsistentRead           bool              `json:",omitempty"`
	ProjectionExpression     *string           `json:",omitempty"`
	ExpressionAttributeNames map[string]string `json:",omitempty"`
}

// BatchGetItemOutput is the output of BatchGetItem.
type BatchGetItemOutput struct {
	Responses        map[string][]attribute.Item
	UnprocessedKeys  map[string]KeysAndAttributes
	ConsumedCapacity []*ConsumedCapacity `json:",omitempty"`
}

func (db *Database) batchARNs(in *BatchGetItemInput) []string {
	var arns []string
	for _, table := range slices.Sorted(maps.Keys(in.RequestItems)) {
		arns = append(arns, db.arnOf(table))
	}
	return arns
}

// wanted is the part of a batch for one table, checked.
type wanted struct {
	KeysAndAttributes
	name       string // as the request names the table
	table      *Table
	projection expression.Projection
}

// batchGetItem checks the whole batch before it reads the first item: a fault anywhere refuses all of it.
func (db *Database) batchGetItem(in *BatchGetItemInput) (*BatchGetItemOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	var batch []wanted
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		w, err := db.wanted(name, in.RequestItems[name])
		if err != nil {
			return nil, err
		}
		batch = append(batch, w)
	}
	out := &BatchGetItemOutput{Responses: map[string][]attribute.Item{}, UnprocessedKeys: map[string]KeysAndAttributes{}}
	room := maxBatchBytes
	var throttled error
	left := 0
	for _, w := range batch {
		units, err := w.fill(out, &room)
		throttled = cmp.Or(throttled, err)
		left += len(out.UnprocessedKeys[w.name].Keys)
		if c := w.table.consumed(in.ReturnConsumedCapacity, units, nil); c != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, c)
		}
	}
	if throttled != nil && left == in.count() {
		return nil, throttled // only if nothing at all was read, see API_BatchGetItem
	}
	return out, nil
}

// count returns the number of keys in the batch.
func (in *BatchGetItemInput) count() (n int) {
	for _, w := range in.RequestItems {
		n += len(w.Keys)
	}
	return n
}

// check validates everything that needs no table.
func (in *BatchGetItemInput) check() error {
	if len(in.RequestItems) == 0 {
		return invalid("The requestItems parameter is required for BatchGetItem")
	}
	var c constraints
	for name, w := range in.RequestItems {
		c.table(name)
		switch n := len(w.Keys); {
		case n == 0:
			c.failed("Value at 'RequestItems.%s.member.Keys' failed to satisfy constraint: Member must have length greater than or equal to 1", name)
		case n > maxBatchKeys:
			c.failed("Value at 'RequestItems.%s.member.Keys' failed to satisfy constraint: Member must have length less than or equal to %d", name, maxBatchKeys)
		}
	}
	c.returnConsumedCapacity(in.ReturnConsumedCapacity)
	if err := c.err(); err != nil {
		return err
	}
	if in.count() > maxBatchKeys {
		return invalid("Too many items requested for the BatchGetItem call")
	}
	return nil
}

// wanted checks the request against its table.
func (db *Database) wanted(name string, request KeysAndAttributes) (wanted, error) {
	p, err := projectionOf(request.ProjectionExpression, request.ExpressionAttributeNames)
	if err != nil {
		return wanted{}, err
	}
	for _, key := range request.Keys {
		if err := attribute.Check(key); err != nil {
			return wanted{}, err
		}
	}
	t, err := db.lookup(name)
	if err != nil {
		return wanted{}, err
	}
	if err := t.scalarKeys(p); err != nil {
		return wanted{}, err
	}
	seen := map[position]bool{}
	for _, key := range request.Keys {
		if err := t.schema.checkKey(key); err != nil {
			return wanted{}, err
		}
		at := t.schema.position(key)
		if seen[at] {
			return wanted{}, invalid("Provided list of item keys contains duplicates")
		}
		seen[at] = true
	}
	return wanted{request, name, t, p}, nil
}

// fill answers as many keys as size and throughput allow, and leaves the others unprocessed. Each item is billed
// separately. The error is that of the first throttled key.
func (w wanted) fill(out *BatchGetItemOutput, room *int) (units float64, throttled error) {
	found := []attribute.Item{}
	rest := w.KeysAndAttributes
	rest.Keys = nil
	for _, key := range w.Keys {
		if *room < 0 { // full: no key overtakes one that found no room
			rest.Keys = append(rest.Keys, key)
			continue
		}
		item, cost, err := w.table.read(key, w.ConsistentRead)
		size := attribute.ItemSize(item)
		if err != nil || size > *room {
			if err == nil {
				*room = -1
			}
			throttled = cmp.Or(throttled, err)
			rest.Keys = append(rest.Keys, key)
			continue
		}
		*room -= size
		units += cost
		if item != nil {
			found = append(found, w.projection.Of(item))
		}
	}
	if len(rest.Keys) > 0 {
		out.UnprocessedKeys[w.name] = rest
	}
	out.Responses[w.name] = found
	return units, throttled
}
