package cloud

import (
	"math/rand/v2"
	"time"

	"heliograph/simulator/dynamodb"
)

// Stress is what AWS may do at any time and an idle laptop never would: not faults, which are rare, but the conduct that
// AWS documents. The zero value is the kindest AWS.
type Stress struct {
	// Tables is DynamoDB's part.
	Tables dynamodb.Stress
	// Disorder lets queues deliver their messages in any order.
	Disorder bool
	// Concurrency is the account's limit of concurrent executions; 0 means 1,000. A new account has 10.
	Concurrency int
	// Freeze stops functions' processes between their events.
	Freeze bool
}

// RandomStress is a Stress by a seed: each part of it is in it or not, in a strength that a program has to bear.
func RandomStress(seed uint64) Stress {
	random := rand.New(rand.NewPCG(seed, 0))
	var s Stress
	for _, part := range []func(){
		func() { s.Tables.IndexLag = time.Duration(random.IntN(1000)) * time.Millisecond },
		func() { s.Tables.Shards = 2 + random.IntN(4) },
		func() { s.Tables.PartitionWrites, s.Tables.PartitionReads = 1000, 3000 }, // AWS's
		func() { s.Disorder = true },
		func() { s.Concurrency = 10 },
		func() { s.Freeze = true },
	} {
		if random.IntN(2) == 0 {
			part()
		}
	}
	return s
}

// pick is what queues choose their next message by; nil: in order.
func (s Stress) pick() func(n int) int {
	if s.Disorder {
		return rand.IntN
	}
	return nil
}
