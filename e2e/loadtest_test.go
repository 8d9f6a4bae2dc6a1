package e2e

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"heliograph/loadtest"
)

// TestLoad proves that the command line's load arrives whole, on every device.
func TestLoad(t *testing.T) {
	if own == nil {
		t.Skip("puts a load on the stack that the tests started; a deployed one is reached with --stack")
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
	p := start(t, "--target", file, "load", "--connections", "10", "--devices", "2", "--rate", "10", "--for", "3s", "--json")
	printed, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	var r loadtest.Report
	if err := json.Unmarshal(printed, &r); err != nil {
		t.Fatalf("%v in %s; %s", err, printed, p.stderr)
	}
	if r.Connections != 10 || r.Sent != 30 || r.Expected != 60 || r.Arrived != 60 || r.Lost != 0 || r.Latency.P50 <= 0 {
		t.Errorf("%s; %s", printed, p.stderr)
	}
}
