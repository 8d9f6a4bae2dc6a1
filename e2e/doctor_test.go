package e2e

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestDoctor proves that a healthy stack gets a clean bill from every check on which other tests have no influence, and
// that each of its queues is found.
func TestDoctor(t *testing.T) {
	if own == nil {
		t.Skip("talks to the stack that the tests started; a deployed one is examined with --stack")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "target.json")
	data, err := json.Marshal(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "--target", file, "doctor", "--json")
	printed, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Findings []struct{ Check, Level, Says string }
	}
	if err := json.Unmarshal(printed, &report); err != nil {
		t.Fatalf("%v in %s; %s", err, printed, p.stderr)
	}
	healthy := map[string]bool{}
	for _, f := range report.Findings {
		healthy[f.Check] = f.Level == "ok"
		if f.Level == "problem" && f.Check != "alarms" { // other tests' messages are warnings, and may fire an alarm
			t.Errorf("%s: %s", f.Check, f.Says)
		}
	}
	for _, check := range []string{"secret", "token", "clock", "table", "topic", "WebSocket address", "HTTP address", "round trip", "account"} {
		if !healthy[check] {
			t.Errorf("%s is not ok: %s", check, printed)
		}
	}
}
