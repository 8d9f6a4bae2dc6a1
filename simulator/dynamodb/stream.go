package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"heliograph/simulator/dynamodb/attribute"
)

// retention is how long a stream keeps a record.
const retention = 24 * time.Hour

// ErrTrimmed reports that a reader asked for records older than the retention.
var ErrTrimmed = errors.New("the records after this sequence number are trimmed")

// Sequence is a record's sequence number. Later records have greater ones, also when compared as text. The empty
// Sequence precedes all records.
type Sequence string

// Identity names the author of a change: a service of AWS or, if it is the zero Identity, a request.
type Identity struct{ Type, PrincipalID string }

// TimeToLive is the identity of a deletion by time to live.
var TimeToLive = Identity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}

// Record is one change of one item.
type Record struct {
	EventID string
	// EventName is INSERT, MODIFY or REMOVE.
	EventName string
	Sequence  Sequence
	Created   time.Time
	Keys      attribute.Item
	// OldImage and NewImage are nil if there was no item, or if the view type leaves them out.
	OldImage, NewImage attribute.Item
	UserIdentity       Identity

	stream *Stream
}

// Stream is a table's change stream. Its shards share one counter of sequence numbers. All changes of a partition key
// are in one shard, in order; AWS promises an order for each item only.
type Stream struct {
	table  *Table
	label  string
	shards []*Shard
	last   uint64 // guarded by the table's lock
}

// Shard is one part of a stream. Each shard is read separately.
type Shard struct {
	stream *Stream
	number int

	mu      sync.Mutex
	records []Record
	last    Sequence
	trimmed Sequence      // of the last dropped record
	grown   chan struct{} // closed, and replaced, when a record is added
}

func newStream(t *Table) *Stream {
	s := &Stream{table: t, label: t.created.UTC().Format("2006-01-02T15:04:05.000")}
	for i := range max(1, t.options.Stress.Shards) {
		s.shards = append(s.shards, &Shard{stream: s, number: i, grown: make(chan struct{})})
	}
	return s
}

// ARN is the stream's ARN.
func (s *Stream) ARN() string { return s.table.ARN() + "/stream/" + s.label }

// Label is the last part of the ARN.
func (s *Stream) Label() string { return s.label }

// ViewType returns the images that the records have, in the terms of Definition.StreamViewType.
func (s *Stream) ViewType() string { return s.table.def.StreamViewType }

// Shards returns the stream's shards: always the same ones, in the same order.
func (s *Stream) Shards() []*Shard { return s.shards }

// ID is the shard's id.
func (s *Shard) ID() string {
	return fmt.Sprintf("shardId-%020d-%08x", s.stream.table.created.UnixMilli()+int64(s.number), uint32(bucketOf(s.stream.ARN())))
}

// sequenceOf pads sequence numbers to 21 digits, so that their order as text is their order as numbers.
func sequenceOf(n uint64) Sequence {
	if n == 0 {
		return ""
	}
	return Sequence(fmt.Sprintf("1%020d", n))
}

// Read returns up to max records after the given one, oldest first. It waits until there is at least one or ctx is
// done. The empty Sequence reads from the trim horizon. If records after the given one have been lost to the retention,
// the error is ErrTrimmed.
func (s *Shard) Read(ctx context.Context, after Sequence, max int) ([]Record, error) {
	for {
		records, grown, err := s.since(after, max)
		if err != nil || len(records) > 0 {
			return records, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("read stream of %s: %w", s.stream.table.Name(), ctx.Err())
		case <-grown:
		}
	}
}

// since returns the records that are there now, and the channel that announces more. It takes both under one lock, so
// that a reader misses no record in between.
func (s *Shard) since(after Sequence, max int) ([]Record, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim()
	if after != "" && after < s.trimmed {
		return nil, nil, fmt.Errorf("read stream of %s: %w", s.stream.table.Name(), ErrTrimmed)
	}
	from, found := slices.BinarySearchFunc(s.records, after, func(r Record, q Sequence) int {
		return cmpSequence(r.Sequence, q)
	})
	if found {
		from++
	}
	to := min(len(s.records), from+max)
	return slices.Clone(s.records[from:to]), s.grown, nil
}

func cmpSequence(a, b Sequence) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Horizon returns the sequence just before the oldest kept record: reading after it returns everything there is.
func (s *Shard) Horizon() Sequence {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim()
	return s.trimmed
}

// Latest returns the newest record's sequence: reading after it returns only later records.
func (s *Shard) Latest() Sequence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// trim drops records older than the retention.
func (s *Shard) trim() {
	horizon := s.stream.table.options.Now().Add(-retention)
	n := 0
	for n < len(s.records) && s.records[n].Created.Before(horizon) {
		n++
	}
	if n > 0 {
		s.trimmed = s.records[n-1].Sequence
	}
	s.records = slices.Delete(s.records, 0, n)
}

// append adds the record of a change. The caller holds the table's lock, which puts the records in order.
func (s *Stream) append(old, new attribute.Item, by Identity) {
	r := Record{
		EventName: "MODIFY", Created: s.table.options.Now(), UserIdentity: by,
		Keys: s.table.schema.keyOf(old), OldImage: old, NewImage: new,
	}
	switch {
	case old == nil:
		r.EventName, r.Keys = "INSERT", s.table.schema.keyOf(new)
	case new == nil:
		r.EventName = "REMOVE"
	}
	s.put(r)
}

// put adds a record under the next sequence number. The caller holds the table's lock.
func (s *Stream) put(r Record) {
	s.last++
	r.EventID, r.Sequence, r.stream = fmt.Sprintf("%016x%016x", bucketOf(s.ARN()), s.last), sequenceOf(s.last), s
	bucket := s.table.schema.position(r.Keys).bucket
	s.shards[bucket%uint64(len(s.shards))].add(r.viewed(s.ViewType()))
}

// add appends a record and wakes waiting readers.
func (s *Shard) add(r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim()
	s.records = append(s.records, r)
	s.last = r.Sequence
	close(s.grown)
	s.grown = make(chan struct{})
}

// viewed drops the images that the view type leaves out.
func (r Record) viewed(viewType string) Record {
	switch viewType {
	case "KEYS_ONLY":
		r.OldImage, r.NewImage = nil, nil
	case "NEW_IMAGE":
		r.OldImage = nil
	case "OLD_IMAGE":
		r.NewImage = nil
	}
	return r
}
