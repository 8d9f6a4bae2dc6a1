package cloudwatch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Statistics answers a query, oldest point first. A statistic that the simulator does not know, or a period that is no
// multiple of a minute, is an error; a metric that has no values has no points.
func (s *Store) Statistics(q Query) ([]Point, error) {
	value, err := statistic(q.Statistic)
	if err != nil {
		return nil, err
	}
	if q.Period < time.Minute || q.Period%time.Minute != 0 {
		return nil, fmt.Errorf("cloudwatch: the period %v is no multiple of a minute", q.Period)
	}
	periods := s.periods(q)
	points := make([]Point, 0, len(periods))
	for _, start := range slices.Sorted(maps.Keys(periods)) {
		b := periods[start]
		points = append(points, Point{Time: time.Unix(start, 0).UTC(), Value: value(b), Samples: b.count})
	}
	return points, nil
}

// periods adds the minutes of a metric up to periods, by their start.
func (s *Store) periods(q Query) map[int64]*minute {
	period := int64(q.Period / time.Second)
	from, to := q.Start.Unix()-q.Start.Unix()%period, q.End.Unix()-q.End.Unix()%period
	prefix := key(q.Namespace, q.Name, sorted(q.Dimensions))
	sums := map[int64]*minute{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for unit := range units { // a metric may have been sent with several
		m, ok := s.series[prefix+"\x00"+unit]
		if !ok || q.Unit != "" && q.Unit != unit {
			continue
		}
		for _, b := range m.minutes {
			if b.start < from || b.start >= to {
				continue
			}
			start := b.start - b.start%period
			if sums[start] == nil {
				sums[start] = &minute{}
			}
			sums[start].merge(b)
		}
	}
	return sums
}

// statistic gives the function of a statistic's name.
func statistic(name string) (func(*minute) float64, error) {
	switch name {
	case "Sum":
		return func(b *minute) float64 { return b.sum }, nil
	case "Average":
		return func(b *minute) float64 { return b.sum / b.count }, nil
	case "Minimum":
		return func(b *minute) float64 { return b.min }, nil
	case "Maximum":
		return func(b *minute) float64 { return b.max }, nil
	case "SampleCount":
		return func(b *minute) float64 { return b.count }, nil
	}
	if digits, ok := strings.CutPrefix(name, "p"); ok {
		if p, err := strconv.ParseFloat(digits, 64); err == nil && p >= 0 && p <= 100 {
			return func(b *minute) float64 { return b.percentile(p) }, nil
		}
	}
	return nil, fmt.Errorf("cloudwatch: the statistic %q is not known", name)
}
