package dynamodb

import (
	"errors"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// GetItemInput is the input of GetItem.
type GetItemInput struct {
	TableName                string
	Key                      attribute.Item
	ConsistentRead           bool
	ProjectionExpression     *string
	ExpressionAttributeNames map[string]string
	ReturnConsumedCapacity   string
}

// GetItemOutput is the output of GetItem.
type GetItemOutput struct {
	Item             attribute.Item    `json:",omitzero"` // empty, but present, if the projection picks nothing of the item
	ConsumedCapacity *ConsumedCapacity `json:",omitempty"`
}

// check validates everything that needs no table.
func (in *GetItemInput) check() error {
	var c constraints
	if c.table(in.TableName) {
		c.present("key", in.Key != nil)
		c.returnConsumedCapacity(in.ReturnConsumedCapacity)
	}
	if err := c.err(); err != nil {
		return err
	}
	return attribute.Check(in.Key)
}

// getItem distinguishes a missing item from an item that the projection reduces to nothing: only the latter is in the
// answer, empty.
func (db *Database) getItem(in *GetItemInput) (*GetItemOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	p, err := projectionOf(in.ProjectionExpression, in.ExpressionAttributeNames)
	if err != nil {
		return nil, err
	}
	t, err := db.lookup(in.TableName)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.schema.checkKey(in.Key), t.scalarKeys(p)); err != nil {
		return nil, err
	}
	item, units, err := t.read(in.Key, in.ConsistentRead)
	if err != nil {
		return nil, err
	}
	out := &GetItemOutput{ConsumedCapacity: t.consumed(in.ReturnConsumedCapacity, units, nil)}
	if item != nil {
		out.Item = p.Of(item)
	}
	return out, nil
}

// read returns an item and its cost. Reading a missing item costs as much as the smallest one.
func (t *Table) read(key attribute.Item, consistent bool) (attribute.Item, float64, error) {
	partition := partitionKey{hash: t.schema.position(key).hash}
	if err := t.admitRead(partition); err != nil {
		return nil, 0, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	item, size := t.get(key)
	units := readUnits(size, consistent)
	t.meter.read(units)
	t.reads.spend(partition, units, t.options.Now())
	return item, units, nil
}

// projectionOf parses the only expression of a GetItem.
func projectionOf(text *string, names map[string]string) (expression.Projection, error) {
	scope, err := placeholders(names, nil, "", text)
	if err != nil {
		return nil, err
	}
	p, err := projection(scope, text)
	if err != nil {
		return nil, err
	}
	return p, scope.Finish()
}
