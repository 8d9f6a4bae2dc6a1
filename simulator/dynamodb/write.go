package dynamodb

import (
	"errors"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// maxItemSize is the size of the largest item, in bytes, including attribute names.
const maxItemSize = 400 << 10

// The values of ReturnValues.
var returnValues = []string{"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"}

// writeInput holds the members that PutItem, UpdateItem and DeleteItem share. ReturnItemCollectionMetrics is accepted
// and returns nothing, as on AWS for a table without local indexes.
type writeInput struct {
	TableName                           string
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           attribute.Item
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ReturnConsumedCapacity              string
	ReturnItemCollectionMetrics         string
}

// request is a write of one item, as its action passes it to writeItem.
type request struct {
	*writeInput
	member string         // the input's name for the item: item or key
	item   attribute.Item // the item, or its key
	// updates is set for UpdateItem, the only action with an UpdateExpression and with ReturnValues of the new item.
	updates    bool
	expression *string
	// prepare checks the request against the table, and returns the change to make.
	prepare func(*Table, *expression.Update) (change, error)
}

// change returns the new item for the old one; nil stands for no item.
type change func(old attribute.Item) (attribute.Item, error)

// writeItem is the common path of all writes of a single item. Its order is AWS's, which decides which of several
// faults a caller sees first.
func (db *Database) writeItem(r request) (*WriteOutput, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	update, condition, err := r.read()
	if err != nil {
		return nil, err
	}
	t, err := db.lookup(r.TableName)
	if err != nil {
		return nil, err
	}
	change, err := r.prepare(t, update)
	if err != nil {
		return nil, err
	}
	done, err := t.write(writing{
		key: r.item, condition: condition, change: change,
		showOld: r.ReturnValuesOnConditionCheckFailure == "ALL_OLD", detail: r.ReturnConsumedCapacity,
	})
	if err != nil {
		return nil, err
	}
	return &WriteOutput{Attributes: done.attributes(r.ReturnValues, update.Paths()), ConsumedCapacity: done.consumed}, nil
}

// check validates everything that needs no table.
func (r request) check() error {
	var c constraints
	if c.table(r.TableName) {
		c.present(r.member, r.item != nil)
		c.oneOf("returnValues", r.ReturnValues, returnValues...)
		c.oneOf("returnValuesOnConditionCheckFailure", r.ReturnValuesOnConditionCheckFailure, "ALL_OLD", "NONE")
		c.returnConsumedCapacity(r.ReturnConsumedCapacity)
		c.oneOf("returnItemCollectionMetrics", r.ReturnItemCollectionMetrics, "SIZE", "NONE")
	}
	if err := c.err(); err != nil {
		return err
	}
	if err := attribute.Check(r.item); err != nil {
		return err
	}
	if !r.updates && !slices.Contains([]string{"", "NONE", "ALL_OLD"}, r.ReturnValues) {
		return invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	return nil
}

// read parses the expressions. Without an UpdateExpression, the update changes nothing.
func (r request) read() (*expression.Update, expression.Condition, error) {
	whenNone := "ConditionExpression is null"
	if r.updates {
		whenNone = "UpdateExpression and ConditionExpression are null"
	}
	scope, err := placeholders(r.ExpressionAttributeNames, r.ExpressionAttributeValues, whenNone, r.expression, r.ConditionExpression)
	if err != nil {
		return nil, nil, err
	}
	update := &expression.Update{}
	if r.expression != nil {
		if update, err = scope.Update(*r.expression); err != nil {
			return nil, nil, err
		}
	}
	c, err := condition(scope, "ConditionExpression", r.ConditionExpression)
	if err != nil {
		return nil, nil, err
	}
	return update, c, scope.Finish()
}

// writing is one change of one item.
type writing struct {
	key       attribute.Item
	condition expression.Condition // nil: always
	change    change
	showOld   bool   // a failed condition returns the item
	detail    string // of the consumed capacity: NONE, TOTAL or INDEXES
}

// written is the result of a writing.
type written struct {
	old, new attribute.Item
	consumed *ConsumedCapacity
}

// write carries out a change under the table's lock, in this order: throughput, condition, change, throughput of the
// keys that the change touches, storing.
func (t *Table) write(w writing) (written, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, oldSize := t.get(w.key)
	if err := t.admitWrite(w.key, nil); err != nil {
		return written{}, err
	}
	if w.condition != nil && !w.condition.Holds(old) {
		// A failed condition costs as much as writing the item unchanged.
		t.wrote(w.key, nil, writeUnits(oldSize), nil)
		if w.showOld {
			return written{}, conditionFailed(old)
		}
		return written{}, conditionFailed(nil)
	}
	new, err := w.change(old)
	if err != nil {
		return written{}, err
	}
	if err := t.admitWrite(old, new); err != nil {
		return written{}, err
	}
	units := writeUnits(max(oldSize, attribute.ItemSize(new)))
	indexes := map[string]float64{}
	if old != nil || new != nil {
		indexes = t.replace(old, new, Identity{})
	}
	t.wrote(old, new, units, indexes)
	return written{old, new, t.consumed(w.detail, units, indexes)}, nil
}

// checkPut refuses an item that the table can't hold.
func (t *Table) checkPut(item attribute.Item) error {
	if err := errors.Join(t.schema.checkItem(item), t.checkIndexes(item)); err != nil {
		return err
	}
	if attribute.ItemSize(item) > maxItemSize {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// replaceBy is the change of a put or, if item is nil, of a delete.
func replaceBy(item attribute.Item) change {
	return func(attribute.Item) (attribute.Item, error) { return item, nil }
}

// checkIndexes refuses an item that can't be in one of the indexes: on AWS, too, a bad index key fails the write.
func (t *Table) checkIndexes(item attribute.Item) error {
	for _, x := range t.indexes {
		if err := x.check(item); err != nil {
			return err
		}
	}
	return nil
}

// WriteOutput is the output of PutItem, UpdateItem and DeleteItem.
type WriteOutput struct {
	Attributes       attribute.Item    `json:",omitempty"`
	ConsumedCapacity *ConsumedCapacity `json:",omitempty"`
}

// PutItemInput is the input of PutItem.
type PutItemInput struct {
	writeInput
	Item attribute.Item
}

func (db *Database) putItem(in *PutItemInput) (*WriteOutput, error) {
	return db.writeItem(request{
		writeInput: &in.writeInput, member: "item", item: in.Item,
		prepare: func(t *Table, _ *expression.Update) (change, error) { return replaceBy(in.Item), t.checkPut(in.Item) },
	})
}

// DeleteItemInput is the input of DeleteItem.
type DeleteItemInput struct {
	writeInput
	Key attribute.Item
}

func (db *Database) deleteItem(in *DeleteItemInput) (*WriteOutput, error) {
	return db.writeItem(request{
		writeInput: &in.writeInput, member: "key", item: in.Key,
		prepare: func(t *Table, _ *expression.Update) (change, error) { return replaceBy(nil), t.schema.checkKey(in.Key) },
	})
}
