package cloud

import (
	"math/rand/v2"
	"time"

	"heliograph/simulator/dynamodb"
)

// Stress is behaviour that AWS documents and may show at any time, but an idle laptop never would. Faults, in contrast,
// are rare. The zero value is the mildest AWS.
type Stress struct {
	// Tables is DynamoDB's share.
	Tables dynamodb.Stress
	// Disorder lets queues deliver their messages in any order.
	Disorder bool
	// Concurrency is the account's limit of concurrent executions; 0 means 1,000. A new account has 10.
	Concurrency int
	// Freeze stops functions' processes between their events.
	Freeze bool
}

// RandomStress derives a Stress from a seed: it switches each part on or off, always at a strength that a program must
// withstand.
func RandomStress(seed uint64) Stress {
	random := rand.New(rand.NewPCG(seed, 0))
	var s Stress
	for _, part := range []func(){
		func() { s.Tables.IndexLag = time.Duration(random.IntN(1000)) * time.Millisecond },
		func() { s.Tables.Shards = 2 + random.IntN(4) },
		func() { s.Tables.PartitionWrites, s.Tables.PartitionReads = 1000, 3000 }, // AWS's limits
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

// pick is the function with which queues choose their next message; nil means in order.
func (s Stress) pick() func(n int) int {
	if s.Disorder {
		return rand.IntN
	}
	return nil
}
