package sqs

import (
	"container/heap"
	"time"
)

// pile is a heap of messages; on top is the first to be, or become, visible.
type pile []*message

var _ heap.Interface = (*pile)(nil)

func (p pile) Len() int { return len(p) }

// Less orders by time, and messages of the same time by arrival: a test that sends in one instant receives in order.
func (p pile) Less(i, j int) bool {
	if c := p[i].visibleAt.Compare(p[j].visibleAt); c != 0 {
		return c < 0
	}
	return p[i].sequence < p[j].sequence
}

// Swap keeps each message's index current, so that it can be removed from the middle.
func (p pile) Swap(i, j int) {
	p[i], p[j] = p[j], p[i]
	p[i].index, p[j].index = i, j
}

func (p *pile) Push(x any) {
	m := x.(*message)
	m.index, m.pile = len(*p), p
	*p = append(*p, m)
}

func (p *pile) Pop() any {
	last := len(*p) - 1
	m := (*p)[last]
	(*p)[last] = nil // otherwise the message would live as long as the array
	*p = (*p)[:last]
	m.pile = nil
	return m
}

func (p *pile) add(m *message) { heap.Push(p, m) }

// take removes the message that pick chooses, or the top one.
func (p *pile) take(pick func(n int) int) *message {
	if pick == nil {
		return heap.Pop(p).(*message)
	}
	return heap.Remove(p, pick(len(*p))).(*message)
}

// due reports whether the top message is visible at a time.
func (p pile) due(now time.Time) bool { return len(p) > 0 && !p[0].visibleAt.After(now) }

// remove takes a message out of its pile.
func (m *message) remove() { heap.Remove(m.pile, m.index) }
