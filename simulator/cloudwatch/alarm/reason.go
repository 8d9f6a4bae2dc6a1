package alarm

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// stamp formats a time as in CloudWatch's JSON.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

// decimal formats a number as in CloudWatch's reasons: 3.0, 0.25, 1.0E-7.
func decimal(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func plural(n int, word string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, word)
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// reason explains, in CloudWatch's wording, why an alarm leaves a state.
func (a *metricAlarm) reason(from State, v verdict, points []Datapoint) string {
	if v.state == InsufficientData {
		return "Insufficient Data: " + plural(v.filled, "datapoint") + " " + were(v.filled) + " unknown."
	}
	treated := ""
	if v.filled > 0 && (a.missing() == "breaching" || a.missing() == "notBreaching") {
		as := map[string]string{"breaching": "[Breaching]", "notBreaching": "[NonBreaching]"}[a.missing()]
		treated = fmt.Sprintf("%s %s treated as %s", plural(v.filled, "missing datapoint"), were(v.filled), as)
		if v.counted == 0 {
			return fmt.Sprintf("Threshold Crossed: no datapoints were received for %s and %s.", plural(v.filled, "period"), treated)
		}
		treated = " and " + treated
	}
	not, n := "", v.breaching
	if v.state == OK {
		not, n = "not ", v.counted-v.breaching
	}
	return fmt.Sprintf("Threshold Crossed: %d out of the last %s [%s] %s %s%s%s (minimum %s for %s -> %s transition).",
		n, plural(v.counted, "datapoint"), a.listed(points), were(n), not, a.limitWords(points), treated,
		plural(a.needed(v.state), "datapoint"), from, v.state)
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// needed is how many datapoints a state requires: m bad ones, or enough good ones to make m bad ones impossible.
func (a *metricAlarm) needed(to State) int {
	if to == OK {
		return a.EvaluationPeriods - a.m() + 1
	}
	return a.m()
}

// listed are the values that decided, newest first.
func (a *metricAlarm) listed(points []Datapoint) string {
	var values []string
	for i := len(points) - 1; i >= 0; i-- {
		if p := points[i]; p.Counted {
			values = append(values, decimal(p.Value)+" ("+p.Time.UTC().Format("02/01/06 15:04:05")+")")
		}
	}
	return strings.Join(values, ", ")
}

// limitWords describe what the values were compared with.
func (a *metricAlarm) limitWords(points []Datapoint) string {
	if a.Band == "" {
		return comparisons[a.Comparison].words + " (" + decimal(a.Threshold) + ")"
	}
	var lower, upper []string
	for i := len(points) - 1; i >= 0; i-- {
		if points[i].Counted {
			lower, upper = append(lower, decimal(points[i].Lower)), append(upper, decimal(points[i].Upper))
		}
	}
	return fmt.Sprintf("%s [%s] or [%s]", bandComparisons[a.Comparison].words, strings.Join(lower, ", "), strings.Join(upper, ", "))
}

// operatorSigns are the comparisons in short form.
var operatorSigns = map[string]string{
	"GreaterThanOrEqualToThreshold": ">=", "GreaterThanThreshold": ">", "LessThanThreshold": "<", "LessThanOrEqualToThreshold": "<=",
	"LessThanLowerOrGreaterThanUpperThreshold": "outside", "LessThanLowerThreshold": "below", "GreaterThanUpperThreshold": "above",
}

// condition describes when the alarm fires: "Sum of AWS/SQS Age >= 60 for 3 of 5 periods of 1m".
func (a *metricAlarm) condition() string {
	subject := ""
	for _, q := range a.queries.Queries() {
		switch {
		case q.ID != a.watched:
		case q.Metric != nil:
			subject = q.Metric.Stat + " of " + q.Metric.Namespace + " " + q.Metric.Name
		default:
			subject = q.Expression
		}
	}
	limit := strconv.FormatFloat(a.Threshold, 'g', -1, 64)
	if a.Band != "" {
		limit = "the band"
	}
	return fmt.Sprintf("%s %s %s for %d of %s of %v", subject, operatorSigns[a.Comparison], limit, a.m(), plural(a.EvaluationPeriods, "period"), short(a.period))
}

// short formats a duration without trailing zeros: 1m, not 1m0s.
func short(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "h0m") + map[bool]string{true: "h"}[strings.HasSuffix(d.String(), "h0m0s")]
}

// evaluated is a datapoint in the JSON of a reason.
type evaluated struct {
	Timestamp   string   `json:"timestamp"`
	SampleCount *float64 `json:"sampleCount,omitempty"`
	Value       *float64 `json:"value,omitempty"`
}

// reasonData is the reason as JSON.
func (a *metricAlarm) reasonData(at time.Time, points []Datapoint) string {
	recent, decided := []float64{}, []evaluated{}
	for _, p := range points {
		if math.IsNaN(p.Value) {
			continue
		}
		if p.Counted {
			recent = append(recent, p.Value)
			d := evaluated{Timestamp: stamp(p.Time), Value: &p.Value}
			if a.Metric != nil {
				d.SampleCount = &p.Samples
			}
			decided = append(decided, d)
		}
	}
	data := map[string]any{
		"version": "1.0", "queryDate": stamp(at), "startDate": stamp(points[0].Time), "period": int(a.period / time.Second),
		"recentDatapoints": recent, "evaluatedDatapoints": decided,
	}
	if a.Metric != nil {
		data["statistic"] = a.Metric.Stat
	}
	if a.Band == "" {
		data["threshold"] = a.Threshold
	}
	text, _ := json.Marshal(data) // finite numbers and texts never fail
	return string(text)
}
