package main

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"heliograph/cost"
)

// TestCost proves that the command prints the model's bill for its flags: without any, the example of docs/cost.md.
func TestCost(t *testing.T) {
	t.Parallel()
	runCost := func(arguments ...string) (int, string) {
		var out bytes.Buffer
		code := run(t.Context(), world{stdout: &out, stderr: &out, now: time.Now}, append([]string{"cost"}, arguments...))
		return code, out.String()
	}
	code, printed := runCost("--json")
	var e estimate
	if err := json.Unmarshal([]byte(printed), &e); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v, %s", code, err, printed)
	}
	if want := cost.Together(cost.Month(cost.Example, cost.Defaults)); math.Abs(e.USD-want) > 1e-6 {
		t.Errorf("%v USD, want %v", e.USD, want)
	}
	_, text := runCost("--rate", "500")
	for _, want := range []string{"together", "batches of messages at once: too little for peaks, raise the config maxConcurrency", "thresholds.active-connections' 20000", "AppSync Events", "Centrifugo"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if code, text := runCost("--batch", "11"); code != 2 || !strings.Contains(text, "1 to 10") {
		t.Errorf("exit code %d, %s", code, text)
	}
	if _, nobody := runCost("--users", "0", "--rate", "0", "--queries", "0"); strings.Contains(nobody, "NaN") {
		t.Error(nobody)
	}
}
