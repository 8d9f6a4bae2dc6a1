package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"

	"heliograph"
	"heliograph/cost"
	"heliograph/loadtest"
)

// loadCommand puts a load on a stack and measures what becomes of it.
type loadCommand struct {
	Connections int           `default:"100" help:"Connections to keep open."`
	Devices     int           `default:"1" help:"Connections of each user."`
	Rate        float64       `default:"50" help:"Messages a second, each to one user."`
	For         time.Duration `default:"30s" help:"How long to send."`
	Size        int           `default:"200" help:"Bytes of each message."`
	Opening     int           `default:"20" help:"Handshakes at once."`
	Yes         bool          `help:"Do not ask before a deployed stack is put under load."`
	JSON        bool          `name:"json" help:"Print the result as JSON."`
	credential
}

func (loadCommand) Help() string {
	return `Opens connections of users named heliograph-load-0 and so on, queues messages to them at an even rate, and accounts for each
message on each connection: lost, twice, out of order, and how late. A message's latency counts from when it was due, so
that a stall shows in all messages that it holds up. Ends with 1 if one was lost.

A deployed stack costs money and has real users: what the load amounts to is said first, and confirmed. With --token all
connections are those of the user whom the token names.

Examples:
  heliograph load
  heliograph load --connections 1000 --devices 2 --rate 200 --for 5m --json`
}

func (c *loadCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	plan, err := c.plan(ctx, w, t)
	if err != nil {
		return err
	}
	if err := plan.Check(); err != nil {
		return err
	}
	if t.AWSEndpointURL == "" && !c.Yes {
		if err := c.confirm(w, plan); err != nil {
			return err
		}
	}
	result, failed := loadtest.Run(ctx, plan)
	if err := c.print(w, result); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	if result.Lost > 0 || result.SendFailures > 0 {
		return exitCode(1)
	}
	return nil
}

// plan is the load that the flags describe.
func (c *loadCommand) plan(ctx context.Context, w world, t *target) (loadtest.Plan, error) {
	users := func(n int) heliograph.UserID { return heliograph.UserID(fmt.Sprintf("heliograph-load-%d", n)) }
	token := func(heliograph.UserID) (string, error) { return c.Token, nil }
	if c.Token != "" {
		user, err := t.userOf(c.Token)
		if err != nil {
			return loadtest.Plan{}, err
		}
		users, c.Devices = func(int) heliograph.UserID { return heliograph.UserID(user) }, max(1, c.Connections)
	} else {
		sign, err := t.signer(ctx) // once: each connection would read the secret otherwise, and SSM admits 40 calls a second
		if err != nil {
			return loadtest.Plan{}, err
		}
		token = func(user heliograph.UserID) (string, error) { return sign(w.now(), string(user), time.Hour) }
	}
	return loadtest.Plan{
		Connections: c.Connections, Devices: c.Devices, Rate: c.Rate, For: c.For, Size: c.Size, Opening: c.Opening, Settle: 20 * time.Second,
		Users: users, Send: loadtest.Queue(t.queue(), t.SendQueueURL),
		Dial: func(ctx context.Context, user heliograph.UserID) (*websocket.Conn, error) {
			signed, err := token(user)
			if err != nil {
				return nil, err
			}
			return dial(ctx, t.WebSocketURL, signed)
		},
		Progress: func(r loadtest.Report) {
			fmt.Fprintf(w.stderr, "%4.0fs  sent %d, arrived %d of %d; p50 %.0f ms, p99 %.0f ms; %d reconnects\n",
				r.Seconds, r.Sent, r.Arrived, r.Expected, r.Latency.P50, r.Latency.P99, r.Reconnects)
		},
	}, nil
}

// confirm says what a load amounts to, and asks whether to go on.
func (c *loadCommand) confirm(w world, plan loadtest.Plan) error {
	fmt.Fprintf(w.stderr, "%s\nThat costs about %.2f USD, by the prices of docs/cost.md, if nothing of it is free.\nGo on? [y/N] ", plan.Amount(), price(plan))
	answer, _ := bufio.NewReader(w.stdin).ReadString('\n')
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y") {
		return errors.New("not confirmed: nothing was sent; --yes does not ask")
	}
	return nil
}

// price is what a plan costs on AWS, in USD: API Gateway counts each begun minute of a connection.
func price(p loadtest.Plan) float64 {
	lasts := p.For.Truncate(time.Minute) + time.Minute
	return cost.Passing(cost.Load{
		Connections: float64(p.Connections), Sessions: float64(p.Connections) / lasts.Seconds(),
		Messages: float64(p.Messages()) / lasts.Seconds(), Devices: float64(p.Devices), Sent: 1, Batch: 1,
	}, cost.Defaults, lasts)
}

func (c *loadCommand) print(w world, r loadtest.Report) error {
	if c.JSON {
		out := json.NewEncoder(w.stdout)
		out.SetIndent("", "  ")
		return out.Encode(r)
	}
	_, err := fmt.Fprintf(w.stdout, `connections  %d, opened in %s; %d reconnects
sent         %d messages in %.1f s; %d failed
arrived      %d of %d: %d lost, %d twice, %d out of order
latency      %s, from when a message was due
`,
		r.Connections, percentiles(r.Connect), r.Reconnects, r.Sent, r.Seconds, r.SendFailures,
		r.Arrived, r.Expected, r.Lost, r.Duplicates, r.OutOfOrder, percentiles(r.Latency))
	return err
}

func percentiles(l loadtest.Latency) string {
	return fmt.Sprintf("p50 %.0f ms, p90 %.0f ms, p99 %.0f ms, p99.9 %.0f ms, max %.0f ms", l.P50, l.P90, l.P99, l.P999, l.Max)
}
