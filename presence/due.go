package presence

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// duePage is how many leases of a shard are read at once; with all shards, what a sweep keeps in memory.
const duePage = 100

// dueList merges the shards' leases that have ended into one list, oldest first. It reads on as it is
// used, so its size does not depend on how many are due.
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
}

// next gives up to n leases, and none at the end.
func (d *dueList) next(ctx context.Context, n int) ([]Lease, error) {
	var next []Lease
	for len(next) < n {
		if err := d.read(ctx); err != nil {
			return nil, err
		}
		oldest := slices.MinFunc(d.shards[:], compareShards)
		if len(oldest.leases) == 0 {
			break
		}
		next = append(next, d.take(oldest.leases[0]))
	}
	return next, nil
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
func (d *dueList) read(ctx context.Context) error {
	readers, ctx := errgroup.WithContext(ctx)
	for number := range d.shards {
		s := &d.shards[number]
		if len(s.leases) > 0 || s.ended {
			continue
		}
		readers.Go(func() error {
			page, err := d.store.Due(ctx, number, d.at, s.last, duePage)
			if err != nil || len(page) == 0 {
				s.ended = true
				return err
			}
			s.leases, s.last, s.ended = page, page[len(page)-1], len(page) < duePage
			return nil
		})
	}
	return readers.Wait()
}
