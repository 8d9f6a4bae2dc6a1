package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"heliograph/local/journey"
)

// journeyCommand prints the journey of one message.
type journeyCommand struct {
	ID    string        `arg:"" help:"The message's SQS id, or the Id that its producer chose."`
	Since time.Duration `default:"6h" help:"How far back to look in a deployed stack's logs and traces, at most 24h."`
	JSON  bool          `name:"json" help:"Print the journey as JSON."`
}

func (journeyCommand) Help() string {
	return `Tells where a message went: queued, received, posted to each connection, tried again, and delivered, dead-lettered or
expired. What left no trace is named as a gap.

A local stack tells it from its traces and logs; of a deployed one they are read with Logs Insights and X-Ray, which charge
for what they scan.

Examples:
  heliograph journey 130d2763-abfe-4fad-ae30-5a06d3e8b63b
  heliograph --stack dev journey order-7 --since 1h --json`
}

// Validate is called by kong. An X-Ray search spans 24 hours at most.
func (c *journeyCommand) Validate() error {
	if c.Since <= 0 || c.Since > 24*time.Hour {
		return fmt.Errorf("--since is %v; it must be over 0 and at most 24h", c.Since)
	}
	return nil
}

func (c *journeyCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	j, err := c.read(ctx, t, w.now())
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(w.stdout)
		out.SetIndent("", "  ")
		return out.Encode(j)
	}
	_, err = fmt.Fprint(w.stdout, journeyText(j))
	return err
}

// read asks a local stack for the journey; for a deployed one it is put together from logs and traces.
func (c *journeyCommand) read(ctx context.Context, t *target, now time.Time) (j journey.Journey, err error) {
	if t.AWSEndpointURL != "" {
		err = t.ask(ctx, "/_heliograph/journey/"+url.PathEscape(c.ID), &j)
		return j, err
	}
	return deployedJourney(ctx, t, c.ID, now.Add(-c.Since), now)
}

// marks maps a step's status to the mark printed before it.
var marks = map[string]string{"ok": "●", "warn": "◆", "bad": "▲", "gap": "┊", "info": "○"}

func journeyText(j journey.Journey) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s: %s\n%s\n\n", marks[j.Status], quoted(j.ID), quoted(j.Outcome), quoted(j.Summary))
	for _, s := range j.Steps {
		at := strings.Repeat(" ", 12)
		if !s.At.IsZero() {
			at = s.At.Local().Format("15:04:05.000")
		}
		title := quoted(s.Title)
		if s.Attempt > 0 {
			title += fmt.Sprintf(" (attempt %d)", s.Attempt)
		}
		fmt.Fprintf(&text, "%s  %s %s\n", at, marks[s.Status], title)
		for _, more := range []string{s.Detail, prefixed("message ", s.MessageID), prefixed("trace ", s.TraceID)} {
			if more != "" {
				fmt.Fprintf(&text, "%14s%s\n", "", quoted(more))
			}
		}
	}
	return text.String()
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
