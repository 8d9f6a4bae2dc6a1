package cloudwatch

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// Store keeps logs and metrics. It is safe for concurrent use.
type Store struct {
	options Options

	mu      sync.RWMutex
	series  map[string]*series // by key
	dropped uint64             // values of series that there was no room for
	groups  map[string]*group
}

// series is a metric with its minutes.
type series struct {
	Series
	minutes []minute // oldest first
}

// New makes an empty Store.
func New(o Options) *Store {
	setDefault(&o.Retention, 3*time.Hour)
	setDefault(&o.Lines, 10000)
	setDefault(&o.Series, 10000)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{options: o, series: map[string]*series{}, groups: map[string]*group{}}
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// units are all that CloudWatch knows.
var units = func() map[string]bool {
	known := map[string]bool{"Seconds": true, "Microseconds": true, "Milliseconds": true, "Percent": true, "Count": true, "Count/Second": true, "None": true}
	for _, size := range []string{"", "Kilo", "Mega", "Giga", "Tera"} {
		for _, of := range []string{"Bytes", "Bits"} {
			name := size + strings.ToLower(of)
			if size == "" {
				name = of
			}
			known[name], known[name+"/Second"] = true, true
		}
	}
	return known
}()

// maxValue is the largest magnitude that CloudWatch takes.
var maxValue = math.Ldexp(1, 360)

// PutMetric takes one value. A unit that CloudWatch does not know, or a value that it does not take, is an error.
func (s *Store) PutMetric(d Datum) error {
	setDefault(&d.Unit, "None")
	if d.Time.IsZero() {
		d.Time = s.options.Now()
	}
	switch {
	case d.Namespace == "" || d.Name == "":
		return fmt.Errorf("cloudwatch: a metric without namespace or name: %+v", d)
	case !units[d.Unit]:
		return fmt.Errorf("cloudwatch: the unit %q of %s is not known", d.Unit, d.Name)
	case math.IsNaN(d.Value) || math.Abs(d.Value) > maxValue:
		return fmt.Errorf("cloudwatch: the value %v of %s is out of range", d.Value, d.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(d)
	return nil
}

// put adds a value that was checked.
func (s *Store) put(d Datum) {
	dims := sorted(d.Dimensions)
	k := key(d.Namespace, d.Name, dims) + "\x00" + d.Unit
	m, ok := s.series[k]
	if !ok {
		if len(s.series) >= s.options.Series {
			s.dropped++
			return
		}
		m = &series{Series: Series{
			Namespace: d.Namespace, Name: d.Name, Dimensions: dims, Unit: d.Unit, Min: d.Value, Max: d.Value,
		}}
		s.series[k] = m
	}
	m.Count++
	m.Sum += d.Value
	m.Min, m.Max = min(m.Min, d.Value), max(m.Max, d.Value)
	if !d.Time.Before(m.LastTime) {
		m.Last, m.LastTime = d.Value, d.Time
	}
	m.add(d.Time, d.Value, s.options.Now().Add(-s.options.Retention))
}

func sorted(dims []Dimension) []Dimension {
	dims = slices.Clone(dims)
	slices.SortFunc(dims, func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) })
	return dims
}

// key names a metric, its unit aside. The dimensions must be sorted.
func key(namespace, name string, dims []Dimension) string {
	var k strings.Builder
	k.WriteString(namespace + "\x00" + name)
	for _, d := range dims {
		k.WriteString("\x00" + d.Name + "\x01" + d.Value)
	}
	return k.String()
}

// Series lists the metrics by namespace, name and dimensions.
func (s *Store) Series() []Series {
	s.mu.RLock()
	keys := make([]string, 0, len(s.series))
	for k := range s.series {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	list := make([]Series, len(keys))
	for i, k := range keys {
		list[i] = s.series[k].Series
	}
	s.mu.RUnlock()
	return list
}

// Dropped is how many values were dropped since there were too many series.
func (s *Store) Dropped() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dropped
}
