package dynamodb

import (
	"errors"
	"sync"
	"time"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/wire"
)

// Stress is what AWS may do to a program at any time and an idle laptop never would. The zero value does none of it.
type Stress struct {
	// IndexLag is how long a change of the table takes to show in its indexes. On AWS this is usually a fraction of a
	// second, and not promised. Nothing but time shows it: an index lags by the database's clock.
	IndexLag time.Duration
	// Shards is how many shards a stream has; 0 means one. The changes of one partition key are all in one shard and in
	// order, as on AWS; between shards there is no order.
	Shards int
	// PartitionWrites and PartitionReads are the units a second that one partition key may consume, in the table and in
	// each index; 0 means any. AWS's limits are 1,000 and 3,000 of a partition, in which other keys may live as well.
	// A second's worth may be consumed at once. Scans are not limited: they have no partition key.
	PartitionWrites, PartitionReads float64
}

// limiter limits what partition keys consume. The zero limiter, without a rate, admits everything.
type limiter struct {
	rate float64 // units a second

	mu      sync.Mutex
	buckets map[partitionKey]bucket
}

// partitionKey is one hash key of the table, whose index is "", or of an index.
type partitionKey struct{ index, hash string }

// bucket holds units that fill up again with time. It may be overdrawn: what a request costs is known afterwards.
type bucket struct {
	units float64
	at    time.Time
}

// maxBuckets is how many keys a limiter remembers before it looks for those that have filled up again.
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

// left is what a key may still consume at a time. The caller holds the lock.
func (l *limiter) left(key partitionKey, now time.Time) float64 {
	b, known := l.buckets[key]
	if !known {
		return l.rate
	}
	return min(l.rate, b.units+l.rate*now.Sub(b.at).Seconds())
}

// throttled is AWS's answer to a table that is billed on demand and has a hot partition. reads says of which kind.
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

// isThrottled reports whether an error is that of throttled.
func isThrottled(err error) bool {
	e, is := errors.AsType[*wire.Error](err)
	return is && e.Code == "ThrottlingException"
}

// admitRead refuses to read a partition that is read too much already.
func (t *Table) admitRead(key partitionKey) error {
	if !t.reads.admits(key, t.options.Now()) {
		return t.throttled(key, true)
	}
	return nil
}

// admitWrite refuses a change that would write to a partition of the table or of an index, by the old item's key or by
// the new one's, that is written too much already: on AWS, too, a hot index throttles its table.
func (t *Table) admitWrite(old, new attribute.Item) error {
	now := t.options.Now()
	for _, key := range t.partitions(old, new) {
		if !t.writes.admits(key, now) {
			return t.throttled(key, false)
		}
	}
	return nil
}

// partitions are the partition keys that a change from old to new writes to.
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

// wrote counts what a change has consumed, by the meter and by partition.
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
