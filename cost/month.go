package cost

import (
	"fmt"
	"math"
	"time"

	"heliograph"
)

// Load is what a stack has to do.
type Load struct {
	Connections float64 // open, on average
	Sessions    float64 // connects a second, each of a user who was offline; as many disconnects
	Messages    float64 // a second
	Devices     float64 // that a message reaches, on average
	Queries     float64 // a second, for the status of one user
	Sent        float64 // messages that a producer puts on the queue by one request, 1 to 10
	Batch       float64 // messages of a queue that Lambda hands over at once, 1 to 10
}

// Choices are what a stack's configuration says about its bill.
type Choices struct {
	Lease  float64 // seconds, of a connection that was found alive
	Traced bool    // Lambda samples traces
	LogKB  float64 // of an invocation, its share of the access logs included: e2e's TestTelemetryUsed measures it
	Alarms float64 // USD a month
}

// The example of docs/cost.md, and the configuration of a stack that sets nothing.
var (
	Example  = Load{Connections: 10_000, Sessions: 10, Messages: 100, Devices: 1, Queries: 1, Sent: 1, Batch: 1}
	Defaults = Choices{Lease: 900, Traced: true, LogKB: 0.5, Alarms: 22.50}
)

// EssentialAlarms is the price of the alarms with `alarms: essential`, in USD a month.
const EssentialAlarms = 10.10

// A month has 730 hours.
const (
	minutes = 730 * 60
	seconds = minutes * 60
)

// The stream of the table, as infra/stack reads it.
const (
	// StreamRecords are the records of a session that pass the stream's filters: the coming, the going, and the deleted
	// connection.
	StreamRecords = 3
	StreamLanes   = 2 // invocations at once, for each shard
	StreamWindow  = 1 // seconds that Lambda gathers records
	StreamBatch   = 100
	streamShards  = 4 // assumed: of a new table on demand
)

// customMetrics are 35 by stage, and 3 by stage and function, which make 16 series.
const customMetrics = 36 + 16

// Function is what an invocation takes.
type Function struct {
	MB   float64
	took float64 // assumed: milliseconds of an invocation
	more float64 // assumed: milliseconds for each further record of its batch
}

// Functions have the memory that infra/stack gives them.
var Functions = map[string]Function{
	heliograph.Authorizer: {MB: 256, took: 3},
	heliograph.Connect:    {MB: 256, took: 15},
	heliograph.Disconnect: {MB: 256, took: 25},
	heliograph.Announce:   {MB: 256, took: 15, more: 1},
	heliograph.Hello:      {MB: 256, took: 15},
	heliograph.Online:     {MB: 256, took: 10},
	heliograph.Send:       {MB: 512, took: 20, more: 1},
	heliograph.Sweep:      {MB: 884, took: 3000},
}

// Line is one line of the bill.
type Line struct {
	What    string  `json:"what"`
	HowMuch string  `json:"-"` // the formula, for docs/cost.md
	Price   string  `json:"price"`
	USD     float64 `json:"usd"` // a month
}

// Month is the bill of a month.
func Month(l Load, c Choices) []Line { return append(watched(l, c), Telemetry(l, c)...) }

// watched is what the work itself costs.
func watched(l Load, c Choices) []Line {
	r, s := l.renewals(c), float64(seconds)
	session := add(ConnectFirst, DisconnectLast, AnnounceComing, AnnounceGoing)
	calls, work := l.invocations()
	return []Line{
		{"connection minutes", "43,800 *C*", "0.25 / million", minutes * l.Connections * connectionMinute},
		{"messages to devices, each 32 KB of one", "*m d s*", "1.00 / million", l.Messages * l.Devices * s * post},
		{"HTTP API", "*q s*", "1.00 / million", l.Queries * s * request},
		{"SQS: messages sent, received, deleted", "*m* (1/*p* + 2/*b*) *s*", "0.40 / million", l.Messages * (1/l.Sent + 2/l.Batch) * s * queueRequest},
		{"SQS: users who went, for the grace period", "*c* (1 + 2/*b*) *s*", "0.40 / million", l.Sessions * (1 + 2/l.Batch) * s * queueRequest},
		{"SNS: each user comes and goes", "2 *c s*", "0.50 / million", 2 * l.Sessions * s * publish},
		{"Lambda, invocations", "*I s*, below", "0.20 / million", calls * s * invocation},
		{"Lambda, GB-seconds (Arm)", "*G s*, below", "13.3334 / million", work * s * gigabyteSecond},
		{
			"DynamoDB, writes", fmt.Sprintf("(%v *c* + %v *r*) *s*", session.Write, RenewLease.Write), "0.625 / million",
			(session.Write*l.Sessions + RenewLease.Write*r) * s * writeUnit,
		},
		{
			"DynamoDB, reads", fmt.Sprintf("(%v *c* + *r*/2 + *m* + *q*) *s* + 43,800 (%v + %v · 2 *C*)", session.Read, SweepOfNothing.Read, CountOf100/100), "0.125 / million",
			((session.Read*l.Sessions+lookAtLease*r+FindConnections.Read*l.Messages+OneStatus.Read*l.Queries)*s +
				minutes*(SweepOfNothing.Read+CountOf100/100*2*l.Connections)) * readUnit,
		},
	}
}

// Telemetry is what it costs to watch a stack, a part of Month.
func Telemetry(l Load, c Choices) []Line {
	s := float64(seconds)
	calls, _ := l.invocations()
	return []Line{
		{fmt.Sprintf("logs, some %v KB an invocation", c.LogKB), fmt.Sprintf("*I s* · %v KB", c.LogKB), "0.50 / GB", calls * s * c.LogKB / million * logGigabyte},
		{"custom metrics: 36 by stage, 3 by function in 16 series", fmt.Sprint(customMetrics), "0.30 each", customMetrics * customMetric},
		{"X-Ray: traces that Lambda samples", "*X s*, below", "5.00 / million", l.traces(c) * s * trace},
		{"alarms, `full`", "below", "", c.Alarms},
		{"dashboard", "1", "3.00", dashboard},
	}
}

// Together sums up a bill.
func Together(bill []Line) (usd float64) {
	for _, line := range bill {
		usd += line.USD
	}
	return usd
}

// Passing is what a load costs while it lasts, in USD, beyond what the stack costs without it. Its sessions are those of
// the whole time, spread evenly.
func Passing(l Load, c Choices, lasts time.Duration) float64 {
	idle := Load{Sent: l.Sent, Batch: l.Batch}
	return (Together(Month(l, c)) - Together(Month(idle, c))) * lasts.Seconds() / seconds
}

// renewals are how many leases are renewed in a second, at most: each connection's first one, and then every lease.
func (l Load) renewals(c Choices) float64 { return l.Sessions + l.Connections/c.Lease }

// call is how often a function is invoked.
type call struct {
	function string
	rate     float64 // invocations a second
	records  float64 // of each
}

// calls are the invocations of all functions, by what invokes them.
func (l Load) calls() []call {
	stream := l.Sessions * StreamRecords
	// A batch of the stream ends with its window, or when it is full.
	batches, each := math.Min(stream, streamShards*StreamLanes/StreamWindow+stream/StreamBatch), 1.0
	if batches > 0 {
		each = stream / batches
	}
	return []call{
		{heliograph.Authorizer, l.Sessions + l.Queries, 1},
		{heliograph.Connect, l.Sessions, 1},
		{heliograph.Disconnect, l.Sessions, 1},
		{heliograph.Announce, batches, each},
		{heliograph.Announce, l.Sessions / l.Batch, l.Batch},
		{heliograph.Send, l.Messages / l.Batch, l.Batch},
		{heliograph.Online, l.Queries, 1},
		{heliograph.Sweep, 1.0 / 60, 1},
	}
}

// invocations are the invocations and the GB-seconds of a second.
func (l Load) invocations() (calls, work float64) {
	for _, c := range l.calls() {
		f := Functions[c.function]
		calls += c.rate
		work += c.rate * (f.took + f.more*(c.records-1)) / 1000 * f.MB / 1024
	}
	return calls, work
}

// traces are those of a second: of each function, Lambda samples one invocation a second and 5 % of the others.
func (l Load) traces(c Choices) (traces float64) {
	if !c.Traced {
		return 0
	}
	rates := map[string]float64{}
	for _, call := range l.calls() {
		rates[call.function] += call.rate
	}
	for _, rate := range rates {
		traces += math.Min(rate, 1) + 0.05*math.Max(0, rate-1)
	}
	return traces
}

func add(all ...Units) (sum Units) {
	for _, u := range all {
		sum.Read += u.Read
		sum.Write += u.Write
	}
	return sum
}
