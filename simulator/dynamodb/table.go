package dynamodb

import (
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/btree"

	"heliograph/simulator/dynamodb/attribute"
)

// row is an item in its place. Its size is stored, because every read is billed by it.
type row struct {
	position
	item attribute.Item
	size int
}

func newTree() *btree.BTreeG[row] {
	less := func(a, b row) bool { return a.compare(b.position) < 0 }
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true}) // the table's lock guards it
}

// Table is one table with its indexes and its stream. mu guards the fields below it, the meter and the limiters
// excepted, and everything inside the indexes.
type Table struct {
	def     Definition
	options Options
	created time.Time
	schema  schema
	stream  *Stream // nil if the table has none

	mu       sync.RWMutex
	rows     *btree.BTreeG[row]
	bytes    int
	indexes  []*index
	expiries *btree.BTreeG[expiry]

	meter         meter
	reads, writes limiter
}

func newTable(def Definition, options Options) *Table {
	t := &Table{
		def: def, options: options, created: options.Now(),
		schema: def.schema(def.HashKey, def.RangeKey), rows: newTree(), expiries: newExpiries(),
		meter: meter{indexes: map[string]Units{}},
		reads: limiter{rate: options.Stress.PartitionReads}, writes: limiter{rate: options.Stress.PartitionWrites},
	}
	for _, x := range def.Indexes {
		t.indexes = append(t.indexes, newIndex(x, def, options))
	}
	if def.StreamViewType != "" {
		t.stream = newStream(t)
	}
	return t
}

// Name returns the table's name.
func (t *Table) Name() string { return t.def.Name }

// ARN returns the table's ARN.
func (t *Table) ARN() string { return t.options.arn(t.def.Name) }

// IndexARN returns the ARN of one of the table's indexes.
func (t *Table) IndexARN(name string) string { return t.ARN() + "/index/" + name }

// Stream returns the table's stream, or nil if it has none.
func (t *Table) Stream() *Stream { return t.stream }

// Len returns the number of items.
func (t *Table) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows.Len()
}

// id returns the table's id, which has the form of a UUID.
func (t *Table) id() string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(t.ARN()+t.created.String())).String()
}

// get returns the item with a key, or nil, and its size. The caller holds the lock.
func (t *Table) get(key attribute.Item) (attribute.Item, int) {
	r, _ := t.rows.Get(row{position: t.schema.position(key)})
	return r.item, r.size
}

// replace puts new in the place of old, in the table, its indexes and its stream; nil stands for no item. It returns
// the write units of the indexes. The caller holds the lock and has checked the new item.
func (t *Table) replace(old, new attribute.Item, by Identity) map[string]float64 {
	units := t.set(old, new)
	if t.stream != nil && !attribute.EqualItems(old, new) {
		t.stream.append(old, new, by)
	}
	return units
}

// set is replace without the stream.
func (t *Table) set(old, new attribute.Item) map[string]float64 {
	place := new
	if new == nil {
		place = old
	}
	at := t.schema.position(place)
	if new == nil {
		t.rows.Delete(row{position: at})
	} else {
		t.rows.Set(row{position: at, item: new, size: attribute.ItemSize(new)})
	}
	t.bytes += attribute.ItemSize(new) - attribute.ItemSize(old)
	t.follow(at, old, new)
	units := map[string]float64{}
	for _, x := range t.indexes {
		if n := x.replace(at, old, new); n > 0 {
			units[x.def.Name] = n
		}
	}
	return units
}

// findIndex returns the index that a request names.
func (t *Table) findIndex(name string) (*index, error) {
	for _, x := range t.indexes {
		if x.def.Name == name {
			return x, nil
		}
	}
	return nil, invalid("The table does not have the specified index: %s", name)
}
