package simulator

import (
	"context"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/dynamodb"
)

// meterEvery is how often what the tables consume becomes metrics: each minute on AWS, sooner for those who watch.
const meterEvery = time.Second

// tableMeter turns what a table has consumed since it was made into the metrics of what it consumed since the
// last look. Only their sums mean what they do on AWS, where each request is a value of its own.
type tableMeter struct {
	table *dynamodb.Table
	seen  dynamodb.Usage
}

// meterTables measures all tables until the context ends.
func (c *cloud) meterTables(ctx context.Context) {
	var meters []*tableMeter
	for _, t := range c.tables.Tables() {
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
				c.meter(m)
			}
		}
	}
}

// meter measures one table. As on AWS, what an index consumed is a metric of the index, and not in the table's.
func (c *cloud) meter(m *tableMeter) {
	used := m.table.Usage()
	table := cloudwatch.Dimension{Name: "TableName", Value: m.table.Name()}
	c.consumed(used.Table, m.seen.Table, table)
	for name, units := range used.Indexes {
		c.consumed(units, m.seen.Indexes[name], table, cloudwatch.Dimension{Name: "GlobalSecondaryIndexName", Value: name})
	}
	m.seen = used
}

// consumed puts what was consumed in between.
func (c *cloud) consumed(now, before dynamodb.Units, dimensions ...cloudwatch.Dimension) {
	for name, units := range map[string]float64{
		"ConsumedReadCapacityUnits": now.Read - before.Read, "ConsumedWriteCapacityUnits": now.Write - before.Write,
	} {
		if units > 0 {
			c.putMetric("AWS/DynamoDB", name, "Count", units, time.Now(), dimensions...)
		}
	}
}
