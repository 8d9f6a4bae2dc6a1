package stack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"heliograph"
	"heliograph/observability/catalogue"
)

// alarms lists all alarms of a stack: first the promises, then the parts that keep them, in the order a message meets
// them. Each has a runbook. Thresholds and severities are defaults: see Config.
func (d *deployment) alarms(q queues, targets alarmTargets) []alarm {
	all := d.burns()
	all = append(all, d.openConnectionAlarms()...)
	all = append(all, d.tokenAlarms()...)
	all = append(all, d.gatewayAlarms()...)
	all = append(all, d.postAlarms()...)
	all = append(all, d.messageAlarms(q)...)
	all = append(all, d.deadLetterAlarms(q)...)
	all = append(all, d.sweepAlarms()...)
	all = append(all, d.eventAlarms(q)...)
	for _, name := range heliograph.Functions() {
		all = append(all, d.functionErrors(name), d.nearTimeout(name))
	}
	all = append(all, d.functionAlarms()...)
	all = append(all, d.tableAlarms()...)
	all = append(all, d.telemetryAlarms(targets)...)
	for i := range all {
		d.configure(&all[i])
	}
	if d.config.Alarms == essentialSize {
		all = essential(all)
	}
	return all
}

// essential keeps the alarms that page by default, with their children and suppressors: a stack that no one relies on
// pays for fewer alarms. Configured severities don't change the choice, since such a stack may make all of them
// tickets.
func essential(all []alarm) []alarm {
	needed := map[string]bool{}
	for _, a := range all {
		if a.pages {
			needed[a.kind], needed[a.suppressor] = true, true
		}
	}
	return slices.DeleteFunc(all, func(a alarm) bool { return !needed[a.kind] })
}

// configure replaces an alarm's default threshold and severity by the configured ones.
func (d *deployment) configure(a *alarm) {
	a.pages = a.severity == page
	if threshold, ok := d.config.Thresholds[a.kind]; ok {
		a.threshold = threshold
	}
	if a.severity == silent {
		return
	}
	for _, key := range []string{a.kind, "*"} {
		if s, ok := d.config.Severities[key]; ok {
			a.severity = severity(s)
			return
		}
	}
}

// ratio is the percentage of a in b, or 0 while b is below a floor: a share of a few events means nothing. Both are
// filled, since a counter without a value counted nothing.
func ratio(a, b string, floor int) string {
	return fmt.Sprintf("IF(%s>=%d,100*(%s)/(%s),0)", b, floor, a, b)
}

// filled treats a series' missing values as 0.
func filled(id string) string { return "FILL(" + id + ",0)" }

// gauge is a queue's gauge without gaps. SQS writes no values while a queue is idle, so the first message must count as
// a rise from 0; and a single missing minute must not look like messages that left and came back.
func gauge(id string) string { return "FILL(FILL(" + id + ",REPEAT),0)" }

// grown is the rise of a gauge since the last period: it shows new messages in a queue that may hold old ones.
func grown(id string) string { return fmt.Sprintf("IF(DIFF(%[1]s)>0,DIFF(%[1]s),0)", gauge(id)) }

// sum adds up series, treating missing values as 0.
func sum(ids ...string) string {
	terms := make([]string, len(ids))
	for i, id := range ids {
		terms[i] = filled(id)
	}
	return "(" + strings.Join(terms, "+") + ")"
}

// counts makes one of our own counters an input.
func (d *deployment) counts(id string, m catalogue.Metric) input {
	return input{id: id, series: d.own(m)[0]}
}

// openConnectionAlarms watch the number of connections. A drop matters only from 100 connections on: below, a single
// user who leaves would be a large share.
func (d *deployment) openConnectionAlarms() []alarm {
	open := input{id: "m", series: d.own(catalogue.ActiveConnections)[0]}
	return []alarm{
		{
			kind: "connections-drop", severity: page,
			meaning:    "Many connections closed at once.",
			expression: "IF(m-DIFF(m)>=100,-100*DIFF(m)/(m-DIFF(m)),0)", inputs: []input{open},
			stat: "Maximum", period: 5 * time.Minute, m: 1, n: 1, threshold: 30, unit: "% of the connections within 5 minutes", missing: missingIsSame,
		},
		{
			kind: "connections-unusual", severity: ticket,
			meaning:    "The number of connections is unusual for this hour of the week.",
			expression: "ANOMALY_DETECTION_BAND(m,3)", band: true, inputs: []input{open},
			stat: "Average", period: 5 * time.Minute, m: 3, n: 3, missing: missingIsSame,
		},
		{
			kind: "active-connections", severity: ticket,
			meaning: "Almost as many connections are open as this stack was planned for.",
			inputs:  []input{open},
			stat:    "Maximum", period: time.Minute, m: 3, n: 5, threshold: 40_000, unit: "connections", missing: missingIsSame,
		},
		{
			kind: "connect-rate", severity: page,
			meaning:    "New connections arrive almost as fast as API Gateway admits them.",
			expression: filled("c") + "/60", inputs: []input{{id: "c", series: d.ofSockets("ConnectCount")}},
			stat: "Sum", period: time.Minute, m: 2, n: 3, threshold: 400, unit: "connections a second", missing: missingIsGood,
		},
	}
}

// tokenAlarms watch the authorizer. Rejected tokens are the clients' doing, and so a ticket, unless no token at all is
// accepted.
func (d *deployment) tokenAlarms() []alarm {
	rejected, accepted := d.counts("rejected", catalogue.TokensRejected), d.counts("accepted", catalogue.TokensAccepted)
	return []alarm{
		{
			kind: "nobody-gets-in", severity: page,
			meaning:    "Every token is rejected.",
			expression: "IF(" + filled("rejected") + ">=20 AND " + filled("accepted") + "==0,1,0)", inputs: []input{rejected, accepted},
			stat: "Sum", period: time.Minute, m: 3, n: 3, threshold: 1, unit: "(1: nobody gets in)", missing: missingIsGood,
		},
		{
			kind: "connects-refused", severity: ticket,
			meaning:    "Most tokens are rejected.",
			expression: ratio(filled("rejected"), sum("rejected", "accepted"), 100), inputs: []input{rejected, accepted},
			stat: "Sum", period: time.Minute, m: 3, n: 5, threshold: 50, unit: "% of the tokens", missing: missingIsGood,
		},
		{
			kind: "keys-not-refreshed", severity: ticket,
			meaning: "The secret or the published keys can't be refreshed; tokens are verified with the last good ones.",
			inputs:  []input{d.counts("f", catalogue.KeyRefreshFailures)},
			stat:    "Sum", period: 5 * time.Minute, m: 3, n: 3, threshold: 1, unit: "failed reads in 5 minutes", missing: missingIsGood,
		},
		{
			kind: "keys-ending", severity: page,
			meaning: "The last good secret or keys are about to expire; then every token is refused.",
			inputs:  []input{d.counts("left", catalogue.KeyTimeLeft)},
			// A single failure of a function that was idle for long doesn't matter, so one minute is not enough.
			stat: "Minimum", period: time.Minute, m: 2, n: 3, below: true, threshold: d.config.KeyGrace.Seconds() / 2, unit: "seconds left", missing: missingIsGood,
		},
	}
}

// gatewayAlarms watch the WebSocket API by the gateway's own counts: they include failures that no function sees.
func (d *deployment) gatewayAlarms() []alarm {
	connects, messages := d.ofSockets("ConnectCount"), d.ofSockets("MessageCount")
	return []alarm{
		{
			kind: "gateway-errors", severity: page,
			meaning: "API Gateway can't invoke the functions of the WebSocket API, or they fail.",
			// A failure before $connect is in neither count, so errors count as attempts, too. Otherwise a lost
			// permission, which refuses every client, would be a share of nothing.
			expression: ratio(sum("e", "i"), sum("c", "m", "e", "i"), 50),
			inputs: []input{
				{id: "e", series: d.ofSockets("ExecutionError")},
				{id: "i", series: d.ofSockets("IntegrationError")},
				{id: "c", series: connects},
				{id: "m", series: messages},
			},
			stat: "Sum", period: time.Minute, m: 3, n: 5, threshold: 5, unit: "% of what the gateway handled", missing: missingIsGood,
		},
		{
			kind: "client-errors", severity: ticket,
			meaning:    "API Gateway refuses many clients' requests.",
			expression: ratio(filled("e"), sum("c", "m", "e"), 100),
			inputs:     []input{{id: "e", series: d.ofSockets("ClientError")}, {id: "c", series: connects}, {id: "m", series: messages}},
			stat:       "Sum", period: time.Minute, m: 5, n: 5, threshold: 20, unit: "% of what the gateway handled", missing: missingIsGood,
		},
	}
}

// maxInFlight is SQS's limit on messages of a standard queue that are received but not yet deleted.
const maxInFlight = 120_000

// postAlarms watch posts to connections. Failed posts page, except while API Gateway throttles: that passes on its own,
// so it is only a ticket.
func (d *deployment) postAlarms() []alarm {
	failed, delivered := d.counts("failed", catalogue.PostsFailed), d.counts("delivered", catalogue.PostsDelivered)
	return []alarm{
		{
			kind: "send-failures", of: "ratio", severity: silent,
			meaning:    "Posts to connections fail.",
			expression: ratio(filled("failed"), sum("failed", "delivered"), 50), inputs: []input{failed, delivered},
			stat: "Sum", period: time.Minute, m: 3, n: 5, threshold: 2, unit: "% of the posts", missing: missingIsGood,
		},
		{
			kind: "send-failures", severity: page,
			meaning: "Posts to connections fail, after the retries of each post; follow-ups try again, but messages are late and may end as dead letters.",
			rule:    "ALARM(" + d.quoted("send-failures-ratio") + ")", suppressor: "gateway-throttled",
		},
		{
			kind: "gateway-throttled", severity: ticket,
			meaning:    "API Gateway answers posts with 429.",
			expression: ratio(filled("throttled"), sum("throttled", "delivered"), 100),
			inputs:     []input{d.counts("throttled", catalogue.PostsThrottled), delivered},
			stat:       "Sum", period: time.Minute, m: 3, n: 5, threshold: 10, unit: "% of the posts", missing: missingIsGood,
		},
	}
}

// messageAlarms watch the way of messages through the send queue. Rejected messages are a producer's fault, so they are
// kept apart from lost ones.
func (d *deployment) messageAlarms(q queues) []alarm {
	received, rejected := d.counts("received", catalogue.MessagesReceived), d.counts("rejected", catalogue.MessagesRejected)
	return []alarm{
		{
			kind: "message-age", severity: page,
			meaning: "Messages wait on the send queue for longer than users notice.",
			inputs:  []input{{id: "age", series: ofQueue("ApproximateAgeOfOldestMessage", q.send)}},
			stat:    "Maximum", period: time.Minute, m: 3, n: 5, threshold: 60, unit: "seconds", missing: missingIsGood,
		},
		{
			kind: "messages-lost", severity: page,
			meaning:    "Good messages end as dead letters.",
			expression: ratio("("+filled("dead")+"-"+filled("rejected")+")", filled("received"), 100), inputs: []input{d.counts("dead", catalogue.MessagesDeadLettered), rejected, received},
			stat: "Sum", period: 5 * time.Minute, m: 1, n: 1, threshold: 1, unit: "% of the messages", missing: missingIsGood,
		},
		{
			kind: "rejected-by-producer", severity: ticket,
			meaning:    "A producer sends messages that can't be delivered.",
			expression: ratio(filled("rejected"), filled("received"), 20), inputs: []input{rejected, received},
			stat: "Sum", period: 5 * time.Minute, m: 3, n: 5, threshold: 5, unit: "% of the messages", missing: missingIsGood,
		},
		{
			kind: "in-flight", severity: ticket,
			meaning: "Almost as many messages are in flight as SQS allows.",
			inputs:  []input{{id: "v", series: ofQueue("ApproximateNumberOfMessagesNotVisible", q.send)}},
			stat:    "Maximum", period: time.Minute, m: 5, n: 5, threshold: maxInFlight * 80 / 100, unit: "messages", missing: missingIsGood,
		},
	}
}

// deadLetterAlarms fire when dead letters arrive, and again before SQS deletes them. They watch the rise of a queue,
// not its length, so that letters awaiting a decision don't hide new ones. The crash alarm subtracts the letters that
// send wrote itself: SQS moved the rest.
func (d *deployment) deadLetterAlarms(q queues) []alarm {
	visible := func(q queue) input {
		return input{id: "v", series: ofQueue("ApproximateNumberOfMessagesVisible", q), stat: "Maximum"}
	}
	age := func(id string, q queue) input {
		return input{id: id, series: ofQueue("ApproximateAgeOfOldestMessage", q)}
	}
	all := []alarm{
		{
			kind: "crash-dead-letters", severity: ticket,
			meaning:    "Messages became dead letters without a reason: send crashed on them repeatedly.",
			expression: fmt.Sprintf("IF(%[1]s>0,%[1]s,0)", "DIFF("+gauge("v")+")-"+filled("dead")), inputs: []input{visible(q.sendDeadLetters), d.counts("dead", catalogue.MessagesDeadLettered)},
			stat: "Sum", period: 5 * time.Minute, m: 1, n: 1, threshold: 1, unit: "dead letters in 5 minutes", missing: missingIsGood,
		},
		{
			kind: "dead-letters-old", severity: ticket,
			meaning:    "Dead letters are about to be deleted unseen.",
			expression: "MAX([" + filled("s") + "," + filled("g") + "," + filled("f") + "])",
			inputs:     []input{age("s", q.sendDeadLetters), age("g", q.graceDeadLetters), age("f", q.streamFailures)},
			stat:       "Maximum", period: time.Hour, m: 1, n: 1, threshold: (11 * 24 * time.Hour).Seconds(), unit: "seconds of 14 days", missing: missingIsGood,
		},
	}
	for _, dead := range []struct {
		of    string
		queue queue
	}{{"send", q.sendDeadLetters}, {"grace", q.graceDeadLetters}} {
		all = append(all, alarm{
			kind: "dead-letters", of: dead.of, severity: ticket,
			meaning:    fmt.Sprintf("A record that could not be processed arrived on the queue %s.", dead.queue.name),
			expression: grown("v"), inputs: []input{visible(dead.queue)},
			stat: "Maximum", period: time.Minute, m: 1, n: 1, threshold: 1, unit: "new dead letters in a minute", missing: missingIsGood,
		})
	}
	return all
}

// sweepAlarms watch sweep, whose gauges are its heartbeat. A new stack has had no run yet, so the page waits until a
// first one has been seen.
func (d *deployment) sweepAlarms() []alarm {
	beat := input{id: "m", series: d.own(catalogue.ActiveConnections)[0]}
	return []alarm{
		{
			kind: "sweep-stopped", of: "silent", severity: silent,
			meaning: "sweep has not finished a run for 5 minutes.",
			inputs:  []input{beat},
			stat:    "SampleCount", period: time.Minute, m: 5, n: 5, below: true, threshold: 1, unit: "runs a minute", missing: missingIsBad,
		},
		{
			kind: "sweep-stopped", of: "seen", severity: silent,
			meaning: "Never in alarm. It lacks data if sweep has not run for a day, as on a new stack.",
			inputs:  []input{beat},
			stat:    "SampleCount", period: 24 * time.Hour, m: 1, n: 1, below: true, threshold: 0, unit: "runs a day", missing: missingIsUnknown,
		},
		{
			kind: "sweep-stopped", severity: page,
			meaning: "sweep has stopped: connections are no longer verified, ghosts stay online.",
			rule:    "ALARM(" + d.quoted("sweep-stopped-silent") + ") AND NOT INSUFFICIENT_DATA(" + d.quoted("sweep-stopped-seen") + ")",
		},
		{
			kind: "ghosts", severity: ticket,
			meaning: "More connections are due for verification than sweep can handle: ghosts stay online for longer than a lease.",
			inputs:  []input{{id: "b", series: d.own(catalogue.SweepBacklog)[0]}},
			stat:    "Maximum", period: time.Minute, m: 5, n: 5, threshold: float64(10 * d.config.SweepRate), unit: "connections", missing: missingIsSame,
		},
	}
}

// eventAlarms watch the way of presence events: the stream, the grace queue, the topic, and the records that were given
// up.
func (d *deployment) eventAlarms(q queues) []alarm {
	return []alarm{
		{
			kind: "events-late", severity: page,
			meaning: "Presence events wait in the table's stream for longer than users notice.",
			inputs:  []input{{id: "age", series: d.ofFunction("IteratorAge", heliograph.Announce)}},
			stat:    "Maximum", period: time.Minute, m: 3, n: 5, threshold: 60_000, unit: "milliseconds", missing: missingIsGood,
		},
		{
			kind: "grace-age", severity: ticket,
			meaning: "Offline announcements are delayed.",
			inputs:  []input{{id: "age", series: ofQueue("ApproximateAgeOfOldestMessage", q.grace)}},
			stat:    "Maximum", period: time.Minute, m: 5, n: 5, threshold: (d.config.PresenceGrace + time.Minute).Seconds(), unit: "seconds", missing: missingIsGood,
		},
		{
			kind: "events-refused", severity: ticket,
			meaning: "SNS can't deliver events to a subscriber.",
			inputs:  []input{{id: "f", series: ofTopic("NumberOfNotificationsFailed", d.physical(eventTopic))}},
			stat:    "Sum", period: time.Minute, m: 3, n: 5, threshold: 1, unit: "events a minute", missing: missingIsGood,
		},
		{
			kind: "stream-failures", severity: page,
			meaning:    "Presence changes could not be announced and were abandoned.",
			expression: grown("v"), inputs: []input{{id: "v", series: ofQueue("ApproximateNumberOfMessagesVisible", q.streamFailures)}},
			stat: "Maximum", period: time.Minute, m: 1, n: 1, threshold: 1, unit: "new batches in a minute", missing: missingIsGood,
		},
	}
}
