package catalogue_test

import (
	"fmt"

	"heliograph/observability/catalogue"
)

// The catalogue is data: the dashboard, the alarms and docs/metrics.md are made from it.
func ExampleAll() {
	for _, m := range catalogue.All() {
		if m.Kind() == catalogue.Gauge {
			fmt.Println(m.Name(), m.Unit(), m.Dimensions(), m.Functions())
		}
	}
	// Output:
	// ActiveConnections None [Stage] [sweep]
	// OnlineUsers None [Stage] [sweep]
	// SweepBacklog None [Stage] [sweep]
}
