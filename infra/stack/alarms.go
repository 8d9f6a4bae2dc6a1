package stack

import (
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/observability/catalogue"
)

// alarm is when somebody must look. Its kind is the name of its runbook, docs/runbooks/<kind>.md.
type alarm struct {
	kind     string
	of       string // which of several functions or queues, or empty
	meaning  string // what is wrong, in one sentence
	watches  series
	stat     string
	period   time.Duration
	periods  int  // how many in a row must be bad
	below    bool // bad is below the threshold; else at or above it
	limit    int
	noValues string // how CloudWatch takes periods without a value
}

// How CloudWatch takes periods without a value.
const (
	missingIsGood = "notBreaching" // counters: nothing happened
	missingIsBad  = "breaching"    // heartbeats
	missingIsSame = "ignore"       // gauges: the last state stays
)

// alarms are all alarms of a stack.
func (d *deployment) alarms(q queues) []alarm {
	all := []alarm{
		d.sendFailures(), d.messageAge(q.send), d.eventsLate(), d.activeConnections(), d.sweepStopped(), d.keysNotRefreshed(),
		d.deadLetters("send", q.sendDeadLetters), d.deadLetters("grace", q.graceDeadLetters), d.deadLetters("stream", q.streamFailures),
	}
	for _, name := range heliograph.Functions() {
		all = append(all, d.functionErrors(name), d.handlerErrors(name))
	}
	return all
}

func (d *deployment) sendFailures() alarm {
	return alarm{
		kind:    "send-failures",
		meaning: "Posts to connections fail, after the retries of each post; follow-ups try again, but messages are late and may end as dead letters.",
		watches: d.own(catalogue.PostsFailed)[0],
		stat:    "Sum", period: 5 * time.Minute, periods: 1,
		limit: d.config.Thresholds.SendFailures, noValues: missingIsGood,
	}
}

func (d *deployment) messageAge(q queue) alarm {
	return alarm{
		kind:    "message-age",
		meaning: "Messages wait on the send queue for longer than users notice.",
		watches: ofQueue("ApproximateAgeOfOldestMessage", q),
		stat:    "Maximum", period: time.Minute, periods: 5,
		limit: d.config.Thresholds.MessageAge, noValues: missingIsGood,
	}
}

// eventsLate watches how far announce is behind the table's stream. announce reports records that it could not publish
// one by one, which Lambda does not count as errors.
func (d *deployment) eventsLate() alarm {
	return alarm{
		kind:    "events-late",
		meaning: "Presence events wait in the table's stream for longer than users notice.",
		watches: d.ofFunction("IteratorAge", heliograph.Announce),
		stat:    "Maximum", period: time.Minute, periods: 5,
		limit: d.config.Thresholds.MessageAge * 1000, noValues: missingIsGood, // IteratorAge is in milliseconds
	}
}

// keysNotRefreshed fires when the trouble lasts: one read that fails is made up for by the next, half a minute later.
func (d *deployment) keysNotRefreshed() alarm {
	return alarm{
		kind:    "keys-not-refreshed",
		meaning: "The secret or the published keys can't be read again; tokens are verified with the last good ones.",
		watches: d.own(catalogue.KeyRefreshFailures)[0],
		stat:    "Sum", period: 5 * time.Minute, periods: 3,
		limit: 1, noValues: missingIsGood,
	}
}

func (d *deployment) activeConnections() alarm {
	return alarm{
		kind:    "active-connections",
		meaning: "More connections are open than this stack was planned for.",
		watches: d.own(catalogue.ActiveConnections)[0],
		stat:    "Maximum", period: time.Minute, periods: 3,
		limit: d.config.Thresholds.ActiveConnections, noValues: missingIsSame,
	}
}

// sweepStopped watches the heartbeat of sweep: the gauge that every run emits at its end.
func (d *deployment) sweepStopped() alarm {
	return alarm{
		kind:    "sweep-stopped",
		meaning: "sweep has not finished a run for 5 minutes: connections are no longer verified, ghosts stay online.",
		watches: d.own(catalogue.ActiveConnections)[0],
		stat:    "SampleCount", period: time.Minute, periods: 5,
		below: true, limit: 1, noValues: missingIsBad,
	}
}

func (d *deployment) deadLetters(of string, q queue) alarm {
	return alarm{
		kind: "dead-letters", of: of,
		meaning: fmt.Sprintf("What could not be worked on lies in the queue %s.", q.name),
		watches: ofQueue("ApproximateNumberOfMessagesVisible", q),
		stat:    "Maximum", period: time.Minute, periods: 1,
		limit: d.config.Thresholds.DeadLetters, noValues: missingIsGood,
	}
}

// functionErrors watches Lambda's own count, which knows time-outs and crashes too.
func (d *deployment) functionErrors(name string) alarm {
	return alarm{
		kind: "function-errors", of: name,
		meaning: fmt.Sprintf("Invocations of %s fail: errors, crashes or time-outs.", name),
		watches: d.ofFunction("Errors", name),
		stat:    "Sum", period: 5 * time.Minute, periods: 1,
		limit: d.config.Thresholds.FunctionErrors, noValues: missingIsGood,
	}
}

// handlerErrors watches our own count, which knows the failures that a function answers itself: online with a 500, send with
// a message that goes back to the queue.
func (d *deployment) handlerErrors(name string) alarm {
	watches := d.own(catalogue.HandlerErrors)
	return alarm{
		kind: "handler-errors", of: name,
		meaning: fmt.Sprintf("%s fails, or answers that it failed.", name),
		watches: watches[slices.IndexFunc(watches, func(s series) bool { return s.dimensions[catalogue.DimensionFunction] == name })],
		stat:    "Sum", period: 5 * time.Minute, periods: 1,
		limit: d.config.Thresholds.FunctionErrors, noValues: missingIsGood,
	}
}

// name tells alarms apart: dead-letters-send.
func (a alarm) name() string {
	if a.of == "" {
		return a.kind
	}
	return a.kind + "-" + a.of
}

// description is what somebody who is woken at night reads first.
func (a alarm) description() string {
	return fmt.Sprintf("%s Runbook: docs/runbooks/%s.md", a.meaning, a.kind)
}

// declareAlarms declares the alarms and gives their ARNs, for the dashboard.
func declareAlarms(d *deployment, q queues) []string {
	c := d.newComponent("Alarms", "alarms")
	defer c.complete()
	targets := c.declareAlarmTargets()
	var arns []string
	for _, a := range d.alarms(q) {
		name := d.physical(a.name())
		declare(c, a.name(), cloudwatch.NewMetricAlarm, a.args(name, targets))
		arns = append(arns, d.home.arn("cloudwatch", "alarm:"+name))
	}
	return arns
}

func (a alarm) args(name string, targets pulumi.Array) *cloudwatch.MetricAlarmArgs {
	operator := "GreaterThanOrEqualToThreshold"
	if a.below {
		operator = "LessThanThreshold"
	}
	return &cloudwatch.MetricAlarmArgs{
		Name:               pulumi.String(name),
		AlarmDescription:   pulumi.String(a.description()),
		Namespace:          pulumi.String(a.watches.namespace),
		MetricName:         pulumi.String(a.watches.name),
		Dimensions:         pulumi.ToStringMap(a.watches.dimensions),
		Statistic:          pulumi.String(a.stat),
		Period:             seconds(a.period),
		EvaluationPeriods:  pulumi.Int(a.periods),
		Threshold:          pulumi.Float64(a.limit),
		ComparisonOperator: pulumi.String(operator),
		TreatMissingData:   pulumi.String(a.noValues),
		AlarmActions:       targets,
		OkActions:          targets,
	}
}
