package main

import (
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// response is the response to both event sources: the records that must be delivered again.
type response struct {
	BatchItemFailures []failure `json:"batchItemFailures"`
}

// failure names a record: by its sequence number in a stream, by its message id in a queue.
type failure struct {
	ItemIdentifier string `json:"itemIdentifier"`
}

func answer(failed ...string) response {
	r := response{BatchItemFailures: make([]failure, len(failed))}
	for i, id := range failed {
		r.BatchItemFailures[i].ItemIdentifier = id
	}
	return r
}

// atOnce is the number of users whose records are handled concurrently: each is a few calls that wait for AWS.
const atOnce = 16

// inOrder handles the records of each group in order, until one of the group fails, and the groups concurrently. It
// returns the failed records, in order.
func inOrder(groups [][]int, do func(record int) error) []int {
	var mu sync.Mutex
	var failed []int
	var workers errgroup.Group
	workers.SetLimit(atOnce)
	for _, group := range groups {
		workers.Go(func() error {
			for _, i := range group {
				if do(i) != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = append(failed, i)
					return nil
				}
			}
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error: a failure of one group does not affect the others
	slices.Sort(failed)
	return failed
}

// byPartition groups records by user, preserving order.
func byPartition(records []streamRecord) [][]int {
	var groups [][]int
	group := map[string]int{}
	for i, r := range records {
		g, ok := group[r.record.Partition()]
		if !ok {
			g = len(groups)
			group[r.record.Partition()] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// eachAlone makes groups of one.
func eachAlone(n int) [][]int {
	groups := make([][]int, n)
	for i := range groups {
		groups[i] = []int{i}
	}
	return groups
}
