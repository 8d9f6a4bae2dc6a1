package stack

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCostOfAlarms proves that docs/cost.md counts the alarms as CloudWatch bills them: each metric of an alarm, an
// anomaly band as two more, and a composite as an alarm of its own.
func TestCostOfAlarms(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/cost.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{fullSize, essentialSize} {
		run := record(t, testConfig(func(c *Config) { c.Alarms, c.AlarmEmail = size, "ops@example.com" }))
		metrics, alarms := 0, run.ofKind("aws:cloudwatch/metricAlarm:MetricAlarm")
		for _, alarm := range alarms {
			metrics += billed(alarm)
		}
		composites := len(run.ofKind("aws:cloudwatch/compositeAlarm:CompositeAlarm"))
		row := fmt.Sprintf("| `%s` | %d | %d | %d | %.2f |", size, len(alarms), metrics, composites, float64(metrics)*0.10+float64(composites)*0.50)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/cost.md has no row %s", row)
		}
	}
}

// billed is how many metrics an alarm is billed for.
func billed(alarm recorded) int {
	queries, _ := alarm.at("metricQueries").([]any)
	if len(queries) == 0 {
		return 1
	}
	metrics := 0
	for _, q := range queries {
		query := q.(map[string]any)
		if query["metric"] != nil {
			metrics++
		}
		if expression, _ := query["expression"].(string); strings.Contains(expression, "ANOMALY_DETECTION_BAND") {
			metrics += 2
		}
	}
	return metrics
}
