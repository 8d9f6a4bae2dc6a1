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

// Store keeps logs and metrics. It is safe for concurrent use. Values are kept by the minute, or by the second for
// metrics of high resolution; values older than 3 hours are merged into 5 minutes.
type Store struct {
	options Options

	mu      sync.RWMutex
	series  map[string]*series   // by key and unit
	units   map[string][]*series // by key
	dropped uint64               // values dropped because there were too many series
	groups  map[string]*group
}

// series is a metric with its values.
type series struct {
	Series
	resolution int64    // bucket width in seconds while young: 60, or 1 for a metric of high resolution
	buckets    []bucket // oldest first
	rolled     int      // how many of them are coarse
}

// fine is how long values are kept at the metric's resolution; after that, by 5 minutes. (AWS: values by the second 3
// hours, by the minute 15 days.)
const fine = 3 * 60 * 60

// New makes an empty Store.
func New(o Options) *Store {
	setDefault(&o.Minute, time.Minute)
	setDefault(&o.Retention, 8*24*time.Hour)
	setDefault(&o.Lines, 10000)
	setDefault(&o.Series, 10000)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{options: o, series: map[string]*series{}, units: map[string][]*series{}, groups: map[string]*group{}}
}

// Second converts a time to the scale on which periods are measured: at the usual Minute, its Unix seconds.
func (s *Store) Second(t time.Time) int64 {
	minute := int64(s.options.Minute)
	return t.UnixNano()/minute*60 + t.UnixNano()%minute*60/minute
}

// Time is when a second on that scale begins.
func (s *Store) Time(second int64) time.Time {
	minute := int64(s.options.Minute)
	return time.Unix(0, second/60*minute+(second%60*minute+59)/60).UTC()
}

// Now returns the time of the store's clock.
func (s *Store) Now() time.Time { return s.options.Now() }

// Real is how long a simulated period really lasts.
func (s *Store) Real(period time.Duration) time.Duration {
	return time.Duration(float64(period) * float64(s.options.Minute) / float64(time.Minute))
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// units are all units that CloudWatch supports.
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

// maxValue is the largest magnitude that CloudWatch accepts.
var maxValue = math.Ldexp(1, 360)

// PutMetric stores one value. A unit or value that CloudWatch does not accept is an error.
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

// put adds a checked value.
func (s *Store) put(d Datum) {
	dims := sorted(d.Dimensions)
	name := key(d.Namespace, d.Name, dims)
	k := name + "\x00" + d.Unit
	m, ok := s.series[k]
	if !ok {
		if len(s.series) >= s.options.Series {
			s.dropped++
			return
		}
		m = &series{resolution: 60, Series: Series{
			Namespace: d.Namespace, Name: d.Name, Dimensions: dims, Unit: d.Unit, Min: d.Value, Max: d.Value,
		}}
		s.series[k] = m
		s.units[name] = append(s.units[name], m)
	}
	if d.HighResolution {
		m.resolution = 1
	}
	m.Count++
	m.Sum += d.Value
	m.Min, m.Max = min(m.Min, d.Value), max(m.Max, d.Value)
	if !d.Time.Before(m.LastTime) {
		m.Last, m.LastTime = d.Value, d.Time
	}
	now := s.Second(s.options.Now())
	if oldest := now - int64(s.options.Retention/time.Second); s.Second(d.Time) >= oldest {
		m.add(s.Second(d.Time), d.Value)
		m.age(now-fine, oldest)
	}
}

func sorted(dims []Dimension) []Dimension {
	dims = slices.Clone(dims)
	slices.SortFunc(dims, func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) })
	return dims
}

// key identifies a metric, regardless of its unit. The dimensions must be sorted.
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

// Dropped is how many values were dropped because there were too many series.
func (s *Store) Dropped() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dropped
}
