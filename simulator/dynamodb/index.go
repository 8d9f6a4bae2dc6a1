package dynamodb

import (
	"time"

	"github.com/tidwall/btree"

	"heliograph/simulator/dynamodb/attribute"
)

// index is a global secondary index. It holds those items that have all attributes of its key, reduced to the projected
// attributes.
type index struct {
	def       Index
	schema    schema
	projected map[string]bool // nil means all attributes
	rows      *btree.BTreeG[row]
	bytes     int

	options Options
	pending []pending // changes that are not visible yet, oldest first
}

// pending is a change of the table's item at base that is not visible in the index yet.
type pending struct {
	due      time.Time
	base     position
	old, new attribute.Item // entries
}

// newIndex projects the keys of the index and of the table in any case, as on AWS.
func newIndex(x Index, def Definition, options Options) *index {
	idx := &index{def: x, schema: def.schema(x.HashKey, x.RangeKey), rows: newTree(), options: options}
	if x.Projection != "ALL" {
		idx.projected = map[string]bool{}
		for _, name := range append([]string{x.HashKey, x.RangeKey, def.HashKey, def.RangeKey}, x.NonKeyAttributes...) {
			idx.projected[name] = true
		}
	}
	return idx
}

// check refuses an item whose attributes can't be keys of the index. An item may lack them: then it has no entry.
func (x *index) check(item attribute.Item) error {
	for _, part := range x.schema.parts() {
		v, ok := item[part.name]
		switch {
		case !ok:
		case v.Kind() != part.kind:
			return invalid("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %v Actual: %v IndexName: %s", part.name, part.kind, v.Kind(), x.def.Name)
		case v.Kind() != attribute.Number && v.Text() == "":
			return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", long(part.kind), x.def.Name, part.name)
		case part == x.schema.hash && v.Size() > maxHashSize:
			return invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of%d bytes", maxHashSize)
		case part == x.schema.rng && v.Size() > maxRangeSize:
			return invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of %d bytes", maxRangeSize)
		}
	}
	return nil
}

// entry returns an item as the index holds it, or nil if it does not.
func (x *index) entry(item attribute.Item) attribute.Item {
	for _, part := range x.schema.parts() {
		if !item[part.name].Exists() {
			return nil
		}
	}
	if x.projected == nil {
		return item
	}
	entry := attribute.Item{}
	for name, v := range item {
		if x.projected[name] {
			entry[name] = v
		}
	}
	return entry
}

// position returns an entry's place: by the index's key, then by the item's place in the table, since many items may
// share one key of an index.
func (x *index) position(entry attribute.Item, base position) position {
	at := x.schema.position(entry)
	at.base, at.baseRng = base.hash, base.rng
	return at
}

// replace applies a change of the table's item at base, at once or after Stress.IndexLag, and returns its cost.
func (x *index) replace(base position, oldItem, newItem attribute.Item) float64 {
	cost := x.cost(oldItem, newItem)
	if cost == 0 {
		return 0
	}
	now := x.options.Now()
	x.pending = append(x.pending, pending{now.Add(x.options.Stress.IndexLag), base, x.entry(oldItem), x.entry(newItem)})
	x.settle(now)
	return cost
}

// settle makes the due changes visible. The caller holds the table's lock.
func (x *index) settle(now time.Time) {
	for len(x.pending) > 0 && !x.pending[0].due.After(now) {
		p := x.pending[0]
		x.pending = x.pending[1:]
		if p.old != nil {
			x.rows.Delete(row{position: x.position(p.old, p.base)})
			x.bytes -= attribute.ItemSize(p.old)
		}
		if p.new != nil {
			size := attribute.ItemSize(p.new)
			x.rows.Set(row{position: x.position(p.new, p.base), item: p.new, size: size})
			x.bytes += size
		}
	}
}

// cost returns the write units that AWS charges for a change: nothing if the entry stays as it is; one write for a new,
// changed or removed entry; two, a removal and a new entry, if the index's key changes.
// Source: "Using Global Secondary Indexes in DynamoDB", write capacity units, DynamoDB developer guide.
func (x *index) cost(oldItem, newItem attribute.Item) float64 {
	old, new := x.entry(oldItem), x.entry(newItem)
	removed, put := writeUnits(attribute.ItemSize(old)), writeUnits(attribute.ItemSize(new))
	switch {
	case old == nil && new == nil || attribute.EqualItems(old, new):
		return 0
	case old == nil:
		return put
	case new == nil:
		return removed
	case attribute.EqualItems(x.schema.keyOf(old), x.schema.keyOf(new)):
		return max(removed, put)
	}
	return removed + put
}
