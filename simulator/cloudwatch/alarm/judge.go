package alarm

import (
	"math"

	"heliograph/simulator/cloudwatch"
)

// extraPoints is how many periods are examined beyond EvaluationPeriods. CloudWatch's documentation shows 2, in its
// example of a period of 5 minutes, and leaves the number open for others.
const extraPoints = 2

// verdict is the result of an evaluation.
type verdict struct {
	state  State
	retain bool // the state stays, whatever it is
	// counted is how many real values decided, breaching how many of them are bad, filled how many were filled in.
	counted, breaching, filled int
}

// judge decides by the datapoints of the evaluation range, oldest first, and marks those that decided. It follows "How
// alarm state is evaluated when data is missing":
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func judge(points []Datapoint, m, n int, missing string) verdict {
	v := verdict{}
	oldest := 0 // age of the oldest bad value in periods, 1 being the newest
	for age := 1; age <= len(points) && v.counted < n; age++ {
		p := &points[len(points)-age]
		if math.IsNaN(p.Value) {
			continue
		}
		p.Counted = true
		v.counted++
		if p.Breaching {
			v.breaching++
			oldest = age
		}
	}
	v.filled = n - v.counted
	bad := v.breaching
	switch {
	case v.filled == 0 || missing == "notBreaching":
	case missing == "breaching":
		bad += v.filled
	case v.breaching < v.counted || v.breaching >= m: // a good value or enough bad ones
	default: // only bad values, and too few
		return v.premature(oldest >= m, missing)
	}
	v.state = OK
	if bad >= m {
		v.state = Alarming
	}
	return v
}

// premature is the verdict on values that are all bad, but too few: the alarm does not fire until the oldest of them is
// old enough, since the next value may be good.
func (v verdict) premature(old bool, missing string) verdict {
	switch {
	case missing == "ignore":
		v.retain = true
	case old && v.counted > 0:
		v.state = Alarming
	default:
		v.state = InsufficientData
	}
	return v
}

// comparisons are CloudWatch's operators, with the words for them in its reasons.
var comparisons = map[string]struct {
	breaches func(v, threshold float64) bool
	words    string
}{
	"GreaterThanOrEqualToThreshold": {func(v, t float64) bool { return v >= t }, "greater than or equal to the threshold"},
	"GreaterThanThreshold":          {func(v, t float64) bool { return v > t }, "greater than the threshold"},
	"LessThanThreshold":             {func(v, t float64) bool { return v < t }, "less than the threshold"},
	"LessThanOrEqualToThreshold":    {func(v, t float64) bool { return v <= t }, "less than or equal to the threshold"},
}

// bandComparisons are the operators of anomaly alarms: which side of the band is bad.
var bandComparisons = map[string]struct {
	breaches func(v, lower, upper float64) bool
	words    string
}{
	"LessThanLowerOrGreaterThanUpperThreshold": {func(v, l, u float64) bool { return v < l || v > u }, "less than the lower thresholds or greater than the upper thresholds"},
	"LessThanLowerThreshold":                   {func(v, l, _ float64) bool { return v < l }, "less than the lower thresholds"},
	"GreaterThanUpperThreshold":                {func(v, _, u float64) bool { return v > u }, "greater than the upper thresholds"},
}

// datapoints compares the watched series with the threshold, or with the band. A value without a band is unknown.
func (a *metricAlarm) datapoints(all []cloudwatch.Data) []Datapoint {
	var watched, upper, lower *cloudwatch.Data
	for i := range all {
		switch d := &all[i]; {
		case d.ID == a.Band && upper == nil && a.Band != "":
			upper = d
		case d.ID == a.Band && a.Band != "":
			lower = d
		case d.ID == a.watched:
			watched = d
		}
	}
	points := make([]Datapoint, len(watched.Values))
	for i, v := range watched.Values {
		p := Datapoint{Time: watched.TimeOf(i), Value: v, Upper: math.NaN(), Lower: math.NaN()}
		if watched.Samples != nil {
			p.Samples = watched.Samples[i]
		}
		if a.Band == "" {
			p.Breaching = comparisons[a.Comparison].breaches(v, a.Threshold)
		} else if p.Upper, p.Lower = upper.Values[i], lower.Values[i]; math.IsNaN(p.Upper) {
			p.Value = math.NaN()
		} else {
			p.Breaching = bandComparisons[a.Comparison].breaches(v, p.Lower, p.Upper)
		}
		points[i] = p
	}
	return points
}

// tooFew reports whether a percentile that ignores low sample counts has too few values: it needs 10/(1-p) for
// percentiles of 50 and more, 10/p for those below.
func (a *metricAlarm) tooFew(points []Datapoint) bool {
	if a.LowSamples != "ignore" || a.Metric == nil {
		return false
	}
	p, ok := cloudwatch.Percentile(a.Metric.Stat)
	if !ok {
		return false
	}
	samples := 0.0
	for _, point := range points {
		if point.Counted {
			samples += point.Samples
		}
	}
	return samples < 1000/min(p, 100-p)
}
