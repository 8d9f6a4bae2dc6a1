package dynamodb

import (
	"cmp"
	"maps"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// touched is what a request touches, as far as policies may bound it.
// Source: "Using IAM policy conditions for fine-grained access control", DynamoDB developer guide.
type touched struct {
	keys  []string        // partition keys, in an index that of the index: dynamodb:LeadingKeys
	names map[string]bool // top-level attributes that the request names, keys included: dynamodb:Attributes
	which string          // which attributes a read returns: dynamodb:Select; empty for writes
}

// bounded is the input of an action that names or returns items. An input that the action will refuse may touch nothing.
type bounded interface {
	touched(db *Database) touched
}

var _ = []bounded{
	(*PutItemInput)(nil), (*GetItemInput)(nil), (*UpdateItemInput)(nil), (*DeleteItemInput)(nil),
	(*BatchGetItemInput)(nil), (*BatchWriteItemInput)(nil), (*QueryInput)(nil), (*ScanInput)(nil),
}

// values are the values of the condition keys. A key that the request lacks has none.
func (t touched) values() map[string][]string {
	values := map[string][]string{"dynamodb:LeadingKeys": t.keys, "dynamodb:Attributes": slices.Sorted(maps.Keys(t.names))}
	if t.which != "" {
		values["dynamodb:Select"] = []string{t.which}
	}
	return values
}

// items are what a request touches by naming items of a table, whole or by key.
func (db *Database) items(table string, items ...attribute.Item) touched {
	touches := touched{names: map[string]bool{}}
	t, err := db.lookup(table)
	if err != nil {
		return touches
	}
	for _, item := range items {
		if key, ok := item[t.schema.hash.name]; ok {
			touches.keys = append(touches.keys, key.Text())
		}
		for name := range item {
			touches.names[name] = true
		}
	}
	return touches
}

func (t touched) paths(paths ...[]expression.Path) {
	for _, path := range slices.Concat(paths...) {
		t.names[path[0].Name] = true
	}
}

// and is what two parts of a request touch together. Of their reads, a whole item counts.
func (t touched) and(more touched) touched {
	t.keys = append(t.keys, more.keys...)
	maps.Copy(t.names, more.names)
	if t.which != allAttributes {
		t.which = cmp.Or(more.which, t.which)
	}
	return t
}

// The values of Select that a read has if it names none.
const (
	allAttributes          = "ALL_ATTRIBUTES"
	allProjectedAttributes = "ALL_PROJECTED_ATTRIBUTES"
	specificAttributes     = "SPECIFIC_ATTRIBUTES"
)

func (in *PutItemInput) touched(db *Database) touched {
	return request{writeInput: &in.writeInput, item: in.Item}.touched(db)
}

func (in *UpdateItemInput) touched(db *Database) touched {
	return request{writeInput: &in.writeInput, item: in.Key, updates: true, expression: in.UpdateExpression}.touched(db)
}

func (in *DeleteItemInput) touched(db *Database) touched {
	return request{writeInput: &in.writeInput, item: in.Key}.touched(db)
}

func (r request) touched(db *Database) touched {
	t := db.items(r.TableName, r.item)
	if update, condition, err := r.read(); err == nil {
		t.paths(update.Paths(), update.Sources(), expression.PathsIn(condition))
	}
	return t
}

func (in *GetItemInput) touched(db *Database) touched {
	t := db.items(in.TableName, in.Key)
	t.project(in.ProjectionExpression, in.ExpressionAttributeNames)
	return t
}

func (in *BatchGetItemInput) touched(db *Database) touched {
	all := touched{names: map[string]bool{}}
	for table, wanted := range in.RequestItems {
		t := db.items(table, wanted.Keys...)
		t.project(wanted.ProjectionExpression, wanted.ExpressionAttributeNames)
		all = all.and(t)
	}
	return all
}

// project adds what a read by key returns.
func (t *touched) project(text *string, names map[string]string) {
	t.which = allAttributes
	if p, err := projectionOf(text, names); err == nil && p != nil {
		t.which = specificAttributes
		t.paths(p)
	}
}

func (in *BatchWriteItemInput) touched(db *Database) touched {
	all := touched{names: map[string]bool{}}
	for table, writes := range in.RequestItems {
		for _, w := range writes {
			if w.PutRequest != nil {
				all = all.and(db.items(table, w.PutRequest.Item))
			}
			if w.DeleteRequest != nil {
				all = all.and(db.items(table, w.DeleteRequest.Key))
			}
		}
	}
	return all
}

func (in *QueryInput) touched(db *Database) touched {
	page := paging{filterText: in.FilterExpression, projectionText: in.ProjectionExpression, choice: in.Select}
	conditions, err := in.read(&page)
	if err != nil {
		return touched{}
	}
	t, hash := db.page(in.TableName, in.IndexName, page)
	for _, c := range conditions {
		if c.Name == hash && c.Op == "=" {
			t.keys = append(t.keys, c.Values[0].Text())
		}
	}
	return t
}

func (in *ScanInput) touched(db *Database) touched {
	page := paging{filterText: in.FilterExpression, projectionText: in.ProjectionExpression, choice: in.Select}
	scope, err := in.scope()
	if err != nil || page.read(scope) != nil {
		return touched{}
	}
	t, _ := db.page(in.TableName, in.IndexName, page)
	return t
}

// page is what a Query or Scan touches apart from its leading key, and the name of that key. All key attributes count:
// AWS's guide says that a policy must list those of the table and of the index.
func (db *Database) page(table string, index *string, page paging) (t touched, hash string) {
	src, err := db.source(table, index)
	if err != nil {
		return touched{}, ""
	}
	t = touched{names: map[string]bool{}, which: allAttributes}
	for _, part := range append(src.table.schema.parts(), src.schema.parts()...) {
		t.names[part.name] = true
	}
	t.paths(page.projection, expression.PathsIn(page.filter))
	if index != nil {
		t.which = allProjectedAttributes
	}
	if page.projection != nil {
		t.which = specificAttributes
	}
	t.which = cmp.Or(page.choice, t.which)
	return t, src.schema.hash.name
}
