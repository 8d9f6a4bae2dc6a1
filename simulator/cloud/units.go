package cloud

import (
	"context"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/dynamodb"
)

// meterEvery is how often consumption becomes metrics: each minute on AWS, sooner here since somebody is watching.
const meterEvery = time.Second

// tableMeter turns a table's total consumption into what it consumed since the last look. Only the sums of these metrics
// mean the same as on AWS, where each request is a value of its own.
type tableMeter struct {
	table *dynamodb.Table
	seen  dynamodb.Usage
}

// meterTables measures tables until the context ends.
func (w *watch) meterTables(ctx context.Context, tables []*dynamodb.Table) {
	var meters []*tableMeter
	for _, t := range tables {
		meters = append(meters, &tableMeter{table: t})
	}
	ticker := time.NewTicker(meterEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, m := range meters {
				w.meter(m)
			}
		}
	}
}

// meter measures one table. As on AWS, what an index consumed is a metric of the index, and not in the table's.
func (w *watch) meter(m *tableMeter) {
	used := m.table.Usage()
	table := cloudwatch.Dimension{Name: "TableName", Value: m.table.Name()}
	w.consumed(used.Table, m.seen.Table, table)
	for name, units := range used.Indexes {
		w.consumed(units, m.seen.Indexes[name], table, cloudwatch.Dimension{Name: "GlobalSecondaryIndexName", Value: name})
	}
	m.seen = used
}

// consumed puts the difference of two totals.
func (w *watch) consumed(now, before dynamodb.Units, dimensions ...cloudwatch.Dimension) {
	for name, units := range map[string]float64{
		"ConsumedReadCapacityUnits": now.Read - before.Read, "ConsumedWriteCapacityUnits": now.Write - before.Write,
	} {
		if units > 0 {
			w.put("AWS/DynamoDB", name, "Count", units, time.Now(), dimensions...)
		}
	}
}
