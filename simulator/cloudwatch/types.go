package cloudwatch

import "time"

// Options configure a Store. The comments give the meaning of zero values.
type Options struct {
	// Minute is how long a simulated minute really lasts: with a second, a period of 5 minutes takes 5 seconds. 0 means
	// a minute.
	Minute time.Duration
	// Retention is how long values are kept, on the simulated scale. 0 means 8 days: no alarm looks further back.
	Retention time.Duration
	// Lines is how many lines a log group keeps. 0 means 10,000.
	Lines int
	// Series bounds the number of series; further ones are dropped and counted. 0 means 10,000.
	Series int
	// Problem receives problems worth a line on the terminal: a metric line that CloudWatch would drop. nil: not
	// reported.
	Problem func(text string)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Dimension is a name and a value.
type Dimension struct{ Name, Value string }

// Datum is one value of a metric.
type Datum struct {
	Namespace, Name string
	Dimensions      []Dimension
	// Unit is one of CloudWatch's; empty means None.
	Unit  string
	Value float64
	// Time is when the value was measured; zero means now.
	Time time.Time
	// HighResolution keeps the metric's values by the second.
	HighResolution bool
}

// Series is one metric: a namespace, a name, a set of dimensions and a unit, and its values since the start.
type Series struct {
	Namespace, Name string
	// Dimensions are sorted by name.
	Dimensions []Dimension
	Unit       string
	// Last is the newest value, at LastTime.
	Last     float64
	LastTime time.Time
	// Count, Sum, Min and Max are over all values since the start.
	Count, Sum, Min, Max float64
}

// Query requests a statistic of one metric.
type Query struct {
	Namespace, Name string
	// Dimensions must be exactly the metric's, in any order.
	Dimensions []Dimension
	// Unit restricts the query to values of that unit; empty means all.
	Unit string
	// Statistic is Sum, Average, Minimum, Maximum, SampleCount, or a percentile such as p99 or p99.9.
	Statistic string
	// Start and End bound the time, End excluded. Both are aligned down to the period.
	Start, End time.Time
	// Period is 1, 5, 10, 20 or 30 seconds or a multiple of a minute, as declared in a stack.
	Period time.Duration
}

func (q Query) stat() MetricStat {
	return MetricStat{Namespace: q.Namespace, Name: q.Name, Dimensions: q.Dimensions, Unit: q.Unit, Stat: q.Statistic}
}

// MetricStat is a statistic of one metric, with the members of a Query.
type MetricStat struct {
	Namespace, Name string
	Dimensions      []Dimension
	Unit            string
	Stat            string
}

// Point is a statistic over the period that begins at Time. Periods without values have no point.
type Point struct {
	Time  time.Time
	Value float64
	// Samples is the number of values behind it.
	Samples float64
}

// Event is one line of a log group.
type Event struct {
	Time   time.Time
	Stream string
	Text   string
	// Sequence grows by one with each line of the group.
	Sequence uint64
}

// Group is a log group.
type Group struct {
	Name string
	// Declared reports whether the group was created explicitly, rather than by its first line.
	Declared bool
	// RetentionDays is stored but not enforced. 0 means for ever.
	RetentionDays int
	// Lines is how many lines were written since the start.
	Lines uint64
}
