package stack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/observability/catalogue"
)

// declareDashboard declares the stack's dashboard and returns its address in the console.
func declareDashboard(d *deployment, q queues, alarms []alarm, apis apiIDs) pulumi.StringOutput {
	c := d.newComponent("Dashboard", "dashboard")
	defer c.complete()
	text, err := json.Marshal(d.dashboard(q, alarms))
	if err != nil {
		panic(undeclared{fmt.Errorf("encoding the dashboard: %w", err)})
	}
	body := pulumi.All(apis[socketID], apis[requestID]).ApplyT(func(ids []any) string {
		return strings.NewReplacer(socketID, string(ids[0].(pulumi.ID)), requestID, string(ids[1].(pulumi.ID))).Replace(string(text))
	}).(pulumi.StringOutput)
	board := declare(c, "overview", cloudwatch.NewDashboard, &cloudwatch.DashboardArgs{
		DashboardName: pulumi.String(d.global("")),
		DashboardBody: body,
	})
	return pulumi.Sprintf("https://%s.%s/cloudwatch/home?region=%s#dashboards/dashboard/%s",
		d.home.region, d.home.console(), d.home.region, board.DashboardName)
}

// console is the host of the AWS console for a partition.
func (h home) console() string {
	switch h.partition {
	case "aws-cn":
		return "console.amazonaws.cn"
	case "aws-us-gov":
		return "console.amazonaws-us-gov.com"
	default:
		return "console.aws.amazon.com"
	}
}

// dashboard returns the content of the stack's dashboard: first the promises that users rely on, then the parts that
// keep them, in the order a message meets them, then the cost, and finally each alarm's own graph.
func (d *deployment) dashboard(q queues, alarms []alarm) dashboardBody {
	b := board{annotations: d.deployed()}
	b.row(4, d.header())
	b.row(3, d.states("Pages", page, alarms), d.states("Tickets", ticket, alarms))
	b.heading("Promises and error budgets")
	b.row(6, d.kept()...)
	b.row(6, d.burning()...)
	b.heading("Connections")
	b.row(6, d.openConnections(), d.comingAndGoing(), d.tokens(), d.webSocketGateway())
	b.heading("Sending")
	b.row(6, d.posts(), d.messages(), d.latency(), d.extras())
	b.row(6, d.deliveries(), d.waiting(q), d.ages(q), d.devices())
	b.heading("Presence")
	b.row(6, d.presenceEvents(), d.verification(), d.stream(), d.httpGateway())
	b.heading("Functions and table")
	b.row(6, d.errors(), d.durations(), d.starts())
	b.row(6, d.tableThrottles(), d.tableLatency(), d.tableUnits())
	b.heading("Cost")
	b.row(6, d.billed()...)
	if d.config.Dashboard == fullSize {
		b.heading("Log lines")
		b.row(6, d.logLines()...)
		b.heading("Alarms, each with its threshold")
		b.grid(5, 4, d.alarmGraphs(alarms))
	}
	return dashboardBody{b.widgets}
}

func (d *deployment) openConnections() widget {
	return d.graph("Open connections and online users", "Maximum",
		d.lines(catalogue.ActiveConnections, catalogue.OnlineUsers))
}

func (d *deployment) comingAndGoing() widget {
	return d.graph("Connections opened, closed and refused", "Sum",
		d.lines(catalogue.ConnectionsOpened, catalogue.ConnectionsClosed, catalogue.ConnectionsExpired, catalogue.ConnectionsRefused))
}

func (d *deployment) tokens() widget {
	return d.graph("Tokens", "Sum", append(
		d.lines(catalogue.TokensAccepted, catalogue.TokensRejected, catalogue.KeyRefreshFailures),
		line{series: d.own(catalogue.KeyTimeLeft)[0], Label: catalogue.KeyTimeLeft.Name() + " (s)", Stat: "Minimum"}))
}

func (d *deployment) posts() widget {
	return stacked(d.graph("Posts to connections, by outcome", "Sum",
		d.lines(catalogue.PostsDelivered, catalogue.PostsGone, catalogue.PostsFailed)))
}

func (d *deployment) messages() widget {
	return d.graph("Messages", "Sum", d.lines(catalogue.MessagesReceived, catalogue.MessagesOffline,
		catalogue.MessagesExpired, catalogue.MessagesRejected, catalogue.MessagesDeadLettered, catalogue.FollowUpsQueued))
}

// extras shows features that only some messages request.
func (d *deployment) extras() widget {
	return d.graph("Broadcasts, receipts, duplicates, throttling", "Sum",
		d.lines(catalogue.BroadcastUsers, catalogue.ReceiptsPublished, catalogue.DuplicatesDropped, catalogue.PostsThrottled))
}

// devices shows what clients of heliograph.v1 ask for.
func (d *deployment) devices() widget {
	return d.graph("Clients of heliograph.v1", "Sum", d.lines(
		catalogue.Hellos, catalogue.MessagesKept, catalogue.MessagesReplayed, catalogue.Resets, catalogue.PositionsFilled, catalogue.FramesIgnored))
}

func (d *deployment) latency() widget {
	latency := d.own(catalogue.DeliveryLatency)[0]
	return d.graph("Delivery latency, from queue to device", "p50",
		[]line{{series: latency, Label: "p50", Stat: "p50"}, {series: latency, Label: "p90", Stat: "p90"}, {series: latency, Label: "p99", Stat: "p99"}})
}

// deliveries shows what the promise of delivery counts: the gap between the lines is what came late or not at all.
func (d *deployment) deliveries() widget {
	return d.graph("Deliveries due, and on time", "Sum", d.lines(catalogue.DeliveriesDue, catalogue.DeliveriesOnTime))
}

func (d *deployment) presenceEvents() widget {
	return d.graph("Presence events and queries", "Sum",
		d.lines(catalogue.UsersCameOnline, catalogue.UsersWentOffline, catalogue.EventsHeldBack, catalogue.OnlineQueries, catalogue.OnlineQueriesForbidden))
}

func (d *deployment) verification() widget {
	return d.graph("Leases renewed, and left over by sweep", "Sum", append(
		d.lines(catalogue.LeasesRenewed),
		line{series: d.own(catalogue.SweepBacklog)[0], Label: catalogue.SweepBacklog.Name(), Stat: "Maximum"}))
}

func (d *deployment) stream() widget {
	return d.graph("Age of the stream's oldest record", "Maximum", []line{{series: d.ofFunction("IteratorAge", heliograph.Announce), Label: heliograph.Announce}})
}

func (d *deployment) waiting(q queues) widget {
	const visible = "ApproximateNumberOfMessagesVisible"
	return d.graph("Messages waiting", "Maximum", []line{
		{series: ofQueue(visible, q.send), Label: "send"},
		{series: ofQueue(visible, q.sendDeadLetters), Label: "send, dead letters"},
		{series: ofQueue(visible, q.grace), Label: "grace"},
		{series: ofQueue(visible, q.graceDeadLetters), Label: "grace, dead letters"},
		{series: ofQueue(visible, q.streamFailures), Label: "stream failures"},
	})
}

func (d *deployment) ages(q queues) widget {
	const age = "ApproximateAgeOfOldestMessage"
	return d.graph("Age of the oldest message", "Maximum", []line{{series: ofQueue(age, q.send), Label: "send"}, {series: ofQueue(age, q.grace), Label: "grace"}})
}

func (d *deployment) webSocketGateway() widget {
	return d.graph("WebSocket API", "Sum", named(d.ofSockets, "ConnectCount", "MessageCount", "ClientError", "IntegrationError", "ExecutionError"))
}

func (d *deployment) httpGateway() widget {
	return d.graph("HTTP API", "Sum", named(d.ofRequests, "Count", "4xx", "5xx"))
}

// named draws AWS's own metrics under their own names.
func named(of func(metric string) series, metrics ...string) []line {
	var all []line
	for _, metric := range metrics {
		all = append(all, line{series: of(metric), Label: metric})
	}
	return all
}

// errors shows our own count beside Lambda's: an error only in Lambda's was a timeout or a crash.
func (d *deployment) errors() widget {
	all := append(d.perFunction("Errors", ""), d.lines(catalogue.HandlerErrors, catalogue.RecordsFailed, catalogue.DeadlinesMissed)...)
	return d.graph("Failed invocations", "Sum", append(all, d.perFunction("Throttles", "throttled")...))
}

func (d *deployment) durations() widget {
	return d.graph("Durations, p99", "p99", d.perFunction("Duration", ""))
}

func (d *deployment) starts() widget {
	return d.graph("Cold starts, and spans left out of traces", "Sum", d.lines(catalogue.ColdStarts, catalogue.SpansDropped))
}

func (d *deployment) tableThrottles() widget {
	return d.graph("Table: throttled", "Sum", append(
		named(d.ofTable, "ReadThrottleEvents", "WriteThrottleEvents"),
		line{series: d.ofIndex("ReadThrottleEvents"), Label: "index: ReadThrottleEvents"},
		line{series: d.ofIndex("WriteThrottleEvents"), Label: "index: WriteThrottleEvents"}))
}

func (d *deployment) tableLatency() widget {
	var all []line
	for _, operation := range tableOperations {
		all = append(all, line{series: d.ofOperation("SuccessfulRequestLatency", operation), Label: operation})
	}
	return d.graph("Table: latency, p99", "p99", all)
}

func (d *deployment) tableUnits() widget {
	return d.graph("Table: units", "Sum", append(
		named(d.ofTable, "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"),
		line{series: d.ofIndex("ConsumedReadCapacityUnits"), Label: "index: ConsumedReadCapacityUnits"},
		line{series: d.ofIndex("ConsumedWriteCapacityUnits"), Label: "index: ConsumedWriteCapacityUnits"}))
}

// billed shows the quantities that the bill consists of, by the hour.
func (d *deployment) billed() []widget {
	var logs []line
	for _, name := range heliograph.Functions() {
		logs = append(logs, line{series: series{"AWS/Logs", "IncomingBytes", map[string]string{"LogGroupName": d.logGroup(name)}}, Label: name})
	}
	all := []widget{
		d.graph("Gateway messages", "Sum", append(named(d.ofSockets, "MessageCount", "ConnectCount"), line{series: d.ofRequests("Count"), Label: "HTTP requests"})),
		stacked(d.graph("Function time (ms)", "Sum", d.perFunction("Duration", ""))),
		stacked(d.graph("Invocations", "Sum", d.perFunction("Invocations", ""))),
		stacked(d.graph("Log bytes", "Sum", logs)),
	}
	for i := range all {
		p := all[i].Properties.(metricProperties)
		p.Period = 3600
		all[i].Properties = p
	}
	return all
}

// lines draws metrics of our own, each under its name; a metric emitted by each function has a line per function.
func (d *deployment) lines(metrics ...catalogue.Metric) []line {
	var all []line
	for _, m := range metrics {
		for _, s := range d.own(m) {
			label := m.Name()
			if m.PerFunction() {
				label = s.dimensions[catalogue.DimensionFunction] + " " + m.Name()
			}
			all = append(all, line{series: s, Label: label})
		}
	}
	return all
}

// perFunction draws one of Lambda's metrics for every function.
func (d *deployment) perFunction(metric, suffix string) []line {
	var all []line
	for i, s := range d.ofFunctions(metric) {
		label := heliograph.Functions()[i]
		if suffix != "" {
			label = fmt.Sprintf("%s %s", label, suffix)
		}
		all = append(all, line{series: s, Label: label})
	}
	return all
}

// graph is a widget of lines over time, with one point a minute.
func (d *deployment) graph(title, stat string, lines []line) widget {
	return widget{Type: "metric", Properties: metricProperties{
		Title: title, Region: d.home.region, View: "timeSeries", Stat: stat, Period: 60, Metrics: lines,
		YAxis: yAxis{axis{Min: new(int)}},
	}}
}

func stacked(w widget) widget {
	properties := w.Properties.(metricProperties)
	properties.Stacked = true
	w.Properties = properties
	return w
}

// board lays widgets out from top to bottom.
type board struct {
	annotations annotations // shown on every graph
	widgets     []widget
	y           int
}

// row puts widgets of equal width side by side.
func (b *board) row(height int, widgets ...widget) {
	width := columns / len(widgets)
	for i, w := range widgets {
		w.X, w.Y, w.Width, w.Height = i*width, b.y, width, height
		if p, ok := w.Properties.(metricProperties); ok && len(b.annotations.Vertical) > 0 {
			p.Annotations.Vertical = b.annotations.Vertical
			w.Properties = p
		}
		b.widgets = append(b.widgets, w)
	}
	b.y += height
}

// grid arranges widgets in rows with a given number of columns.
func (b *board) grid(height, across int, widgets []widget) {
	for row := range slices.Chunk(widgets, across) {
		b.row(height, row...)
	}
}

func (b *board) heading(text string) {
	b.row(1, widget{Type: "text", Properties: textProperties{"## " + text}})
}
