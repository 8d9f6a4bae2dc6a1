package presence

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// duePage is the number of leases of a shard read at once. Over all shards, it bounds what a sweep holds in memory.
const duePage = 100

// dueList merges the shards' ended leases into one list, oldest first. It reads pages on demand, so its size does not
// depend on how many are due. A shard that can't be read ends there: the others need not wait for it, and the next
// sweep reads it again.
type dueList struct {
	store  *Store
	at     time.Time
	shards [Shards]dueShard
}

// dueShard holds the leases of one shard that are read but not yet used.
type dueShard struct {
	leases []Lease
	last   Lease // the last one read
	ended  bool  // no more leases follow
	failed error // why reading stopped
}

// next returns up to n leases, and none at the end.
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

// err reports why some shards could not be read to their end.
func (d *dueList) err() error {
	var failed []error
	for i := range d.shards {
		failed = append(failed, d.shards[i].failed)
	}
	return errors.Join(failed...)
}

// take removes a lease from the head of its shard's list.
func (d *dueList) take(l Lease) Lease {
	s := &d.shards[shard(string(l.Connection))]
	s.leases = s.leases[1:]
	return l
}

// compareShards orders shards by their oldest lease; shards without one come last.
func compareShards(a, b dueShard) int {
	if len(a.leases) == 0 || len(b.leases) == 0 {
		return cmp.Compare(len(b.leases), len(a.leases))
	}
	first, second := a.leases[0], b.leases[0]
	return cmp.Or(first.Ends.Compare(second.Ends), cmp.Compare(first.Connection, second.Connection))
}

// read fetches the next page of every shard that has run out.
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
