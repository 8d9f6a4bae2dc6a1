// Package differential_test holds the simulator's DynamoDB against an independent implementation: the same
// requests, made at random, go to both through the SDK's own client, and both must answer the same. The
// other side is dynoxide, an emulator that is checked against the real service by a public suite of tests.
// Where the two differ, AWS's documentation decides; where that proves the emulator wrong, differences_test.go
// says so, with the source, and the generators stay away from it.
//
// A run is some seconds long and always makes the same requests, so that it fails by a change of ours only. To
// look further, with others each time: go test ./simulator/dynamodb/differential -rapid.checks=5000
package differential_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || strings.HasPrefix(f.Name, "rapid.") })
	if !chosen {
		_ = flag.Set("rapid.seed", "1") // rapid has that flag, and it is a number
	}
	os.Exit(m.Run())
}

// Any sequence of requests is answered by the simulator as by the other implementation, and leaves the
// same items in the table and in its indexes.
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
