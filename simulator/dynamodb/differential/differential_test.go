// Package differential_test compares the simulator's DynamoDB with an independent implementation: random requests go to
// both through the SDK's client, and both must answer the same. The other side is dynoxide, an emulator that a public
// test suite checks against the real service. Where the two differ, AWS's documentation decides. If it proves the
// emulator wrong, differences_test.go lists the difference with its source, and the generators avoid it.
//
// A run takes some seconds and always makes the same requests, so that it fails only because of a change of ours. To
// explore further, with other requests each time: go test ./simulator/dynamodb/differential -rapid.checks=5000
package differential_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMain fixes the seed of the requests, unless a flag of rapid's is given.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || strings.HasPrefix(f.Name, "rapid.") })
	if !chosen {
		_ = flag.Set("rapid.seed", "1") // rapid has that flag, and it is a number
	}
	os.Exit(m.Run())
}

// TestSequencesAgree proves that the simulator answers any sequence of requests as the other implementation does, and
// that both end up with the same items in the table and its indexes.
func TestSequencesAgree(t *testing.T) {
	t.Parallel()
	both := start(t)
	tables, requests, taken := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		tables++
		p := both.create(t, fmt.Sprintf("things%d", tables), rapid.SampledFrom(definitions).Draw(r, "definition"))
		for range rapid.IntRange(1, 100).Draw(r, "requests") {
			in := request(r, p.definition)
			v := p.both(t.Context(), in)
			if v.difference != "" {
				r.Fatal(v.difference)
			}
			requests++
			if v.fault.Code == "" {
				taken++
			}
			if v.apart {
				return
			}
		}
		if difference := p.contents(t.Context()); difference != "" {
			r.Fatal(difference)
		}
	})
	t.Logf("%d requests, of which %d were taken", requests, taken)
}
