package dynamodb

import (
	"errors"
	"maps"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// UpdateItemInput is the input of UpdateItem.
type UpdateItemInput struct {
	writeInput
	Key              attribute.Item
	UpdateExpression *string
}

// updateItem checks both the paths that the update changes and those that it reads: neither may lead into a key.
func (db *Database) updateItem(in *UpdateItemInput) (*WriteOutput, error) {
	return db.writeItem(request{
		writeInput: &in.writeInput, member: "key", item: in.Key, updates: true, expression: in.UpdateExpression,
		prepare: func(t *Table, update *expression.Update) (change, error) {
			err := errors.Join(t.schema.checkKey(in.Key), t.keepsKey(update), t.scalarKeys(update.Paths()), t.scalarKeys(update.Sources()))
			return func(old attribute.Item) (attribute.Item, error) { return t.updated(in.Key, old, update) }, err
		},
	})
}

// keepsKey refuses updates that change key attributes.
func (t *Table) keepsKey(update *expression.Update) error {
	for _, path := range update.Paths() {
		if name := path[0].Name; t.schema.has(name) {
			return invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", name)
		}
	}
	return nil
}

// updated applies the update to the old item or, if there is none, to one that consists of the key. Without an old
// item, an update that only removes creates no item, and its paths may lead nowhere.
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

// attributes returns the attributes that ReturnValues asks for.
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

// changed returns those parts of an item that the update's paths lead to.
func changed(item attribute.Item, paths []expression.Path) attribute.Item {
	if len(paths) == 0 {
		return nil // a nil projection would be the whole item
	}
	return expression.Projection(paths).Of(item)
}
