package dynamodb

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// maxPageBytes is the most that one Query or Scan reads, before the filter.
const maxPageBytes = 1 << 20

// source is a table, or one of its indexes, that a Query or Scan reads.
type source struct {
	table  *Table
	index  *index // nil for the table
	schema schema
	rows   *btree.BTreeG[row]
}

// source finds the table or, if name is not nil, its index of that name.
func (db *Database) source(table string, name *string) (source, error) {
	t, err := db.lookup(table)
	if err != nil {
		return source{}, err
	}
	if name == nil {
		return source{table: t, schema: t.schema, rows: t.rows}, nil
	}
	x, err := t.findIndex(*name)
	if err != nil {
		return source{}, err
	}
	return source{table: t, index: x, schema: x.schema, rows: x.rows}, nil
}

// check refuses requests that this table or index can't answer.
func (s source) check(p *paging, query bool) error {
	if query && p.filter != nil {
		for _, name := range slices.Sorted(maps.Keys(expression.NamesIn(p.filter))) {
			if s.schema.has(name) {
				return invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", name)
			}
		}
	}
	if err := errors.Join(s.table.scalarKeys(p.projection), s.table.scalarKeys(expression.PathsIn(p.filter))); err != nil {
		return err
	}
	if s.index == nil {
		if p.choice == "ALL_PROJECTED_ATTRIBUTES" {
			return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
		}
		return s.checkStart(p.start)
	}
	if p.consistent {
		return invalid("Consistent reads are not supported on global secondary indexes")
	}
	if err := s.index.covers(p); err != nil {
		return err
	}
	return s.checkStart(p.start)
}

// covers refuses to read attributes that the index does not project: AWS does not fetch them from the table.
func (x *index) covers(p *paging) error {
	if x.projected == nil {
		return nil
	}
	if p.choice == "ALL_ATTRIBUTES" {
		return invalid("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", x.def.Name)
	}
	var missing []string
	for _, path := range p.projection {
		if !x.projected[path[0].Name] {
			missing = append(missing, path[0].Name)
		}
	}
	if len(missing) > 0 {
		return invalid("One or more parameter values were invalid: Global secondary index %s does not project [%s]", x.def.Name, strings.Join(missing, ", "))
	}
	return nil
}

// checkStart refuses a malformed ExclusiveStartKey. For an index, it consists of the index's key and the table's.
func (s source) checkStart(start attribute.Item) error {
	if start == nil {
		return nil
	}
	parts := s.lastKeyParts()
	if len(start) != len(parts) {
		return invalid("The provided starting key is invalid")
	}
	for _, part := range parts {
		if start[part.name].Kind() != part.kind {
			return invalid("The provided starting key is invalid: The provided key element does not match the schema")
		}
	}
	return nil
}

// lastKeyParts returns the attributes of a LastEvaluatedKey.
func (s source) lastKeyParts() []keyPart {
	parts := s.schema.parts()
	for _, part := range s.table.schema.parts() {
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return parts
}

// position returns the place of an item, or of a key with the attributes of a LastEvaluatedKey.
func (s source) position(item attribute.Item) position {
	at := s.table.schema.position(item)
	if s.index != nil {
		at = s.index.position(item, at)
	}
	return at
}

// reader collects the rows of one page.
type reader struct {
	paging
	out     PageOutput
	items   []attribute.Item
	bytes   int
	last    attribute.Item
	stopped bool
}

// take adds one row and reports whether to go on. The page ends before the row that would exceed 1 MB, and after the
// row that reaches the limit. In the latter case there may be no more rows; like AWS, take does not look ahead, so the
// next page may be empty.
func (r *reader) take(row row) bool {
	if r.out.ScannedCount > 0 && r.bytes+row.size > maxPageBytes {
		r.stopped = true
		return false
	}
	r.out.ScannedCount++
	r.bytes += row.size
	r.last = row.item
	if r.filter == nil || r.filter.Holds(row.item) {
		r.out.Count++
		if r.choice != "COUNT" {
			r.items = append(r.items, r.projection.Of(row.item))
		}
	}
	r.stopped = r.limit != nil && r.out.ScannedCount == *r.limit
	return !r.stopped
}

// page reads one page of a span. Only a Query is throttled: a Scan has no partition key.
func (s source) page(p paging, within span, forward bool) (*PageOutput, error) {
	from := within.from(forward)
	if p.start != nil {
		at := s.position(p.start)
		if !within.contains(at) {
			return nil, invalid("The provided starting key is outside query boundaries based on provided conditions")
		}
		at.edge = -1
		if forward {
			at.edge = 1
		}
		from = at
	}
	partition := partitionKey{hash: within.hash}
	if s.index != nil {
		partition.index = s.index.def.Name
	}
	if within.bounded {
		if err := s.table.admitRead(partition); err != nil {
			return nil, err
		}
	}
	s.settle()
	r := &reader{paging: p, items: []attribute.Item{}}
	s.table.mu.RLock()
	defer s.table.mu.RUnlock()
	s.walk(from, forward, func(row row) bool { return within.contains(row.position) && r.take(row) })
	if within.bounded {
		s.table.reads.spend(partition, readUnits(r.bytes, p.consistent), s.table.options.Now())
	}
	return s.answer(r), nil
}

// settle brings a lagging index up to date, as far as its lag allows. Reads trigger it, so the lag needs no timer.
func (s source) settle() {
	if s.index == nil || s.table.options.Stress.IndexLag == 0 {
		return
	}
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	s.index.settle(s.table.options.Now())
}

func (s source) walk(from position, forward bool, take func(row) bool) {
	if forward {
		s.rows.Ascend(row{position: from}, take)
		return
	}
	s.rows.Descend(row{position: from}, take)
}

// answer completes a page with the key to continue from and the cost.
func (s source) answer(r *reader) *PageOutput {
	if r.choice != "COUNT" {
		r.out.Items = &r.items
	}
	if r.stopped {
		r.out.LastEvaluatedKey = attribute.Item{}
		for _, part := range s.lastKeyParts() {
			r.out.LastEvaluatedKey[part.name] = r.last[part.name]
		}
	}
	units := readUnits(r.bytes, r.consistent)
	if s.index == nil {
		s.table.meter.read(units)
		r.out.ConsumedCapacity = s.table.consumed(r.consumed, units, nil)
		return &r.out
	}
	s.table.meter.readIndex(s.index.def.Name, units)
	r.out.ConsumedCapacity = s.table.consumed(r.consumed, 0, map[string]float64{s.index.def.Name: units})
	return &r.out
}
