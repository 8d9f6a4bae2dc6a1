package cloudwatch

import (
	"cmp"
	"math"
	"slices"
)

// bucket summarizes the values of a series over some seconds: enough for every statistic, in little memory.
type bucket struct {
	start, width         int64 // simulated seconds, see Options.Minute
	count, sum, min, max float64
	bins                 []bin // by class
}

// bin counts the values of one class.
type bin struct {
	class int32
	n     float32
}

// growth is the ratio between the histogram's classes: a percentile is within one percent of the exact one.
const growth = 1.02

// class numbers the values: 0 is zero, the others follow the logarithm, with negative numbers for negative values.
func class(v float64) int32 {
	if v == 0 {
		return 0
	}
	// 2^-360 to 2^360, the range that CloudWatch accepts, makes some ±12,600 classes.
	c := int32(math.Floor(math.Log(math.Max(math.Abs(v), 1/maxValue))/math.Log(growth))) + 13000
	if v < 0 {
		return -c
	}
	return c
}

// middle is the value that represents a class.
func middle(c int32) float64 {
	switch {
	case c == 0:
		return 0
	case c < 0:
		return -middle(-c)
	}
	return math.Pow(growth, float64(c-13000)+0.5)
}

// coarse is how many seconds a bucket of old values covers, see Store.
const coarse = 300

// add puts a value into its bucket.
func (m *series) add(second int64, v float64) {
	i, _ := slices.BinarySearchFunc(m.buckets, second+1, func(b bucket, s int64) int { return cmp.Compare(b.start, s) })
	if i == 0 || m.buckets[i-1].start+m.buckets[i-1].width <= second {
		m.buckets = slices.Insert(m.buckets, i, bucket{start: second - second%m.resolution, width: m.resolution})
		if i < m.rolled {
			m.rolled++
		}
		i++
	}
	m.buckets[i-1].merge(bucket{count: 1, sum: v, min: v, max: v, bins: []bin{{class(v), 1}}}, true)
}

// age makes the buckets before rolled coarse, and drops those before forgotten.
func (m *series) age(rolled, forgotten int64) {
	for m.rolled < len(m.buckets) && m.buckets[m.rolled].start < rolled-rolled%coarse {
		b := &m.buckets[m.rolled]
		start := b.start - b.start%coarse
		if m.rolled > 0 && m.buckets[m.rolled-1].start == start {
			m.buckets[m.rolled-1].merge(*b, true)
			m.buckets = slices.Delete(m.buckets, m.rolled, m.rolled+1)
			continue
		}
		b.start, b.width = start, coarse
		m.rolled++
	}
	old := 0
	for old < len(m.buckets) && m.buckets[old].start+m.buckets[old].width <= forgotten {
		old++
	}
	m.buckets = slices.Delete(m.buckets, 0, old)
	m.rolled = max(0, m.rolled-old)
}

// merge adds another bucket's values, and on request the bins, which only percentiles need.
func (b *bucket) merge(o bucket, bins bool) {
	if b.count == 0 {
		b.min, b.max = o.min, o.max
	}
	b.count += o.count
	b.sum += o.sum
	b.min, b.max = min(b.min, o.min), max(b.max, o.max)
	if !bins {
		return
	}
	for _, n := range o.bins {
		i, found := slices.BinarySearchFunc(b.bins, n.class, func(b bin, c int32) int { return cmp.Compare(b.class, c) })
		if !found {
			b.bins = slices.Insert(b.bins, i, bin{class: n.class})
		}
		b.bins[i].n += n.n
	}
}

// percentile is the smallest value that p percent of the values do not exceed.
func (b *bucket) percentile(p float64) float64 {
	rank, seen := p/100*b.count, 0.0
	for _, n := range b.bins {
		if seen += float64(n.n); seen >= rank {
			return min(max(middle(n.class), b.min), b.max)
		}
	}
	return b.max
}

// share is the percentage of the values above lower and up to upper.
func (b *bucket) share(lower, upper float64) float64 {
	within := 0.0
	for _, n := range b.bins {
		if v := min(max(middle(n.class), b.min), b.max); v > lower && v <= upper {
			within += float64(n.n)
		}
	}
	return 100 * within / b.count
}
