package stack

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/observability/catalogue"
)

// declareDashboard declares the stack's dashboard and gives its address in the console.
func declareDashboard(d *deployment, q queues, alarmARNs []string, sockets, requests *apigatewayv2.Api) pulumi.StringOutput {
	c := d.newComponent("Dashboard", "dashboard")
	defer c.complete()
	body := pulumi.All(sockets.ID(), requests.ID()).ApplyT(func(ids []any) (string, error) {
		text, err := json.Marshal(d.dashboard(q, alarmARNs, string(ids[0].(pulumi.ID)), string(ids[1].(pulumi.ID))))
		return string(text), err
	}).(pulumi.StringOutput)
	board := declare(c, "overview", cloudwatch.NewDashboard, &cloudwatch.DashboardArgs{
		DashboardName: pulumi.String(d.physical("")),
		DashboardBody: body,
	})
	return pulumi.Sprintf("https://%s.%s/cloudwatch/home?region=%s#dashboards/dashboard/%s",
		d.home.region, d.home.console(), d.home.region, board.DashboardName)
}

// console is the host of the AWS console of a partition.
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

// dashboard is what the stack's dashboard shows, from what users feel at the top to what it stands on at the bottom.
func (d *deployment) dashboard(q queues, alarmARNs []string, webSocketID, httpID string) dashboardBody {
	var b board
	b.row(3, widget{Type: "alarm", Properties: alarmProperties{Title: "Alarms", Alarms: alarmARNs}})
	b.heading("Connections")
	b.row(6, d.openConnections(), d.comingAndGoing(), d.tokens())
	b.heading("Delivery")
	b.row(6, d.posts(), d.messages(), d.latency(), d.extras())
	b.heading("Presence")
	b.row(6, d.presenceEvents(), d.verification(), d.stream())
	b.heading("Queues and gateways")
	b.row(6, d.waiting(q), d.ages(q), d.webSocketGateway(webSocketID), d.httpGateway(httpID))
	b.heading("Functions and table")
	b.row(6, d.errors(), d.durations(), d.starts(), d.tableThrottles())
	return dashboardBody{b.widgets}
}

func (d *deployment) openConnections() widget {
	return d.graph("Open connections and online users", "Maximum",
		d.lines(catalogue.ActiveConnections, catalogue.OnlineUsers))
}

func (d *deployment) comingAndGoing() widget {
	return d.graph("Connections opened and closed", "Sum",
		d.lines(catalogue.ConnectionsOpened, catalogue.ConnectionsClosed, catalogue.ConnectionsExpired))
}

func (d *deployment) tokens() widget {
	return d.graph("Tokens", "Sum",
		d.lines(catalogue.TokensAccepted, catalogue.TokensRejected, catalogue.KeyRefreshFailures))
}

func (d *deployment) posts() widget {
	return stacked(d.graph("Posts to connections, by outcome", "Sum",
		d.lines(catalogue.PostsDelivered, catalogue.PostsGone, catalogue.PostsFailed)))
}

func (d *deployment) messages() widget {
	return d.graph("Messages", "Sum", d.lines(catalogue.MessagesReceived, catalogue.MessagesOffline,
		catalogue.MessagesExpired, catalogue.MessagesRejected, catalogue.MessagesDeadLettered, catalogue.FollowUpsQueued))
}

// extras is what only some messages ask for.
func (d *deployment) extras() widget {
	return d.graph("Broadcasts, receipts, duplicates, throttling", "Sum",
		d.lines(catalogue.BroadcastUsers, catalogue.ReceiptsPublished, catalogue.DuplicatesDropped, catalogue.PostsThrottled))
}

func (d *deployment) latency() widget {
	latency := d.own(catalogue.DeliveryLatency)[0]
	return d.graph("Delivery latency, from queue to device", "p50",
		[]line{{latency, "p50", "p50"}, {latency, "p90", "p90"}, {latency, "p99", "p99"}})
}

func (d *deployment) presenceEvents() widget {
	return d.graph("Presence events and queries", "Sum",
		d.lines(catalogue.UsersCameOnline, catalogue.UsersWentOffline, catalogue.EventsHeldBack, catalogue.OnlineQueries))
}

func (d *deployment) verification() widget {
	return d.graph("Leases renewed, and left over by sweep", "Sum", append(
		d.lines(catalogue.LeasesRenewed),
		line{d.own(catalogue.SweepBacklog)[0], catalogue.SweepBacklog.Name(), "Maximum"}))
}

func (d *deployment) stream() widget {
	return d.graph("Age of the stream's oldest record", "Maximum", []line{{d.ofFunction("IteratorAge", heliograph.Announce), heliograph.Announce, ""}})
}

func (d *deployment) waiting(q queues) widget {
	const visible = "ApproximateNumberOfMessagesVisible"
	return d.graph("Messages waiting", "Maximum", []line{
		{ofQueue(visible, q.send), "send", ""},
		{ofQueue(visible, q.sendDeadLetters), "send, dead letters", ""},
		{ofQueue(visible, q.grace), "grace", ""},
		{ofQueue(visible, q.graceDeadLetters), "grace, dead letters", ""},
		{ofQueue(visible, q.streamFailures), "stream failures", ""},
	})
}

func (d *deployment) ages(q queues) widget {
	const age = "ApproximateAgeOfOldestMessage"
	return d.graph("Age of the oldest message", "Maximum", []line{{ofQueue(age, q.send), "send", ""}, {ofQueue(age, q.grace), "grace", ""}})
}

func (d *deployment) webSocketGateway(id string) widget {
	return d.graph("WebSocket API", "Sum", gatewayLines(id, d.stage, "ConnectCount", "MessageCount", "ClientError", "IntegrationError", "ExecutionError"))
}

func (d *deployment) httpGateway(id string) widget {
	return d.graph("HTTP API", "Sum", gatewayLines(id, defaultStage, "Count", "4xx", "5xx"))
}

func gatewayLines(id, stage string, metrics ...string) []line {
	var all []line
	for _, metric := range metrics {
		all = append(all, line{ofAPI(metric, id, stage), metric, ""})
	}
	return all
}

// errors shows our own count beside Lambda's: what is in the second alone was a time-out or a crash.
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
	return d.graph("Table", "Sum", []line{
		{d.ofTable("ReadThrottleEvents"), "reads throttled", ""},
		{d.ofTable("WriteThrottleEvents"), "writes throttled", ""},
		{d.ofTable("ConsumedReadCapacityUnits"), "read units", ""},
		{d.ofTable("ConsumedWriteCapacityUnits"), "write units", ""},
		{d.ofIndex("ConsumedReadCapacityUnits"), "read units, index", ""},
		{d.ofIndex("ConsumedWriteCapacityUnits"), "write units, index", ""},
	})
}

// lines draws metrics of our own, each under its name; those of one function each, under the function's name too.
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

// perFunction draws a metric of Lambda's for every function.
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

// graph is a widget of lines over time, a point a minute.
func (d *deployment) graph(title, stat string, lines []line) widget {
	return widget{Type: "metric", Properties: metricProperties{
		Title: title, Region: d.home.region, View: "timeSeries", Stat: stat, Period: 60, Metrics: lines,
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
	widgets []widget
	y       int
}

// row puts widgets of equal width side by side.
func (b *board) row(height int, widgets ...widget) {
	width := columns / len(widgets)
	for i, w := range widgets {
		w.X, w.Y, w.Width, w.Height = i*width, b.y, width, height
		b.widgets = append(b.widgets, w)
	}
	b.y += height
}

func (b *board) heading(text string) {
	b.row(1, widget{Type: "text", Properties: textProperties{"## " + text}})
}
