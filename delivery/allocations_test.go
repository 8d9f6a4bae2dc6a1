//go:build !race

package delivery

import (
	"errors"
	"testing"
)

// TestAllocations proves a bound on the allocations of our own code for one delivered message: of a single one, which
// bears the whole cost of its invocation, and of one in a batch of ten. The race detector has allocations of its own.
func TestAllocations(t *testing.T) {
	for records, most := range map[int]float64{1: 50, 10: 20} {
		invoke := delivering(records, 1, 100)
		var err error
		got := testing.AllocsPerRun(100, func() { err = errors.Join(err, invoke()) }) / float64(records)
		if err != nil || got > most {
			t.Errorf("a message in a batch of %d: %v allocations, want %v at most (%v)", records, got, most, err)
		}
	}
}
