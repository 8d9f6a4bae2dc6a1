package dynamodb

import "maps"

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
	t.mu.RLock()
	defer t.mu.RUnlock()
	return Usage{Table: t.usage.Table, Indexes: maps.Clone(t.usage.Indexes)}
}

// addWrite and addRead are called under the table's lock.
func (u *Usage) addWrite(table float64, indexes map[string]float64) {
	u.Table.Write += table
	for name, units := range indexes {
		sum := u.Indexes[name]
		sum.Write += units
		u.Indexes[name] = sum
	}
}

func (u *Usage) addRead(index string, units float64) {
	if index == "" {
		u.Table.Read += units
		return
	}
	sum := u.Indexes[index]
	sum.Read += units
	u.Indexes[index] = sum
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
