package stack

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"heliograph"
	"heliograph/cost"
	"heliograph/observability/catalogue"
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
		usd := float64(metrics)*0.10 + float64(composites)*0.50
		if want := map[string]float64{fullSize: cost.Defaults.Alarms, essentialSize: cost.EssentialAlarms}[size]; math.Abs(usd-want) > 0.001 {
			t.Errorf("the alarms %s cost %.2f USD, and the model says %.2f", size, usd, want)
		}
		row := fmt.Sprintf("| `%s` | %d | %d | %d | %.2f |", size, len(alarms), metrics, composites, usd)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/cost.md has no row %s", row)
		}
	}
}

// TestCostOfFunctions proves that the model of docs/cost.md knows the functions' memory, how the stream is read, and the
// price of the alarms.
func TestCostOfFunctions(t *testing.T) {
	t.Parallel()
	run := record(t, testConfig())
	for _, f := range run.ofKind("aws:lambda/function:Function") {
		short := strings.TrimPrefix(f.text("name"), "heliograph-test-")
		if got, want := f.at("memorySize"), cost.Functions[short].MB; got != want {
			t.Errorf("%s has %v MB, and the model says %v", short, got, want)
		}
	}
	got := [3]float64{streamLanes, streamWindow.Seconds(), streamBatch}
	if want := [3]float64{cost.StreamLanes, cost.StreamWindow, cost.StreamBatch}; got != want {
		t.Errorf("the stream's lanes, window and batch are %v, and the model says %v", got, want)
	}
	if c := DefaultConfig(); c.ConnectionLease.Seconds() != cost.Defaults.Lease {
		t.Errorf("a lease lasts %v, and the model says %v s", c.ConnectionLease, cost.Defaults.Lease)
	}
}

// TestCostOfMetrics proves that docs/cost.md counts the custom metrics as CloudWatch bills them: each of a stage, and
// each of a function once for each function that emits it.
func TestCostOfMetrics(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/cost.md")
	if err != nil {
		t.Fatal(err)
	}
	byStage, byFunction, series := 0, 0, 0
	for _, m := range catalogue.All() {
		emitters := slices.DeleteFunc(slices.Clone(m.Functions()), func(name string) bool { return name == heliograph.Hello })
		switch {
		case len(emitters) == 0: // the example has no client that says hello, and CloudWatch bills only what is written
		case m.PerFunction():
			byFunction, series = byFunction+1, series+len(emitters)
		default:
			byStage++
		}
	}
	all := byStage + series
	row := fmt.Sprintf("| custom metrics: %d by stage, %d by function in %d series | %d | 0.30 each | %.2f |", byStage, byFunction, series, all, float64(all)*0.30)
	if !strings.Contains(string(page), row) {
		t.Errorf("docs/cost.md has no row %s", row)
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
