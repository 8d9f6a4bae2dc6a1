package presence_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lowers the number of histories that rapid tries by default, so that the tests stay fast under the
// race detector. For more of them: go test ./presence -rapid.checks=5000.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		_ = flag.Set("rapid.checks", "30") // rapid defines the flag
	}
	os.Exit(m.Run())
}
