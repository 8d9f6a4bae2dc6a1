// Package metricmath computes CloudWatch's metric math, the expressions of alarms and graphs:
//
//	IF(FILL(sent,0) >= 50, 100 * FILL(failed,0) / sent, 0)
//
// All series of one computation share the same grid of periods; NaN stands for a period without a value. Missing values
// are treated as in CloudWatch: between two series, a missing value counts as 0 if the other has one; the result of a
// division by zero is dropped.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
package metricmath

import "fmt"

// Value is the result of an expression, or of a part of one: a number, a series, or an array of series.
type Value struct {
	kind   kind
	number float64
	text   string
	rows   []Row
}

// Row is a series: a value for each period, NaN for none.
type Row struct {
	// Label names the series in an array.
	Label  string
	Values []float64
}

// kind is the type of a value.
type kind int

const (
	scalar kind = iota
	series
	array
	text // "errors" of METRICS("errors"), and words such as REPEAT
)

func (k kind) String() string {
	return [...]string{"a number", "a time series", "an array of time series", "a word"}[k]
}

// Series makes a Value from a metric's values.
func Series(label string, values []float64) Value {
	return Value{kind: series, rows: []Row{{label, values}}}
}

// Rows returns the series of a value. For a number it is an error, since no expression may result in one.
func (v Value) Rows() ([]Row, error) {
	if v.kind != series && v.kind != array {
		return nil, fmt.Errorf("the expression yields %v; its result must be a time series, which TIME_SERIES makes of a number", v.kind)
	}
	return v.rows, nil
}

// Single reports whether the value is one series, the only kind an alarm can watch.
func (v Value) Single() bool { return v.kind == series }

// Env is the data behind an expression.
type Env struct {
	// Start is when the first period begins, Period how long each is, both in seconds; N is the number of periods.
	Start, Period int64
	N             int
	// Value returns a metric, or the result of another expression, by its id.
	Value func(id string) (Value, error)
	// Metrics are the ids of the metrics, in order; METRICS() omits expressions.
	Metrics []string
	// Band returns the upper and lower limit of what is usual for a metric, width standard deviations away from it.
	Band func(id string, width float64) (upper, lower []float64, err error)
}
