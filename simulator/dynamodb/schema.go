package dynamodb

import (
	"cmp"
	"hash/fnv"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// Key sizes in bytes. Source: "Quotas in Amazon DynamoDB", DynamoDB developer guide.
const (
	maxHashSize  = 2048
	maxRangeSize = 1024
)

// keyPart is one attribute of a key. An empty name means that the key lacks that part.
type keyPart struct {
	name string
	kind attribute.Kind
}

// schema is the key of a table or an index.
type schema struct{ hash, rng keyPart }

func (d Definition) schema(hash, rng string) schema {
	return schema{keyPart{hash, d.typeOf(hash)}, keyPart{rng, d.typeOf(rng)}}
}

// parts returns the one or two attributes of the key.
func (s schema) parts() []keyPart {
	if s.rng.name == "" {
		return []keyPart{s.hash}
	}
	return []keyPart{s.hash, s.rng}
}

func (s schema) has(name string) bool {
	return name == s.hash.name || name == s.rng.name && name != ""
}

// keyOf returns the key attributes of an item.
func (s schema) keyOf(item attribute.Item) attribute.Item {
	key := attribute.Item{}
	for _, part := range s.parts() {
		if v, ok := item[part.name]; ok {
			key[part.name] = v
		}
	}
	return key
}

// checkKey refuses a map that is not a primary key of this schema: it must have the key's attributes and no others.
func (s schema) checkKey(key attribute.Item) error {
	if err := attribute.Check(key); err != nil {
		return err
	}
	if len(key) != len(s.parts()) {
		return invalid("The provided key element does not match the schema")
	}
	for _, part := range s.parts() {
		if key[part.name].Kind() != part.kind {
			return invalid("The provided key element does not match the schema")
		}
	}
	return s.checkSizes(key)
}

// checkItem refuses an item that a table with this primary key can't store.
func (s schema) checkItem(item attribute.Item) error {
	for _, part := range s.parts() {
		v, ok := item[part.name]
		switch {
		case !ok:
			return invalid("One or more parameter values were invalid: Missing the key %s in the item", part.name)
		case v.Kind() != part.kind:
			return invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %v actual: %v", part.name, part.kind, v.Kind())
		}
	}
	return s.checkSizes(item)
}

// scalarKeys refuses paths that lead into key attributes of the table or of an index.
// Source: dynalite's test/getItem.js, test/query.js, test/scan.js and test/updateItem.js, written against AWS.
func (t *Table) scalarKeys(paths []expression.Path) error {
	const message = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: %s: %s"
	for _, path := range paths {
		name := path[0].Name
		switch ofIndex := func(x *index) bool { return x.schema.has(name) }; {
		case len(path) == 1:
		case t.schema.has(name):
			return invalid(message, "Key", name)
		case slices.ContainsFunc(t.indexes, ofIndex):
			return invalid(message, "IndexKey", name)
		}
	}
	return nil
}

// checkSizes refuses empty and oversized key values.
func (s schema) checkSizes(item attribute.Item) error {
	for _, part := range s.parts() {
		if v := item[part.name]; v.Kind() != attribute.Number && v.Text() == "" {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", long(part.kind), part.name)
		}
	}
	if item[s.hash.name].Size() > maxHashSize {
		return invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of%d bytes", maxHashSize)
	}
	if s.rng.name != "" && item[s.rng.name].Size() > maxRangeSize {
		return invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of %d bytes", maxRangeSize)
	}
	return nil
}

// long returns the long name of a type that may be empty, as AWS's errors have it.
func long(k attribute.Kind) string {
	if k == attribute.Binary {
		return "binary"
	}
	return "string"
}

// position is the place of an item in the order of a table or index: first by a hash of its hash key, because a Scan on
// AWS returns hash keys in no order, then by range key. Index entries with the same key are told apart by their place
// in the table.
//
// A position may also be a bound: a place before or after all items that share its first fields. It makes "before the
// first range key of this hash key" a place like any other, so that a tree can be searched for it.
type position struct {
	bucket    uint64
	hash, rng string
	base      string
	baseRng   string
	depth     int // for a bound: partition, rangeKey or, if all fields above count, 0
	edge      int // for a bound: before (-1) or after (1) all items that share the fields that count
}

// position returns the place of an item, or of a key, in the order of this schema.
func (s schema) position(item attribute.Item) position {
	p := position{hash: item[s.hash.name].SortKey()}
	if s.rng.name != "" {
		p.rng = item[s.rng.name].SortKey()
	}
	p.bucket = bucketOf(p.hash)
	return p
}

// bucketOf hashes an encoded hash key. It also picks the shard of a stream, so a partition key stays in one shard.
func bucketOf(hash string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(hash)) // never fails
	return h.Sum64()
}

// Depths of a bound: the fields up to the hash key count, or those up to the range key.
const (
	partition = 1
	rangeKey  = 2
)

// compare orders positions and bounds. A bound's edge decides as soon as all fields that count are equal.
func (p position) compare(q position) int {
	if c := cmp.Or(cmp.Compare(p.bucket, q.bucket), cmp.Compare(p.hash, q.hash)); c != 0 {
		return c
	}
	if p.depth == partition || q.depth == partition {
		return p.edge - q.edge
	}
	if c := cmp.Compare(p.rng, q.rng); c != 0 {
		return c
	}
	if p.depth == rangeKey || q.depth == rangeKey {
		return p.edge - q.edge
	}
	return cmp.Or(cmp.Compare(p.base, q.base), cmp.Compare(p.baseRng, q.baseRng), p.edge-q.edge)
}
