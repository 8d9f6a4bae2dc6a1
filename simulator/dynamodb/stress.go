package dynamodb

import (
	"errors"
	"sync"
	"time"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/wire"
)

// Stress turns on behaviour that a program must expect from AWS at any time, and would never see on an idle laptop. The
// zero value turns on none of it.
type Stress struct {
	// IndexLag is how long a change of the table takes to become visible in its indexes. On AWS this is usually a
	// fraction of a second, without a guarantee. Only the database's clock ends the lag.
	IndexLag time.Duration
	// Shards is the number of shards of a stream; 0 means one. As on AWS, all changes of one partition key are in one
	// shard, in order; there is no order between shards.
	Shards int
	// PartitionWrites and PartitionReads are the units per second that one partition key may consume, in the table and
	// in each index; 0 means any number. AWS's limits, 1,000 and 3,000, apply to a partition, which may hold other keys
	// as well. One second's worth may be consumed at once. Scans are not limited: they have no partition key.
	PartitionWrites, PartitionReads float64
}

// limiter limits the consumption of partition keys. The zero limiter has no rate, and admits everything.
type limiter struct {
	rate float64 // units per second

	mu      sync.Mutex
	buckets map[partitionKey]bucket
}

// partitionKey is one hash key, of an index or, if index is "", of the table.
type partitionKey struct{ index, hash string }

// bucket holds units, and refills with time. It may be overdrawn, because the cost of a request is known only
// afterwards.
type bucket struct {
	units float64
	at    time.Time
}

// maxBuckets is how many keys a limiter remembers before it drops those whose buckets are full again.
const maxBuckets = 10_000

// admits reports whether a key has units left.
func (l *limiter) admits(key partitionKey, now time.Time) bool {
	if l.rate == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left(key, now) > 0
}

// spend takes units from a key.
func (l *limiter) spend(key partitionKey, units float64, now time.Time) {
	if l.rate == 0 || units == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buckets) >= maxBuckets {
		for other := range l.buckets {
			if l.left(other, now) == l.rate {
				delete(l.buckets, other)
			}
		}
	}
	if l.buckets == nil {
		l.buckets = map[partitionKey]bucket{}
	}
	l.buckets[key] = bucket{l.left(key, now) - units, now}
}

// left returns the units that a key may still consume at a time. The caller holds the lock.
func (l *limiter) left(key partitionKey, now time.Time) float64 {
	b, known := l.buckets[key]
	if !known {
		return l.rate
	}
	return min(l.rate, b.units+l.rate*now.Sub(b.at).Seconds())
}

// throttled returns AWS's error for a hot partition of a table that is billed on demand. reads selects the reason:
// reads or writes.
func (t *Table) throttled(key partitionKey, reads bool) *wire.Error {
	resource, reason := t.ARN(), "Table"
	if key.index != "" {
		resource, reason = t.IndexARN(key.index), "Index"
	}
	if reads {
		reason += "Read"
	} else {
		reason += "Write"
	}
	e := wire.Errorf("ThrottlingException", "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or index so please try again shortly. If exceptions persist, check if you have a hot key: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html")
	e.Fields = map[string]any{"throttlingReasons": []map[string]string{{"reason": reason + "KeyRangeThroughputExceeded", "resource": resource}}}
	return e
}

// isThrottled reports whether an error comes from throttled.
func isThrottled(err error) bool {
	e, is := errors.AsType[*wire.Error](err)
	return is && e.Code == "ThrottlingException"
}

// admitRead refuses to read from a partition whose read units are used up.
func (t *Table) admitRead(key partitionKey) error {
	if !t.reads.admits(key, t.options.Now()) {
		return t.throttled(key, true)
	}
	return nil
}

// admitWrite refuses a change if it would write to a partition whose write units are used up, of the table or of an
// index, under the old item's key or the new one's. As on AWS, a hot index throttles its table.
func (t *Table) admitWrite(old, new attribute.Item) error {
	now := t.options.Now()
	for _, key := range t.partitions(old, new) {
		if !t.writes.admits(key, now) {
			return t.throttled(key, false)
		}
	}
	return nil
}

// partitions returns the partition keys that a change from old to new writes to.
func (t *Table) partitions(old, new attribute.Item) []partitionKey {
	if t.writes.rate == 0 {
		return nil
	}
	var keys []partitionKey
	add := func(index string, s schema, item attribute.Item) {
		if item != nil {
			key := partitionKey{index, s.position(item).hash}
			if len(keys) == 0 || keys[len(keys)-1] != key {
				keys = append(keys, key)
			}
		}
	}
	add("", t.schema, old)
	add("", t.schema, new)
	for _, x := range t.indexes {
		if x.cost(old, new) > 0 {
			add(x.def.Name, x.schema, x.entry(old))
			add(x.def.Name, x.schema, x.entry(new))
		}
	}
	return keys
}

// wrote records the consumption of a change, in the meter and for each partition.
func (t *Table) wrote(old, new attribute.Item, units float64, indexes map[string]float64) {
	t.meter.wrote(units, indexes)
	now := t.options.Now()
	for _, key := range t.partitions(old, new) {
		if key.index == "" {
			t.writes.spend(key, units, now)
		} else {
			t.writes.spend(key, indexes[key.index], now)
		}
	}
}
