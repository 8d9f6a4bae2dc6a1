package dynamodb

import (
	"errors"
	"maps"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// UpdateItemInput is the input of UpdateItem.
type UpdateItemInput struct {
	TableName                           string
	Key                                 attribute.Item
	UpdateExpression                    *string
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           attribute.Item
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ReturnConsumedCapacity              string
	ReturnItemCollectionMetrics         string
}

func (in *UpdateItemInput) options() writeOptions {
	return writeOptions{in.ReturnValues, in.ReturnValuesOnConditionCheckFailure, in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics}
}

// read reads the input's two expressions. Without an UpdateExpression the update changes nothing.
func (in *UpdateItemInput) read() (*expression.Update, expression.Condition, error) {
	scope, err := placeholders(in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		"UpdateExpression and ConditionExpression are null", in.UpdateExpression, in.ConditionExpression)
	if err != nil {
		return nil, nil, err
	}
	update := &expression.Update{}
	if in.UpdateExpression != nil {
		if update, err = scope.Update(*in.UpdateExpression); err != nil {
			return nil, nil, err
		}
	}
	c, err := condition(scope, "ConditionExpression", in.ConditionExpression)
	if err != nil {
		return nil, nil, err
	}
	return update, c, scope.Finish()
}

func (db *Database) updateItem(in *UpdateItemInput) (*WriteOutput, error) {
	if err := in.options().check(in.TableName, "key", in.Key); err != nil {
		return nil, err
	}
	update, c, err := in.read()
	if err != nil {
		return nil, err
	}
	t, err := db.lookup(in.TableName)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.schema.checkKey(in.Key), t.keepsKey(update), t.scalarKeys(update.Paths()), t.scalarKeys(update.Sources())); err != nil {
		return nil, err
	}
	change := func(old attribute.Item) (attribute.Item, error) { return t.updated(in.Key, old, update) }
	done, err := t.write(writing{key: in.Key, condition: c, change: change, writeOptions: in.options()})
	if err != nil {
		return nil, err
	}
	return &WriteOutput{Attributes: done.attributes(in.ReturnValues, update.Paths()), ConsumedCapacity: done.consumed}, nil
}

// keepsKey refuses updates of key attributes.
func (t *Table) keepsKey(update *expression.Update) error {
	for _, path := range update.Paths() {
		if name := path[0].Name; t.schema.has(name) {
			return invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", name)
		}
	}
	return nil
}

// updated applies the update to the old item, or to one that has just the key. An update that only takes
// away makes no item, and does not mind paths that lead nowhere in one that is not there.
// Source: scylladb/scylladb issue 5862 and its test_update_expression.py, which is run against AWS.
func (t *Table) updated(key, old attribute.Item, update *expression.Update) (attribute.Item, error) {
	if old == nil && update.OnlyTakesAway() {
		return nil, nil
	}
	if old == nil {
		old = maps.Clone(key)
	}
	item, err := update.Apply(old)
	if err != nil {
		return nil, err
	}
	if attribute.ItemSize(item) > maxItemSize {
		return nil, invalid("Item size to update has exceeded the maximum allowed size")
	}
	return item, t.checkIndexes(item)
}

// attributes picks what ReturnValues asks for.
func (w written) attributes(returnValues string, paths []expression.Path) attribute.Item {
	switch returnValues {
	case "ALL_OLD":
		return w.old
	case "ALL_NEW":
		return w.new
	case "UPDATED_OLD":
		return changed(w.old, paths)
	case "UPDATED_NEW":
		return changed(w.new, paths)
	}
	return nil
}

func changed(item attribute.Item, paths []expression.Path) attribute.Item {
	if len(paths) == 0 {
		return nil // the empty projection would be the whole item
	}
	return expression.Projection(paths).Of(item)
}
