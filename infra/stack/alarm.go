package stack

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// severity decides where an alarm's notifications go.
type severity string

const (
	page   severity = "page"   // wakes the operator on call
	ticket severity = "ticket" // waits for working hours
	silent severity = "none"   // notifies no one: a child of a composite alarm
)

// alarm is a condition of a stack that its operators must know about. alarms.go lists them all.
type alarm struct {
	kind     string // the key of its threshold and severity in Config
	runbook  string // docs/runbooks/<runbook>.md; empty: the kind
	of       string // which function, queue or window, if there are several; otherwise empty
	meaning  string // what is wrong, in one sentence
	severity severity
	pages    bool // by default, whatever the configuration says

	// expression is metric math over the inputs' ids. Without one, the alarm watches the first input.
	expression string
	inputs     []input
	stat       string        // of inputs without one of their own
	period     time.Duration // of every input
	m, n       int           // the alarm fires if m of the last n periods are bad
	below      bool          // values below the threshold are bad; otherwise, those at or above it
	threshold  float64
	unit       string // of the threshold, for display
	missing    string // how a period without a value counts
	fewSamples string // "ignore": percentiles of few samples mean nothing
	band       bool   // values outside the expression's anomaly band are bad; there is no threshold

	// rule makes this a composite alarm: a rule over other alarms' names replaces all fields from expression on.
	rule string
	// suppressor is the name of the alarm that silences this composite while it fires.
	suppressor string
}

// input is one metric of an alarm's expression.
type input struct {
	id string
	series
	stat string
}

// How a period without a value counts.
const (
	missingIsGood    = "notBreaching" // counters: nothing happened
	missingIsBad     = "breaching"    // heartbeats: silence is the fault
	missingIsSame    = "ignore"       // gauges: the last state is kept
	missingIsUnknown = "missing"      // the state is INSUFFICIENT_DATA
)

// name identifies the alarm within the stack: dead-letters-send.
func (a alarm) name() string {
	if a.of == "" {
		return a.kind
	}
	return a.kind + "-" + a.of
}

func (a alarm) runbookName() string { return cmp.Or(a.runbook, a.kind) }

// description is the first thing that the operator on call reads. `heliograph alarms` and the console parse its last
// two sentences.
func (a alarm) description(runbooks string) string {
	return fmt.Sprintf("%s Severity: %s. Runbook: %s%s.md", a.meaning, a.severity, runbooks, a.runbookName())
}

// declareAlarms declares the alarms and returns them as declared, for the dashboard.
func declareAlarms(d *deployment, q queues, ids apiIDs) []alarm {
	c := d.newComponent("Alarms", "alarms")
	defer c.complete()
	targets := c.declareAlarmTargets()
	alarms := d.alarms(q, targets)
	declared := map[string]pulumi.Resource{}
	for _, a := range alarms {
		if a.rule == "" {
			declared[a.name()] = declare(c, a.name(), cloudwatch.NewMetricAlarm, c.metricAlarm(a, ids, targets))
		}
	}
	for _, a := range alarms { // composites name other alarms, which must exist first
		if a.rule != "" {
			declared[a.name()] = declare(c, a.name(), cloudwatch.NewCompositeAlarm, c.compositeAlarm(a, targets),
				pulumi.DependsOn(c.children(a, declared)))
		}
	}
	return alarms
}

// children returns the alarms named by a composite's rule.
func (c *component) children(a alarm, declared map[string]pulumi.Resource) (children []pulumi.Resource) {
	for name, r := range declared {
		if strings.Contains(a.rule, c.quoted(name)) || name == a.suppressor {
			children = append(children, r)
		}
	}
	return children
}

// quoted is an alarm's physical name as written in a rule.
func (d *deployment) quoted(name string) string { return `"` + d.physical(name) + `"` }

func (c *component) metricAlarm(a alarm, ids apiIDs, targets alarmTargets) *cloudwatch.MetricAlarmArgs {
	args := &cloudwatch.MetricAlarmArgs{
		Name:               pulumi.String(c.physical(a.name())),
		AlarmDescription:   pulumi.String(a.description(c.config.RunbookURL)),
		EvaluationPeriods:  pulumi.Int(a.n),
		DatapointsToAlarm:  pulumi.Int(a.m),
		ComparisonOperator: pulumi.String(a.operator()),
		TreatMissingData:   pulumi.String(a.missing),
		AlarmActions:       targets.of(a.severity).values(),
		OkActions:          targets.okOf(a.severity).values(),
	}
	if a.fewSamples != "" {
		args.EvaluateLowSampleCountPercentiles = pulumi.String(a.fewSamples)
	}
	if a.band {
		args.ThresholdMetricId = pulumi.String(resultID)
	} else {
		args.Threshold = pulumi.Float64(a.threshold)
	}
	if a.expression == "" && !strings.HasPrefix(a.stat, "p") {
		in := a.inputs[0]
		args.Namespace, args.MetricName = pulumi.String(in.namespace), pulumi.String(in.name)
		args.Dimensions, args.Period = ids.dimensions(in.series), seconds(a.period)
		args.Statistic = pulumi.String(a.stat)
		return args
	}
	args.MetricQueries = a.queries(ids)
	return args
}

func (a alarm) operator() string {
	switch {
	case a.band:
		return "LessThanLowerOrGreaterThanUpperThreshold"
	case a.below:
		return "LessThanThreshold"
	}
	return "GreaterThanOrEqualToThreshold"
}

// resultID is the id of an alarm's expression among its queries.
const resultID = "result"

// queries returns the expression and its inputs; the alarm watches exactly one of them.
func (a alarm) queries(ids apiIDs) cloudwatch.MetricAlarmMetricQueryArray {
	var queries cloudwatch.MetricAlarmMetricQueryArray
	for _, in := range a.inputs {
		stat := in.stat
		if stat == "" {
			stat = a.stat
		}
		queries = append(queries, cloudwatch.MetricAlarmMetricQueryArgs{
			Id:         pulumi.String(in.id),
			ReturnData: pulumi.Bool(a.expression == "" || a.band),
			Metric: cloudwatch.MetricAlarmMetricQueryMetricArgs{
				Namespace: pulumi.String(in.namespace), MetricName: pulumi.String(in.name),
				Dimensions: ids.dimensions(in.series), Period: seconds(a.period), Stat: pulumi.String(stat),
			},
		})
	}
	if a.expression == "" {
		return queries
	}
	return append(queries, cloudwatch.MetricAlarmMetricQueryArgs{
		Id: pulumi.String(resultID), Expression: pulumi.String(a.expression),
		Label: pulumi.String(a.name()), ReturnData: pulumi.Bool(true),
	})
}

// suppression is how long a suppressed alarm waits for its suppressor to fire, and how long it stays silent afterwards.
const suppression = 2 * time.Minute

func (c *component) compositeAlarm(a alarm, targets alarmTargets) *cloudwatch.CompositeAlarmArgs {
	args := &cloudwatch.CompositeAlarmArgs{
		AlarmName:        pulumi.String(c.physical(a.name())),
		AlarmDescription: pulumi.String(a.description(c.config.RunbookURL)),
		AlarmRule:        pulumi.String(a.rule),
		AlarmActions:     targets.of(a.severity).texts(),
		OkActions:        targets.okOf(a.severity).texts(),
	}
	if a.suppressor != "" {
		args.ActionsSuppressor = cloudwatch.CompositeAlarmActionsSuppressorArgs{
			Alarm:           pulumi.String(c.physical(a.suppressor)),
			WaitPeriod:      seconds(suppression),
			ExtensionPeriod: seconds(suppression),
		}
	}
	return args
}
