package presence

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// duePage is how many leases of a shard are read at once; with all shards, what a sweep keeps in memory.
const duePage = 100

// dueList merges the shards' leases that have ended into one list, oldest first. It reads on as it is
// used, so its size does not depend on how many are due. A shard that can't be read ends there: the others
// need not wait for it, and the next sweep reads it again.
type dueList struct {
	store  *Store
	at     time.Time
	shards [Shards]dueShard
}

// dueShard is what was read of one shard and not yet used.
type dueShard struct {
	leases []Lease
	last   Lease // the last one read
	ended  bool  // nothing comes after it
	failed error // why it could not be read on
}

// next gives up to n leases, and none at the end.
func (d *dueList) next(ctx context.Context, n int) []Lease {
	var next []Lease
	for len(next) < n {
		d.read(ctx)
		oldest := slices.MinFunc(d.shards[:], compareShards)
		if len(oldest.leases) == 0 {
			break
		}
		next = append(next, d.take(oldest.leases[0]))
	}
	return next
}

// err tells why some shards could not be read to their end.
func (d *dueList) err() error {
	var failed []error
	for i := range d.shards {
		failed = append(failed, d.shards[i].failed)
	}
	return errors.Join(failed...)
}

// take takes a lease off its shard's list, where it stands first.
func (d *dueList) take(l Lease) Lease {
	s := &d.shards[shard(string(l.Connection))]
	s.leases = s.leases[1:]
	return l
}

// compareShards orders shards by their oldest lease, those without one last.
func compareShards(a, b dueShard) int {
	if len(a.leases) == 0 || len(b.leases) == 0 {
		return cmp.Compare(len(b.leases), len(a.leases))
	}
	first, second := a.leases[0], b.leases[0]
	return cmp.Or(first.Ends.Compare(second.Ends), cmp.Compare(first.Connection, second.Connection))
}

// read reads the next page of every shard that has none left.
func (d *dueList) read(ctx context.Context) {
	var readers sync.WaitGroup
	for number := range d.shards {
		s := &d.shards[number]
		if len(s.leases) > 0 || s.ended {
			continue
		}
		readers.Go(func() {
			page, err := d.store.Due(ctx, number, d.at, s.last, duePage)
			if err != nil || len(page) == 0 {
				s.ended, s.failed = true, err
				return
			}
			s.leases, s.last, s.ended = page, page[len(page)-1], len(page) < duePage
		})
	}
	readers.Wait()
}
