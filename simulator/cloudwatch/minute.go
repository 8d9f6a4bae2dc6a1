package cloudwatch

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sort"
	"time"
)

// minute is what is kept of one minute's values of a series: enough for every statistic, in little room.
type minute struct {
	start                int64 // Unix seconds
	count, sum, min, max float64
	histogram            map[int32]float64 // how many values fall into each class, see class
}

// growth is the width of the histogram's classes: a percentile is within one percent of the exact one.
const growth = 1.02

// class numbers the values: 0 is zero, then by the logarithm, negative values with a negative number.
func class(v float64) int32 {
	if v == 0 {
		return 0
	}
	// 2^-360 to 2^360, the range that CloudWatch takes, are some ±12,600 classes.
	c := int32(math.Floor(math.Log(math.Max(math.Abs(v), 1/maxValue))/math.Log(growth))) + 13000
	if v < 0 {
		return -c
	}
	return c
}

// middle is the value that stands for a class.
func middle(c int32) float64 {
	switch {
	case c == 0:
		return 0
	case c < 0:
		return -middle(-c)
	}
	return math.Pow(growth, float64(c-13000)+0.5)
}

// add puts a value into its minute and forgets the minutes that are too old.
func (m *series) add(at time.Time, v float64, horizon time.Time) {
	if at.Before(horizon) {
		return
	}
	start := at.Unix() - at.Unix()%60
	i, found := slices.BinarySearchFunc(m.minutes, start, func(b minute, s int64) int { return cmp.Compare(b.start, s) })
	if !found {
		m.minutes = slices.Insert(m.minutes, i, minute{start: start, min: v, max: v, histogram: map[int32]float64{}})
	}
	b := &m.minutes[i]
	b.count++
	b.sum += v
	b.min, b.max = min(b.min, v), max(b.max, v)
	b.histogram[class(v)]++
	old := 0
	for old < len(m.minutes) && m.minutes[old].start+60 <= horizon.Unix() {
		old++
	}
	m.minutes = slices.Delete(m.minutes, 0, old)
}

// merge adds another minute's values.
func (b *minute) merge(o minute) {
	if b.count == 0 {
		*b = o
		b.histogram = maps.Clone(o.histogram)
		return
	}
	b.count += o.count
	b.sum += o.sum
	b.min, b.max = min(b.min, o.min), max(b.max, o.max)
	for c, n := range o.histogram {
		b.histogram[c] += n
	}
}

// percentile is the smallest value that p percent of the values do not exceed.
func (b *minute) percentile(p float64) float64 {
	classes := slices.Collect(maps.Keys(b.histogram))
	sort.Slice(classes, func(i, j int) bool { return classes[i] < classes[j] })
	rank, seen := p/100*b.count, 0.0
	for _, c := range classes {
		if seen += b.histogram[c]; seen >= rank {
			return min(max(middle(c), b.min), b.max)
		}
	}
	return b.max
}
