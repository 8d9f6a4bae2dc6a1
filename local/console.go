package local

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"heliograph"
	"heliograph/local/journey"
	"heliograph/message"
	"heliograph/simulator/cloud"
	"heliograph/simulator/console"
	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/sqs"
	"heliograph/simulator/xray"
)

// app gives the console Heliograph's own view of the cloud: the console itself knows only AWS.
type app struct {
	*cloud.Cloud
	root string // the module's folder
}

// consoleOf returns the constructor of the app, for the simulator to call with its cloud.
func consoleOf(root string) func(*cloud.Cloud) console.App {
	return func(c *cloud.Cloud) console.App {
		a := app{c, root}
		return console.App{
			Name:       "Heliograph, local",
			Background: func(trace string) bool { return trace == physical(heliograph.Sweep) },
			Details:    a.details, Send: a.send, Journey: a.journey, Reason: reason, Revive: revive,
			Presets: presets, Runbook: a.runbook,
		}
	}
}

// physical is the physical name of a resource of the local stack.
func physical(short string) string { return project + "-" + name + "-" + short }

// presets are the faults that the runbooks deal with.
var presets = []console.Preset{
	{
		Name: "429 storm", Meaning: "API Gateway throttles every post: messages are tried again, then dead-lettered.", Proves: []string{"send-failures"},
		Rules: []fault.Rule{{Service: fault.Connections, Action: "PostToConnection", Error: "LimitExceededException"}},
	},
	{
		Name: "table slow", Meaning: "Each call of the table takes a second and more: connects and deliveries are late.",
		Rules: []fault.Rule{{Service: fault.DynamoDB, Latency: &fault.Latency{P50: time.Second, P99: 3 * time.Second}}},
	},
	{
		Name: "send dies", Meaning: "The function send is killed amid its work: messages come again.", Proves: []string{"function-errors-send"},
		Rules: []fault.Rule{{Service: fault.Lambda, Resource: "*-" + heliograph.Send, Kill: true}},
	},
}

// details reads the table's entries for connections, bypassing the meter that counts reads.
func (a app) details(open []gateway.Connection) map[gateway.ConnectionID][]console.Detail {
	all := map[gateway.ConnectionID][]console.Detail{}
	table := a.Tables.Table(project + "-" + name)
	if table == nil {
		return all
	}
	for _, c := range open {
		item, found := table.Peek(attribute.Item{"pk": attribute.StringOf("user#" + c.Principal), "sk": attribute.StringOf("conn#" + string(c.ID))})
		if !found {
			all[c.ID] = []console.Detail{{Label: "Lease", Value: "not in the table"}}
			continue
		}
		lease, _, _ := strings.Cut(item["gsk"].Text(), "#")
		all[c.ID] = []console.Detail{{Label: "Lease", Until: unix(lease)}}
		if expires := unix(item["tokenExpires"].Text()); !expires.IsZero() {
			all[c.ID] = append(all[c.ID], console.Detail{Label: "Token", Until: expires})
		}
	}
	return all
}

// unix parses Unix seconds; a text that is not a number gives the zero time.
func unix(text string) time.Time {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// send queues a message as a producer would, without an Id.
func (a app) send(_ context.Context, user, body string) (string, error) {
	queue, err := a.Queues.Queue(physical(heliograph.Send))
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]string{"UserId": user, "Body": body})
	if err != nil {
		return "", fmt.Errorf("write the message: %w", err)
	}
	sent, err := queue.Send(sqs.Outgoing{Body: string(text)})
	return string(sent.MessageID), err
}

// reason returns why a message ended in the dead-letter queue.
func reason(m sqs.Message) (string, string) {
	why, given := m.MessageAttributes[message.ReasonAttribute]
	if _, moved := m.Attributes["DeadLetterQueueSourceArn"]; moved || !given {
		return "crash", "moved here by the queue itself, since the function never came to an end with it"
	}
	short, detail, _ := strings.Cut(why.StringValue, ": ")
	return short, detail
}

// revive is a dead letter as it was before it died; it still lists the users that it did not reach.
func revive(m sqs.Message) sqs.Outgoing {
	out := m.Again()
	maps.DeleteFunc(out.Attributes, func(name string, _ sqs.MessageAttribute) bool { return message.DropOnRedrive(name) })
	return out
}

// runbook reads a runbook by its path below docs.
func (a app) runbook(path string) (string, bool) {
	const folder = "docs/runbooks/"
	i := strings.LastIndex(path, folder)
	if i < 0 {
		return "", false
	}
	text, err := os.ReadFile(filepath.Join(a.root, folder, filepath.Base(path)))
	return string(text), err == nil
}

// journey reconstructs a message's way from the log of send and from the traces that name the message.
func (a app) journey(_ context.Context, id string) (any, error) {
	var lines []journey.Line
	for _, e := range a.Metrics.Events("/aws/lambda/"+physical(heliograph.Send), 0, 0) {
		if strings.Contains(e.Text, `"messageId"`) {
			if l, err := journey.ReadLine(e.Text); err == nil {
				lines = append(lines, l)
			}
		}
	}
	var segments []journey.Segment
	for _, t := range a.Traces.Find(func(s *xray.Segment) bool { return s.Name == journey.SpanMessage }) {
		for _, d := range t.Document().Segments {
			segment, err := journey.ReadSegment(d.Document)
			if err != nil {
				return nil, err
			}
			segments = append(segments, segment)
		}
	}
	return journey.Tell(id, lines, segments, time.Now()), nil
}
