package dynamodb

import "heliograph/simulator/dynamodb/attribute"

// keyed is the input of an action that names items. Its leading keys, which policies may bound by dynamodb:LeadingKeys, are
// their partition keys, in an index that of the index. An input that the action will refuse may have none.
type keyed interface {
	leading(db *Database) []string
}

var _ = []keyed{
	(*PutItemInput)(nil), (*GetItemInput)(nil), (*UpdateItemInput)(nil), (*DeleteItemInput)(nil),
	(*BatchGetItemInput)(nil), (*BatchWriteItemInput)(nil), (*QueryInput)(nil),
}

func (in *PutItemInput) leading(db *Database) []string { return db.partitions(in.TableName, in.Item) }

func (in *GetItemInput) leading(db *Database) []string { return db.partitions(in.TableName, in.Key) }

func (in *UpdateItemInput) leading(db *Database) []string { return db.partitions(in.TableName, in.Key) }

func (in *DeleteItemInput) leading(db *Database) []string { return db.partitions(in.TableName, in.Key) }

func (in *BatchGetItemInput) leading(db *Database) (keys []string) {
	for table, wanted := range in.RequestItems {
		keys = append(keys, db.partitions(table, wanted.Keys...)...)
	}
	return keys
}

func (in *BatchWriteItemInput) leading(db *Database) (keys []string) {
	for table, writes := range in.RequestItems {
		for _, w := range writes {
			if w.PutRequest != nil {
				keys = append(keys, db.partitions(table, w.PutRequest.Item)...)
			}
			if w.DeleteRequest != nil {
				keys = append(keys, db.partitions(table, w.DeleteRequest.Key)...)
			}
		}
	}
	return keys
}

func (in *QueryInput) leading(db *Database) (keys []string) {
	src, err := db.source(in.TableName, in.IndexName)
	if err != nil {
		return nil
	}
	conditions, err := in.read(new(paging))
	if err != nil {
		return nil
	}
	for _, c := range conditions {
		if c.Name == src.schema.hash.name && c.Op == "=" {
			keys = append(keys, c.Values[0].Text())
		}
	}
	return keys
}

// partitions are the partition keys of items of a table.
func (db *Database) partitions(table string, items ...attribute.Item) (keys []string) {
	t, err := db.lookup(table)
	if err != nil {
		return nil
	}
	for _, item := range items {
		if key, ok := item[t.schema.hash.name]; ok {
			keys = append(keys, key.Text())
		}
	}
	return keys
}
