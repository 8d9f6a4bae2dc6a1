package stack

import (
	"fmt"
	"strings"
	"time"

	"heliograph"
	"heliograph/observability/catalogue"
)

// The alarms on what a stack stands on: its functions, its table and its own telemetry.

// urgent lists the functions that users wait for.
var urgent = map[string]severity{heliograph.Authorizer: page, heliograph.Connect: page, heliograph.Hello: page, heliograph.Online: page, heliograph.Send: page}

// functionErrors watches both Lambda's count, which includes timeouts and crashes, and ours, which includes failures
// that a function answers itself. The larger of the two counts, so that one cause raises one alarm.
func (d *deployment) functionErrors(name string) alarm {
	s, ok := urgent[name]
	if !ok {
		s = ticket
	}
	const errors = "MAX([FILL(lambda,0),FILL(own,0)])"
	return alarm{
		kind: "errors", of: name, severity: s,
		meaning:    fmt.Sprintf("%s fails, or answers with an error.", name),
		expression: fmt.Sprintf("IF(%s>=20,100*%s/%s,IF(%s>=3,100,0))", filled("inv"), errors, filled("inv"), errors),
		inputs: []input{
			{id: "lambda", series: d.ofFunction("Errors", name)},
			{id: "own", series: d.ownOf(catalogue.HandlerErrors, name)},
			{id: "inv", series: d.ofFunction("Invocations", name)},
		},
		stat: "Sum", period: time.Minute, m: 3, n: 5, threshold: 5, unit: "% of the invocations", missing: missingIsGood,
	}
}

// nearTimeout warns before a function times out. A minute with few invocations has no meaningful p99, so CloudWatch
// ignores it.
func (d *deployment) nearTimeout(name string) alarm {
	return alarm{
		kind: "near-timeout", of: name, severity: ticket,
		meaning:    fmt.Sprintf("%s runs for almost as long as its timeout allows.", name),
		expression: fmt.Sprintf("100*took/%d", timeouts[name].Milliseconds()), inputs: []input{{id: "took", series: d.ofFunction("Duration", name)}},
		stat: "p99", period: time.Minute, m: 5, n: 5, threshold: 80, unit: "% of its time-out, p99", missing: missingIsGood, fewSamples: "ignore",
	}
}

// each makes an input of each series, and returns their ids as well.
func each(all []series) (inputs []input, ids []string) {
	for i, s := range all {
		id := fmt.Sprintf("f%d", i)
		inputs, ids = append(inputs, input{id: id, series: s}), append(ids, id)
	}
	return inputs, ids
}

func (d *deployment) functionAlarms() []alarm {
	throttled, throttledIDs := each(d.ofFunctions("Throttles"))
	return []alarm{
		{
			kind: "throttled", severity: page,
			meaning:    "Lambda throttles the functions: the account has no concurrency left.",
			expression: sum(throttledIDs...), inputs: throttled,
			stat: "Sum", period: time.Minute, m: 3, n: 5, threshold: 1, unit: "throttled invocations a minute", missing: missingIsGood,
		},
		{
			kind: "timeouts", severity: page,
			meaning: "Functions time out.",
			inputs:  []input{d.counts("missed", catalogue.DeadlinesMissed)},
			stat:    "Sum", period: 5 * time.Minute, m: 1, n: 1, threshold: 3, unit: "time-outs in 5 minutes", missing: missingIsGood,
		},
		{
			kind: "concurrency", severity: ticket,
			meaning: "The account's functions, these and others, use almost all of its concurrency.",
			inputs:  []input{{id: "c", series: series{"AWS/Lambda", "ClaimedAccountConcurrency", nil}}},
			stat:    "Maximum", period: time.Minute, m: 10, n: 10, threshold: 800, unit: "executions at once", missing: missingIsGood,
		},
	}
}

// tableOperations are the calls that the functions make, which DynamoDB meters one by one.
var tableOperations = []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "BatchGetItem"}

// tableAlarms fill every series: CloudWatch always ignores missing data of AWS/DynamoDB, so an unfilled alarm would
// never recover.
func (d *deployment) tableAlarms() []alarm {
	throttles, throttleIDs := each([]series{
		d.ofTable("ReadThrottleEvents"), d.ofTable("WriteThrottleEvents"),
		d.ofIndex("ReadThrottleEvents"), d.ofIndex("WriteThrottleEvents"),
	})
	var failing, slow []series
	for _, operation := range tableOperations {
		failing = append(failing, d.ofOperation("SystemErrors", operation))
		slow = append(slow, d.ofOperation("SuccessfulRequestLatency", operation))
	}
	errors, errorIDs := each(failing)
	latencies, latencyIDs := each(slow)
	for i, id := range latencyIDs {
		latencyIDs[i] = filled(id)
	}
	return []alarm{
		{
			kind: "table-throttled", severity: page,
			meaning:    "DynamoDB throttles the table or its index.",
			expression: sum(throttleIDs...), inputs: throttles,
			stat: "Sum", period: time.Minute, m: 3, n: 5, threshold: 10, unit: "requests a minute", missing: missingIsGood,
		},
		{
			kind: "table-errors", severity: ticket,
			meaning:    "DynamoDB fails.",
			expression: sum(errorIDs...), inputs: errors,
			stat: "Sum", period: time.Minute, m: 5, n: 15, threshold: 5, unit: "requests a minute", missing: missingIsGood,
		},
		{
			kind: "table-latency", severity: ticket,
			meaning:    "DynamoDB is slow.",
			expression: "MAX([" + strings.Join(latencyIDs, ",") + "])", inputs: latencies,
			stat: "p99", period: time.Minute, m: 5, n: 5, threshold: 100, unit: "milliseconds, p99 of the slowest operation", missing: missingIsGood, fewSamples: "ignore",
		},
	}
}

// telemetryAlarms watch the telemetry itself: AWS's own metrics reveal when ours are lost.
func (d *deployment) telemetryAlarms(targets alarmTargets) []alarm {
	all := []alarm{
		{
			kind: "telemetry-dead", severity: page,
			meaning:    "send runs but writes no metrics, so every alarm on them is blind.",
			expression: "IF(" + filled("inv") + ">=5 AND " + filled("received") + "==0,1,0)",
			inputs:     []input{{id: "inv", series: d.ofFunction("Invocations", heliograph.Send)}, d.counts("received", catalogue.MessagesReceived)},
			stat:       "Sum", period: time.Minute, m: 5, n: 5, threshold: 1, unit: "(1: no metrics)", missing: missingIsGood,
		},
		{
			kind: "spans-dropped", severity: ticket,
			meaning: "Traces are incomplete.",
			inputs:  []input{d.counts("dropped", catalogue.SpansDropped)},
			stat:    "Sum", period: 5 * time.Minute, m: 3, n: 3, threshold: 1, unit: "spans in 5 minutes", missing: missingIsGood,
		},
	}
	for _, metric := range []struct{ of, name string }{{"parsing", "EMFParsingErrors"}, {"validation", "EMFValidationErrors"}} {
		var groups []series
		for _, name := range heliograph.Functions() {
			groups = append(groups, series{"AWS/Logs", metric.name, map[string]string{"LogGroupName": d.logGroup(name)}})
		}
		inputs, ids := each(groups) // two alarms, since metric math takes ten metrics at most
		all = append(all, alarm{
			kind: "metrics-broken", of: metric.of, severity: ticket,
			meaning:    "CloudWatch can't read metrics that the functions write.",
			expression: sum(ids...), inputs: inputs,
			stat: "Sum", period: 5 * time.Minute, m: 1, n: 1, threshold: 1, unit: "lines in 5 minutes", missing: missingIsGood,
		})
	}
	for i, topic := range targets.topicNames() {
		all = append(all, alarm{
			kind: "pager-broken", of: fmt.Sprint(i + 1), severity: ticket,
			meaning: fmt.Sprintf("SNS can't deliver alarms from the topic %s.", topic),
			inputs:  []input{{id: "f", series: ofTopic("NumberOfNotificationsFailed", topic)}},
			stat:    "Sum", period: 5 * time.Minute, m: 1, n: 1, threshold: 1, unit: "alarms in 5 minutes", missing: missingIsGood,
		})
	}
	return all
}
