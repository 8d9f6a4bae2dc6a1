package dynamodb

import (
	"errors"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// maxItemSize is the largest item, in bytes, names included.
const maxItemSize = 400 << 10

// The values of ReturnValues.
var returnValues = []string{"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"}

// writeOptions are the members that PutItem, UpdateItem and DeleteItem share. ReturnItemCollectionMetrics
// is taken and gives nothing, as on AWS for a table without local indexes.
type writeOptions struct {
	returnValues, returnOnFailure, returnConsumed, returnMetrics string
}

// check looks at the input's members; item is the one named by member, Item or Key.
func (o writeOptions) check(table, member string, item attribute.Item) error {
	var c constraints
	if c.table(table) {
		c.present(member, item != nil)
		c.oneOf("returnValues", o.returnValues, returnValues...)
		c.oneOf("returnValuesOnConditionCheckFailure", o.returnOnFailure, "ALL_OLD", "NONE")
		c.returnConsumedCapacity(o.returnConsumed)
		c.oneOf("returnItemCollectionMetrics", o.returnMetrics, "SIZE", "NONE")
	}
	if err := c.err(); err != nil {
		return err
	}
	return attribute.Check(item)
}

// writing is one change of one item.
type writing struct {
	key       attribute.Item
	condition expression.Condition // nil: always
	// change gives the new item, nil for none, from the old one, nil if there is none.
	change func(old attribute.Item) (attribute.Item, error)
	writeOptions
}

// written is what came of it.
type written struct {
	old, new attribute.Item
	consumed *ConsumedCapacity
}

// write carries out a change under the table's lock: condition, change, checks, storing.
func (t *Table) write(w writing) (written, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, oldSize := t.get(w.key)
	if w.condition != nil && !w.condition.Holds(old) {
		// A write that fails its condition costs as much as if the item were written as it is.
		t.meter.wrote(writeUnits(oldSize), nil)
		if w.returnOnFailure == "ALL_OLD" {
			return written{}, conditionFailed(old)
		}
		return written{}, conditionFailed(nil)
	}
	new, err := w.change(old)
	if err != nil {
		return written{}, err
	}
	units := writeUnits(max(oldSize, attribute.ItemSize(new)))
	indexes := map[string]float64{}
	if old != nil || new != nil {
		indexes = t.replace(old, new, Identity{})
	}
	t.meter.wrote(units, indexes)
	return written{old, new, t.consumed(w.returnConsumed, units, indexes)}, nil
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

// replaceBy is the change of a put, and, with nil, of a delete.
func replaceBy(item attribute.Item) func(attribute.Item) (attribute.Item, error) {
	return func(attribute.Item) (attribute.Item, error) { return item, nil }
}

func (t *Table) checkIndexes(item attribute.Item) error {
	for _, x := range t.indexes {
		if err := x.check(item); err != nil {
			return err
		}
	}
	return nil
}

// WriteOutput is the answer of PutItem, UpdateItem and DeleteItem.
type WriteOutput struct {
	Attributes       attribute.Item    `json:",omitempty"`
	ConsumedCapacity *ConsumedCapacity `json:",omitempty"`
}

// PutItemInput is the input of PutItem.
type PutItemInput struct {
	TableName                           string
	Item                                attribute.Item
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           attribute.Item
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ReturnConsumedCapacity              string
	ReturnItemCollectionMetrics         string
}

func (in *PutItemInput) options() writeOptions {
	return writeOptions{in.ReturnValues, in.ReturnValuesOnConditionCheckFailure, in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics}
}

func (db *Database) putItem(in *PutItemInput) (*WriteOutput, error) {
	if err := errors.Join(in.options().check(in.TableName, "item", in.Item), onlyAllOld(in.ReturnValues)); err != nil {
		return nil, err
	}
	c, err := conditionOf(in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	if err != nil {
		return nil, err
	}
	t, err := db.lookup(in.TableName)
	if err != nil {
		return nil, err
	}
	if err := t.checkPut(in.Item); err != nil {
		return nil, err
	}
	done, err := t.write(writing{key: in.Item, condition: c, change: replaceBy(in.Item), writeOptions: in.options()})
	if err != nil {
		return nil, err
	}
	return done.output(in.ReturnValues), nil
}

// output answers with the old item where ALL_OLD asks for it.
func (w written) output(returnValues string) *WriteOutput {
	out := &WriteOutput{ConsumedCapacity: w.consumed}
	if returnValues == "ALL_OLD" {
		out.Attributes = w.old
	}
	return out
}

func onlyAllOld(returnValues string) error {
	if returnValues != "" && returnValues != "NONE" && returnValues != "ALL_OLD" {
		return invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	return nil
}

// conditionOf reads the only expression of a PutItem or DeleteItem.
func conditionOf(text *string, names map[string]string, values attribute.Item) (expression.Condition, error) {
	scope, err := placeholders(names, values, "ConditionExpression is null", text)
	if err != nil {
		return nil, err
	}
	c, err := condition(scope, "ConditionExpression", text)
	if err != nil {
		return nil, err
	}
	return c, scope.Finish()
}

// DeleteItemInput is the input of DeleteItem.
type DeleteItemInput struct {
	TableName                           string
	Key                                 attribute.Item
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           attribute.Item
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ReturnConsumedCapacity              string
	ReturnItemCollectionMetrics         string
}

func (in *DeleteItemInput) options() writeOptions {
	return writeOptions{in.ReturnValues, in.ReturnValuesOnConditionCheckFailure, in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics}
}

func (db *Database) deleteItem(in *DeleteItemInput) (*WriteOutput, error) {
	if err := errors.Join(in.options().check(in.TableName, "key", in.Key), onlyAllOld(in.ReturnValues)); err != nil {
		return nil, err
	}
	c, err := conditionOf(in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	if err != nil {
		return nil, err
	}
	t, err := db.lookup(in.TableName)
	if err != nil {
		return nil, err
	}
	if err := t.schema.checkKey(in.Key); err != nil {
		return nil, err
	}
	done, err := t.write(writing{key: in.Key, condition: c, change: replaceBy(nil), writeOptions: in.options()})
	if err != nil {
		return nil, err
	}
	return done.output(in.ReturnValues), nil
}
