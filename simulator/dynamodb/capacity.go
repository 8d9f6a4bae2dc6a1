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

// writeUnits is what writing an item of that size costs; of two images, the larger counts.
func writeUnits(size int) float64 { return float64(atLeastOne(size, writeUnitBytes)) }

// readUnits is what reading that many bytes costs; half, if the read may be stale.
func readUnits(size int, consistent bool) float64 {
	units := float64(atLeastOne(size, readUnitBytes))
	if !consistent {
		units /= 2
	}
	return units
}

func atLeastOne(size, unit int) int { return max(1, (size+unit-1)/unit) }

// Units are capacity units that were consumed.
type Units struct{ Read, Write float64 }

// Usage is what a table has consumed since it was made, failed conditions included.
type Usage struct {
	// Table is what its items cost, Indexes what each index cost beyond that.
	Table   Units
	Indexes map[string]Units
}

// Usage is what the table has consumed until now.
func (t *Table) Usage() Usage {
	t.meter.mu.Lock()
	defer t.meter.mu.Unlock()
	return Usage{Table: t.meter.table, Indexes: maps.Clone(t.meter.indexes)}
}

// meter counts a table's usage. It has a lock of its own, so that reads need the table's for reading only.
type meter struct {
	mu      sync.Mutex
	table   Units
	indexes map[string]Units
}

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

// ConsumedCapacity is the API's shape of what one request consumed.
type ConsumedCapacity struct {
	TableName              string
	CapacityUnits          float64
	Table                  *Capacity           `json:",omitempty"`
	GlobalSecondaryIndexes map[string]Capacity `json:",omitempty"`
}

// Capacity is one part of ConsumedCapacity.
type Capacity struct{ CapacityUnits float64 }

// consumed answers as ReturnConsumedCapacity asks: NONE, TOTAL or INDEXES.
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
