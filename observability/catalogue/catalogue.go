// Package catalogue is every metric of Heliograph, as data. The functions emit what is declared here, the dashboard, the
// alarms and docs/metrics.md are made from it, and nothing else can be emitted.
//
// To declare a metric, add a variable to metrics.go: declaring registers it.
package catalogue

import (
	"cmp"
	"slices"
	"time"
)

// Namespace is the CloudWatch namespace of every metric of Heliograph.
const Namespace = "Heliograph"

// The only two dimensions. CloudWatch bills every combination of dimension values as a metric of its own, so ids are
// never dimensions but properties.
const (
	DimensionStage    = "Stage"
	DimensionFunction = "Function"
)

// Kind says how the values that one invocation adds become data points.
type Kind string

const (
	// Counter values are summed: one number per invocation.
	Counter Kind = "counter"
	// Observation values are kept one by one, so that CloudWatch can make percentiles of them.
	Observation Kind = "observation"
	// Gauge values replace each other: the last one of an invocation counts.
	Gauge Kind = "gauge"
)

// Metric is a declared metric. Only this package can make one; the zero Metric is not declared and can't be emitted.
// Two Metrics are equal if they are the same declaration.
type Metric struct{ d *declaration }

type declaration struct {
	name, meaning string
	unit          Unit
	kind          Kind
	functions     []string
	perFunction   bool
	resolution    time.Duration
	zero          bool
}

// HighResolution reports whether CloudWatch keeps a value for each second, rather than for each minute.
func (m Metric) HighResolution() bool { return m.d.resolution == time.Second }

// Zero reports whether every invocation of the metric's functions writes it, if only as zero. A ratio needs that of its
// numerator and denominator: without data it is unknown, not zero.
func (m Metric) Zero() bool { return m.d.zero }

// Declared reports whether the metric is a declared one, as every Metric but the zero one is.
func (m Metric) Declared() bool { return m.d != nil }

// Name is the name in CloudWatch, in CamelCase; of the zero Metric, "none".
func (m Metric) Name() string {
	if m.d == nil {
		return "none"
	}
	return m.d.name
}

// Unit is the unit in CloudWatch.
func (m Metric) Unit() Unit { return m.d.unit }

// Kind says how values are combined.
func (m Metric) Kind() Kind { return m.d.kind }

// PerFunction reports whether the metric has the dimensions Stage and Function, rather than Stage alone.
func (m Metric) PerFunction() bool { return m.d.perFunction }

// Functions are the short names of the functions that emit the metric, sorted. The slice is the caller's own.
func (m Metric) Functions() []string { return slices.Clone(m.d.functions) }

// Meaning is a sentence or two: what one unit stands for.
func (m Metric) Meaning() string { return m.d.meaning }

// Dimensions is the metric's one dimension set: [Stage] or [Stage, Function].
func (m Metric) Dimensions() []string {
	if m.d.perFunction {
		return []string{DimensionStage, DimensionFunction}
	}
	return []string{DimensionStage}
}

// All is every metric, sorted by name. The slice is the caller's own.
func All() []Metric {
	return slices.SortedFunc(slices.Values(declared), func(a, b Metric) int { return cmp.Compare(a.Name(), b.Name()) })
}

// Named is the metric of that name. It reports false if none is declared.
func Named(name string) (Metric, bool) {
	i := slices.IndexFunc(declared, func(m Metric) bool { return m.Name() == name })
	if i < 0 {
		return Metric{}, false
	}
	return declared[i], true
}

// declared grows while the variables of metrics.go are initialized, and never afterwards.
var declared []Metric

// declare registers a metric. Two of one name are a mistake in this package, found by the first test or start.
func declare(d declaration) Metric {
	if _, twice := Named(d.name); twice {
		panic("catalogue: " + d.name + " is declared twice")
	}
	m := Metric{&d}
	declared = append(declared, m)
	return m
}

// counter declares a metric without a unit: CloudWatch does nothing with Count, and it would be a tenth of a line.
func counter(name, meaning string, functions ...string) Metric {
	return declare(declaration{name: name, meaning: meaning, unit: None, kind: Counter, functions: functions})
}

func gauge(name, meaning string, functions ...string) Metric {
	return declare(declaration{name: name, meaning: meaning, unit: None, kind: Gauge, functions: functions})
}

func latency(name, meaning string, functions ...string) Metric {
	return declare(declaration{name: name, meaning: meaning, unit: Milliseconds, kind: Observation, functions: functions})
}

// remaining is a time that runs out.
func remaining(name, meaning string, functions ...string) Metric {
	return declare(declaration{name: name, meaning: meaning, unit: Seconds, kind: Observation, functions: functions})
}

// perFunction gives a metric the dimension Function, too: one series, and one price, for each function.
func (m Metric) perFunction() Metric {
	m.d.perFunction = true
	return m
}

// everySecond has CloudWatch keep the metric's values by the second, for three hours: bursts show that a minute would
// blur. The metric costs the same.
func (m Metric) everySecond() Metric {
	m.d.resolution = time.Second
	return m
}

// alwaysWritten makes a metric zero where nothing was added.
func (m Metric) alwaysWritten() Metric {
	m.d.zero = true
	return m
}
