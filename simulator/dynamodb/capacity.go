package dynamodb

import (
	"maps"
	"sync"
)

// Units of capacity. Source: "DynamoDB read and write operations", DynamoDB developer guide.
const (
	writeUnitBytes = 1 << 10
	readUnitBytes  = 4 << 10
)

// writeUnits returns the cost of writing an item of that size. For a change, the larger of the two images counts.
func writeUnits(size int) float64 { return float64(atLeastOne(size, writeUnitBytes)) }

// readUnits returns the cost of reading that many bytes; a read that may be stale costs half.
func readUnits(size int, consistent bool) float64 {
	units := float64(atLeastOne(size, readUnitBytes))
	if !consistent {
		units /= 2
	}
	return units
}

func atLeastOne(size, unit int) int { return max(1, (size+unit-1)/unit) }

// Units are consumed capacity units.
type Units struct{ Read, Write float64 }

// Usage is a table's consumption since its creation, including writes with a failed condition.
type Usage struct {
	// Table is the cost of the table's own items, Indexes that of each index on top of it.
	Table   Units
	Indexes map[string]Units
}

// Usage returns the table's consumption so far.
func (t *Table) Usage() Usage {
	t.meter.mu.Lock()
	defer t.meter.mu.Unlock()
	return Usage{Table: t.meter.table, Indexes: maps.Clone(t.meter.indexes)}
}

// meter adds up a table's usage. It has its own lock, so that reads need only the read lock of the table.
type meter struct {
	mu      sync.Mutex
	table   Units
	indexes map[string]Units
}

// wrote adds the units of a write: the table's, and those of each index that it changed.
func (m *meter) wrote(table float64, indexes map[string]float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.table.Write += table
	for name, units := range indexes {
		sum := m.indexes[name]
		sum.Write += units
		m.indexes[name] = sum
	}
}

func (m *meter) read(units float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.table.Read += units
}

func (m *meter) readIndex(name string, units float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := m.indexes[name]
	sum.Read += units
	m.indexes[name] = sum
}

// ConsumedCapacity is the consumption of one request, in the API's shape.
type ConsumedCapacity struct {
	TableName              string
	CapacityUnits          float64
	Table                  *Capacity           `json:",omitempty"`
	GlobalSecondaryIndexes map[string]Capacity `json:",omitempty"`
}

// Capacity is one part of ConsumedCapacity.
type Capacity struct{ CapacityUnits float64 }

// consumed returns as much detail as ReturnConsumedCapacity asks for: NONE, TOTAL or INDEXES.
func (t *Table) consumed(detail string, table float64, indexes map[string]float64) *ConsumedCapacity {
	if detail != "TOTAL" && detail != "INDEXES" {
		return nil
	}
	c := &ConsumedCapacity{TableName: t.def.Name, CapacityUnits: table}
	for _, units := range indexes {
		c.CapacityUnits += units
	}
	if detail == "TOTAL" {
		return c
	}
	c.Table = &Capacity{table}
	for name, units := range indexes {
		if c.GlobalSecondaryIndexes == nil {
			c.GlobalSecondaryIndexes = map[string]Capacity{}
		}
		c.GlobalSecondaryIndexes[name] = Capacity{units}
	}
	return c
}
