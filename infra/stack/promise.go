package stack

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"heliograph"
	"heliograph/observability/catalogue"
)

// promise is a service level objective: the share of events that must be good.
type promise struct {
	name    string // the name of its objective, and the prefix of its alarms' names
	meaning string // the consequence for users if the budget burns
	// good and all are expressions over the inputs; a window with fewer than a floor of all says nothing.
	bad, all string
	inputs   []input
}

// slowAnswer is how long a presence query may take, in milliseconds.
const slowAnswer = 300

// promises lists the objectives that a stack's users can rely on.
func (d *deployment) promises() []promise {
	return []promise{
		{
			name: "connect", meaning: "Clients can't connect as they should",
			bad: sum("a", "c"), all: sum("a", "c", "opened"),
			inputs: []input{
				{id: "a", series: d.ofFunction("Errors", heliograph.Authorizer)},
				{id: "c", series: d.ofFunction("Errors", heliograph.Connect)},
				d.counts("opened", catalogue.ConnectionsOpened),
			},
		},
		{
			name: "delivery", meaning: "Messages don't arrive within a second as they should",
			bad: "(" + filled("due") + "-" + filled("ontime") + ")", all: filled("due"),
			inputs: []input{d.counts("due", catalogue.DeliveriesDue), d.counts("ontime", catalogue.DeliveriesOnTime)},
		},
		{
			name: "presence", meaning: "Presence queries fail or are slow more often than they should",
			bad: fmt.Sprintf("(%s+%s*%s/100)", filled("failed"), filled("n"), filled("slow")), all: filled("n"),
			inputs: []input{
				{id: "failed", series: d.ofRequests("5xx")},
				{id: "n", series: d.ofRequests("Count")},
				{id: "slow", series: d.ofRequests("Latency"), stat: fmt.Sprintf("PR(%d:)", slowAnswer)},
			},
		},
	}
}

// burn is a pair of windows that must both burn the error budget: the long one shows that the problem matters, the
// short one that it continues. The rates are those of Google's SRE workbook, chapter 5, for a budget of 30 days.
type burn struct {
	of          string
	long, short time.Duration
	rate        float64
	severity    severity
}

var burnWindows = []burn{
	{"fast", time.Hour, 5 * time.Minute, 14.4, page},
	{"slow", 6 * time.Hour, 30 * time.Minute, 6, ticket},
	{"slower", 24 * time.Hour, 2 * time.Hour, 3, ticket},
}

// The floors are how many events a long and a short window need before their shares mean anything.
const longFloor, shortFloor = 50, 10

// burns returns the alarms on the promises: for each pair of windows, a composite over two children.
func (d *deployment) burns() (all []alarm) {
	for _, p := range d.promises() {
		budget := 1 - d.config.Objectives[p.name]/100
		for _, b := range burnWindows {
			kind := p.name + "-burn-" + b.of
			long, short := d.burnWindow(p, kind, "long", b.long, longFloor), d.burnWindow(p, kind, "short", b.short, shortFloor)
			for _, child := range []*alarm{&long, &short} {
				child.threshold, child.unit = b.rate, fmt.Sprintf("times the error budget of %.4g %%", 100*budget)
			}
			all = append(all, long, short, alarm{
				kind: kind, severity: b.severity, runbook: p.name + "-burn",
				meaning: fmt.Sprintf("%s: the error budget of 30 days burns %g times too fast.", p.meaning, b.rate),
				rule:    "ALARM(" + d.quoted(long.name()) + ") AND ALARM(" + d.quoted(short.name()) + ")",
			})
		}
	}
	return all
}

// burnWindow is a silent child: only the composite over both windows notifies.
func (d *deployment) burnWindow(p promise, kind, of string, window time.Duration, floor int) alarm {
	return alarm{
		kind: kind, of: of, severity: silent, runbook: p.name + "-burn",
		meaning:    fmt.Sprintf("%s, over %s.", p.meaning, short(window)),
		expression: d.burnRate(p, floor), inputs: p.inputs,
		stat: "Sum", period: window, m: 1, n: 1, missing: missingIsGood,
	}
}

// burnRate is how many times faster than allowed a promise's error budget is consumed.
func (d *deployment) burnRate(p promise, floor int) string {
	budget := strconv.FormatFloat(1-d.config.Objectives[p.name]/100, 'g', 6, 64)
	return fmt.Sprintf("IF(%s>=%d,%s/%s/%s,0)", p.all, floor, p.bad, p.all, budget)
}

// short formats a duration without parts that are zero: 1h, not 1h0m0s.
func short(d time.Duration) string {
	return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(d.String())
}
