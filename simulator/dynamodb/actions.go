package dynamodb

import (
	"context"
	"errors"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
	"heliograph/simulator/wire"
)

// Service returns the database as a service for the endpoint. The endpoint refuses all other actions and input members,
// among them every parameter from the time before expressions.
func (db *Database) Service() wire.Service {
	return wire.Service{
		Name:         "dynamodb",
		TargetPrefix: "DynamoDB_20120810",
		JSONVersion:  "1.0",
		ErrorPrefix:  "com.amazonaws.dynamodb.v20120810",
		Model:        model,
		Actions: map[string]wire.Action{
			"PutItem":            action(db, db.putItem, func(in *PutItemInput) []string { return db.tableARNs(in.TableName) }),
			"GetItem":            action(db, db.getItem, func(in *GetItemInput) []string { return db.tableARNs(in.TableName) }),
			"UpdateItem":         action(db, db.updateItem, func(in *UpdateItemInput) []string { return db.tableARNs(in.TableName) }),
			"DeleteItem":         action(db, db.deleteItem, func(in *DeleteItemInput) []string { return db.tableARNs(in.TableName) }),
			"BatchGetItem":       action(db, db.batchGetItem, db.batchARNs),
			"BatchWriteItem":     action(db, db.batchWriteItem, db.batchWriteARNs),
			"Query":              action(db, db.query, func(in *QueryInput) []string { return db.readARNs(in.TableName, in.IndexName) }),
			"Scan":               action(db, db.scan, func(in *ScanInput) []string { return db.readARNs(in.TableName, in.IndexName) }),
			"DescribeTable":      action(db, db.describeTable, func(in *DescribeTableInput) []string { return db.tableARNs(in.TableName) }),
			"DescribeTimeToLive": action(db, db.describeTimeToLive, func(in *DescribeTimeToLiveInput) []string { return db.tableARNs(in.TableName) }),
			"ListTables":         action(db, db.listTables, func(*ListTablesInput) []string { return []string{"*"} }),
		},
	}
}

// action turns errors of values and expressions into AWS's ValidationException.
func action[In, Out any](db *Database, do func(*In) (*Out, error), resources func(*In) []string) wire.Action {
	a := wire.Do(func(_ context.Context, in *In) (*Out, error) {
		out, err := do(in)
		if bad, ok := errors.AsType[*attribute.Error](err); ok {
			return nil, invalid("%s", bad.Message)
		}
		return out, err
	}, resources)
	if _, ok := any(new(In)).(bounded); !ok {
		return a
	}
	return wire.Under(a, func(in *In) map[string][]string {
		return any(in).(bounded).touched(db).values()
	})
}

func (db *Database) tableARNs(table string) []string { return []string{db.arnOf(table)} }

// readARNs returns the resource that IAM checks for a read: of an index, the index and not its table.
func (db *Database) readARNs(table string, index *string) []string {
	if index != nil {
		return []string{db.arnOf(table) + "/index/" + *index}
	}
	return db.tableARNs(table)
}

// placeholders reads the members that all inputs with expressions share. whenNone is AWS's wording for "all expressions
// are missing".
func placeholders(names map[string]string, values attribute.Item, whenNone string, expressions ...*string) (*expression.Scope, error) {
	if !slices.ContainsFunc(expressions, func(e *string) bool { return e != nil }) {
		switch {
		case names != nil:
			return nil, invalid("ExpressionAttributeNames can only be specified when using expressions")
		case values != nil:
			return nil, invalid("ExpressionAttributeValues can only be specified when using expressions: %s", whenNone)
		}
	}
	return expression.NewScope(names, values)
}

// condition reads an optional condition. Nil means that there is none, so any item passes.
func condition(scope *expression.Scope, which string, text *string) (expression.Condition, error) {
	if text == nil {
		return nil, nil
	}
	return scope.Condition(which, *text)
}

// projection reads an optional projection. Nil means the whole item.
func projection(scope *expression.Scope, text *string) (expression.Projection, error) {
	if text == nil {
		return nil, nil
	}
	return scope.Projection(*text)
}
