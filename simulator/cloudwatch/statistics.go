package cloudwatch

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Grid is a sequence of periods. Its seconds are simulated ones, see Options.Minute.
type Grid struct {
	// Start is when the first period begins.
	Start int64
	// Period is the length of each.
	Period int64
	// N is the number of periods.
	N int
}

// Statistics answers a query, oldest point first. A statistic or a period that CloudWatch does not support is an error;
// a metric without values has no points.
func (s *Store) Statistics(q Query) ([]Point, error) {
	g, err := s.grid(q.Start, q.End, q.Period)
	if err != nil {
		return nil, err
	}
	row, err := s.row(q.stat(), g)
	if err != nil {
		return nil, err
	}
	points := make([]Point, 0, g.N)
	for i, value := range row.values {
		if row.samples[i] > 0 {
			points = append(points, Point{Time: s.Time(g.Start + int64(i)*g.Period), Value: value, Samples: row.samples[i]})
		}
	}
	return points, nil
}

// maxPoints is how many data points CloudWatch returns for one call of GetMetricData.
const maxPoints = 100_800

// grid returns the aligned periods between two times.
func (s *Store) grid(start, end time.Time, period time.Duration) (Grid, error) {
	g := Grid{Period: int64(period / time.Second)}
	if err := CheckPeriod(g.Period); err != nil || period%time.Second != 0 {
		return g, cmp.Or(err, fmt.Errorf("cloudwatch: the period %v is not in whole seconds", period))
	}
	from, to := s.Second(start), s.Second(end)
	g.Start = from - from%g.Period
	n := (to - to%g.Period - g.Start) / g.Period
	if n > maxPoints {
		return g, fmt.Errorf("cloudwatch: %d periods are asked for; at most %d are answered", n, maxPoints)
	}
	g.N = int(max(n, 0))
	return g, nil
}

// CheckPeriod returns an error for a period that CloudWatch does not accept. Those below a minute are for metrics of
// high resolution.
func CheckPeriod(seconds int64) error {
	if seconds > 0 && seconds%60 == 0 || slices.Contains([]int64{1, 5, 10, 20, 30}, seconds) {
		return nil
	}
	return fmt.Errorf("cloudwatch: the period is %d s; it must be 1, 5, 10, 20, 30 or a multiple of 60", seconds)
}

// row is a statistic for each period of a grid, NaN for periods without samples.
type row struct{ values, samples []float64 }

// row computes a metric's statistic. A metric may have been sent with several units; an empty Unit includes them all.
func (s *Store) row(m MetricStat, g Grid) (row, error) {
	value, bins, err := statistic(m.Stat)
	if err != nil {
		return row{}, err
	}
	periods := make([]bucket, g.N)
	s.mu.RLock()
	for _, unit := range s.units[key(m.Namespace, m.Name, sorted(m.Dimensions))] {
		if m.Unit == "" || m.Unit == unit.Unit {
			unit.fold(g, periods, bins)
		}
	}
	s.mu.RUnlock()
	r := row{values: make([]float64, g.N), samples: make([]float64, g.N)}
	for i := range periods {
		r.values[i], r.samples[i] = math.NaN(), periods[i].count
		if periods[i].count > 0 {
			r.values[i] = value(&periods[i])
		}
	}
	return r, nil
}

// fold adds the buckets that begin within a grid to its periods.
func (m *series) fold(g Grid, periods []bucket, bins bool) {
	from, _ := slices.BinarySearchFunc(m.buckets, g.Start, func(b bucket, s int64) int { return cmp.Compare(b.start, s) })
	for _, b := range m.buckets[from:] {
		i := (b.start - g.Start) / g.Period
		if i >= int64(g.N) {
			return
		}
		periods[i].merge(b, bins)
	}
}

// statistic returns the function for a statistic's name, and whether it needs the bins.
func statistic(name string) (value func(*bucket) float64, bins bool, err error) {
	switch name {
	case "Sum":
		return func(b *bucket) float64 { return b.sum }, false, nil
	case "Average":
		return func(b *bucket) float64 { return b.sum / b.count }, false, nil
	case "Minimum":
		return func(b *bucket) float64 { return b.min }, false, nil
	case "Maximum":
		return func(b *bucket) float64 { return b.max }, false, nil
	case "SampleCount":
		return func(b *bucket) float64 { return b.count }, false, nil
	}
	if p, ok := Percentile(name); ok {
		return func(b *bucket) float64 { return b.percentile(p) }, true, nil
	}
	if lower, upper, ok := rank(name); ok {
		return func(b *bucket) float64 { return b.share(lower, upper) }, true, nil
	}
	return nil, false, fmt.Errorf("cloudwatch: the statistic %q is not known; these are: SampleCount, Average, Sum, Minimum, Maximum, p0 to p100, PR(lower:upper)", name)
}

// Percentile parses the name of a percentile, such as p99.9.
func Percentile(name string) (p float64, ok bool) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	p, err := strconv.ParseFloat(digits, 64)
	return p, err == nil && p <= 100
}

// rank parses the name of a percentile rank: PR(100:300), PR(300:) or PR(:300).
func rank(name string) (lower, upper float64, ok bool) {
	inner, isRank := strings.CutPrefix(strings.TrimSuffix(name, ")"), "PR(")
	from, to, isRange := strings.Cut(inner, ":")
	lower, upper = math.Inf(-1), math.Inf(1)
	var errs [2]error
	if from != "" {
		lower, errs[0] = strconv.ParseFloat(from, 64)
	}
	if to != "" {
		upper, errs[1] = strconv.ParseFloat(to, 64)
	}
	return lower, upper, isRank && isRange && strings.HasSuffix(name, ")") && errs == [2]error{} && from+to != ""
}
