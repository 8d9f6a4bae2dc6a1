package stack

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"heliograph"
)

// Sizes of a dashboard.
const (
	fullSize      = "full"
	essentialSize = "essential" // without each alarm's graph and without log lines
)

// header names the stack and links to its documentation.
func (d *deployment) header() widget {
	text := fmt.Sprintf("# Heliograph, stage %s\n"+
		"Pages need attention now, tickets can wait until morning. The promises below come first: if none burns, users notice nothing.\n\n"+
		"Each alarm has a runbook: %s. On a terminal: `heliograph alarms --stack %s`. "+
		"To follow one message: `heliograph journey ID --stack %s`.",
		d.stage, d.runbookLink("README"), d.stage, d.stage)
	return widget{Type: "text", Properties: textProperties{text}}
}

// runbookLink is a link if an address of the runbooks is configured, and a file name otherwise.
func (d *deployment) runbookLink(name string) string {
	address := d.config.RunbookURL + name + ".md"
	if strings.HasPrefix(address, "http") {
		return fmt.Sprintf("[%s](%s)", name, address)
	}
	return address
}

// states shows which alarms of a severity are firing.
func (d *deployment) states(title string, s severity, alarms []alarm) widget {
	arns := []string{}
	for _, a := range alarms {
		if a.severity == s {
			arns = append(arns, d.home.arn("cloudwatch", "alarm:"+d.physical(a.name())))
		}
	}
	return widget{Type: "alarm", Properties: alarmProperties{Title: title, Alarms: arns}}
}

// hiddenLines adds an expression's inputs to a graph without drawing them.
func hiddenLines(inputs []input, stat string) []line {
	var all []line
	for _, in := range inputs {
		all = append(all, line{series: in.series, ID: in.id, Stat: cmp.Or(in.stat, stat), Hidden: true})
	}
	return all
}

// kept shows the share of each promise that was kept, hour by hour, and the objective.
func (d *deployment) kept() (widgets []widget) {
	for _, p := range d.promises() {
		good := line{Expression: fmt.Sprintf("IF(%s>0,100-100*%s/%s)", p.all, p.bad, p.all), Label: "kept, %", ID: "kept"}
		w := d.graph("Promise: "+p.name, "Sum", append(hiddenLines(p.inputs, "Sum"), good))
		properties := w.Properties.(metricProperties)
		properties.Period = int(time.Hour / time.Second)
		properties.Annotations.Horizontal = []annotation{{"objective", d.config.Objectives[p.name]}}
		properties.YAxis.Left = axis{Max: new(100)} // on a scale from 0, a broken promise looks like a kept one
		w.Properties = properties
		widgets = append(widgets, w)
	}
	return widgets
}

// burning shows how many times too fast each error budget is consumed, over the windows of the fastest alarm.
func (d *deployment) burning() (widgets []widget) {
	fast := burnWindows[0]
	for _, p := range d.promises() {
		rate := line{Expression: d.burnRate(p, shortFloor), Label: "burn rate, " + fast.short.String(), ID: "burn"}
		w := d.graph("Error budget: "+p.name, "Sum", append(hiddenLines(p.inputs, "Sum"), rate))
		properties := w.Properties.(metricProperties)
		properties.Period = int(fast.short / time.Second)
		for _, b := range burnWindows {
			properties.Annotations.Horizontal = append(properties.Annotations.Horizontal, annotation{b.of, b.rate})
		}
		w.Properties = properties
		widgets = append(widgets, w)
	}
	return widgets
}

// alarmGraphs draws the values that each metric alarm watches, with its threshold.
func (d *deployment) alarmGraphs(alarms []alarm) (widgets []widget) {
	for _, a := range alarms {
		if a.rule != "" {
			continue
		}
		lines := hiddenLines(a.inputs, a.stat)
		if a.expression == "" || a.band {
			lines[0].Hidden = false
		}
		if a.expression != "" {
			lines = append(lines, line{Expression: a.expression, Label: a.unit, ID: resultID})
		}
		w := d.graph(a.name(), a.stat, lines)
		properties := w.Properties.(metricProperties)
		properties.Period = int(a.period / time.Second)
		if !a.band {
			properties.Annotations.Horizontal = []annotation{{fmt.Sprintf("%s, %d of %d", a.severity, a.m, a.n), a.threshold}}
		}
		w.Properties = properties
		widgets = append(widgets, w)
	}
	return widgets
}

// logLines shows the log lines that an operator looks for first.
func (d *deployment) logLines() []widget {
	query := func(title, question string, functions ...string) widget {
		var sources []string
		for _, name := range functions {
			sources = append(sources, fmt.Sprintf("SOURCE '%s'", d.logGroup(name)))
		}
		return widget{Type: "log", Properties: logProperties{
			Title: title, Region: d.home.region, View: "table", Query: strings.Join(sources, " | ") + " | " + question,
		}}
	}
	return []widget{
		query("Latest errors", `fields @timestamp, @log, message, error.message | filter level = "ERROR" | sort @timestamp desc | limit 20`, heliograph.Functions()...),
		query("Rejected tokens by reason", `filter TokensRejected > 0 | stats count(*) by reason`, heliograph.Authorizer),
		query("Dead letters by reason", `filter message = "message dead-lettered" | stats count(*) by reason`, heliograph.Send),
	}
}

// deployed marks the last deployment if its time is configured: a time that the program took on its own would be a
// change in every preview.
func (d *deployment) deployed() annotations {
	if d.config.DeployedAt == "" {
		return annotations{}
	}
	return annotations{Vertical: []annotation{{"deployed", d.config.DeployedAt}}}
}
