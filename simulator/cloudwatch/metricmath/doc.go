// Package metricmath computes CloudWatch's metric math, the expressions of alarms and graphs:
//
//	IF(FILL(sent,0) >= 50, 100 * FILL(failed,0) / sent, 0)
//
// All series of one computation lie on the same grid of periods; NaN stands for a period without a value. What
// happens to those is CloudWatch's: of two series, a missing value counts as 0 if the other has one; what would be
// divided by zero is dropped.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
package metricmath

import "fmt"

// Value is what an expression, or a part of one, yields: a number, a series, or an array of series.
type Value struct {
	kind   kind
	number float64
	text   string
	rows   []Row
}

// Row is a series: a value for each period, NaN where there is none.
type Row struct {
	// Label names the series in an array.
	Label  string
	Values []float64
}

// kind tells values apart.
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

// Series makes a Value of a metric's values.
func Series(label string, values []float64) Value {
	return Value{kind: series, rows: []Row{{label, values}}}
}

// Rows are the series of a value. That of a number is an error: no expression may end in one.
func (v Value) Rows() ([]Row, error) {
	if v.kind != series && v.kind != array {
		return nil, fmt.Errorf("the expression yields %v; its result must be a time series, which TIME_SERIES makes of a number", v.kind)
	}
	return v.rows, nil
}

// Single reports whether the value is one series, which is what an alarm can watch.
func (v Value) Single() bool { return v.kind == series }

// Env is what an expression is computed over.
type Env struct {
	// Start is when the first period begins, Period how long each is, both in seconds; N is how many there are.
	Start, Period int64
	N             int
	// Value gives a metric, or the result of another expression, by its id.
	Value func(id string) (Value, error)
	// Metrics are the ids of the metrics, in order; METRICS() leaves expressions out.
	Metrics []string
	// Band gives the upper and lower limit of what is usual for a metric, width standard deviations away from it.
	Band func(id string, width float64) (upper, lower []float64, err error)
}
