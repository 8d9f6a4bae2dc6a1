package alarm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"heliograph/simulator/cloudwatch"
)

// Limits of CloudWatch.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
const (
	maxMetrics  = 10
	maxChildren = 100
	maxActions  = 5
	maxName     = 255
	day         = 24 * time.Hour
)

// plan rejects what CloudWatch would refuse, and returns the queries in the form in which they are evaluated.
func (a *metricAlarm) plan() (err error) {
	queries := a.Queries
	if a.Metric != nil {
		queries = []cloudwatch.DataQuery{{ID: "m1", Metric: a.Metric, Period: a.Period}}
	}
	if err := errors.Join(
		checkName(a.Name), a.Actions.check(), a.checkCounts(), a.checkQueries(),
		oneOf("the treatment of missing data", a.Missing, "", "missing", "ignore", "breaching", "notBreaching"),
		oneOf("the treatment of low sample counts", a.LowSamples, "", "evaluate", "ignore"),
	); err != nil {
		return err
	}
	if a.queries, err = cloudwatch.NewPlan(queries); err != nil {
		return err
	}
	for _, q := range queries {
		if !q.Hidden && q.ID != a.Band {
			a.watched = q.ID
		}
	}
	a.period = a.queries.Period(a.watched)
	return errors.Join(a.checkBand(), a.checkSpan(), a.checkSingle())
}

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("the name has %d characters; it must have 1 to %d", len(name), maxName)
	}
	return nil
}

func oneOf(what, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s is %q; it must be one of %s", what, value, strings.Join(allowed, ", "))
}

func (a Actions) check() error {
	for _, topics := range [][]string{a.OK, a.Alarm, a.InsufficientData} {
		if len(topics) > maxActions {
			return fmt.Errorf("there are %d actions for a state; at most %d are taken", len(topics), maxActions)
		}
		for _, t := range topics {
			if !strings.HasPrefix(t, "arn:aws:sns:") {
				return fmt.Errorf("the action %q is not simulated; only the ARNs of SNS topics are", t)
			}
		}
	}
	return nil
}

func (a *metricAlarm) checkCounts() error {
	if a.EvaluationPeriods < 1 {
		return fmt.Errorf("evaluationPeriods is %d; it must be 1 or more", a.EvaluationPeriods)
	}
	if a.m() < 1 || a.m() > a.EvaluationPeriods {
		return fmt.Errorf("datapointsToAlarm is %d; it must be between 1 and evaluationPeriods, which is %d", a.DatapointsToAlarm, a.EvaluationPeriods)
	}
	return nil
}

// checkQueries checks that the alarm watches a metric or queries, but not both, and that exactly one result is watched.
func (a *metricAlarm) checkQueries() error {
	if (a.Metric == nil) == (len(a.Queries) == 0) {
		return errors.New("it must watch either a metric or metric queries")
	}
	metrics, returned := 0, 0
	for _, q := range a.Queries {
		if q.Metric != nil {
			metrics++
		}
		if !q.Hidden && q.ID != a.Band {
			returned++
		}
	}
	if metrics > maxMetrics {
		return fmt.Errorf("its expressions use %d metrics; CloudWatch takes %d", metrics, maxMetrics)
	}
	if len(a.Queries) > 0 && returned != 1 {
		return fmt.Errorf("%d queries return data besides the band; exactly one must", returned)
	}
	return nil
}

func (a *metricAlarm) checkBand() error {
	_, isBand := bandComparisons[a.Comparison]
	_, isPlain := comparisons[a.Comparison]
	switch {
	case !isBand && !isPlain:
		return fmt.Errorf("the comparison %q is not known", a.Comparison)
	case isBand != (a.Band != ""):
		return fmt.Errorf("the comparison %s and the anomaly band %q do not fit together", a.Comparison, a.Band)
	case !isBand:
		return nil
	}
	if metric, ok := a.queries.Banded(a.Band); !ok || metric != a.watched {
		return fmt.Errorf("the query %q must be the ANOMALY_DETECTION_BAND of %s, which is watched", a.Band, a.watched)
	}
	return nil
}

// checkSpan enforces the limit on how far an alarm may look back.
func (a *metricAlarm) checkSpan() error {
	most := day
	if a.period >= time.Hour {
		most = 7 * day
	}
	if span := a.period * time.Duration(a.EvaluationPeriods); span > most {
		return fmt.Errorf("%d periods of %v are %v; CloudWatch takes a day, and 7 days from periods of an hour on", a.EvaluationPeriods, a.period, span)
	}
	return nil
}

// checkSingle rejects an alarm on an array of series.
func (a *metricAlarm) checkSingle() error {
	data, err := a.queries.On(cloudwatch.New(cloudwatch.Options{}), cloudwatch.Grid{Period: int64(a.period / time.Second), N: 1})
	if err != nil {
		return err
	}
	found := 0
	for _, d := range data {
		if d.ID == a.watched {
			found++
		}
	}
	if found != 1 {
		return fmt.Errorf("the query %s yields %d series; an alarm watches one", a.watched, found)
	}
	return nil
}
