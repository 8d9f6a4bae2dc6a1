package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"

	"heliograph/simulator/cloud"
	"heliograph/simulator/fault"
)

// faultCommand groups the commands that inject faults into the local stack.
type faultCommand struct {
	Add   faultAddCommand   `cmd:"" help:"Inject a fault."`
	List  faultListCommand  `cmd:"" help:"List the injected faults, and how often each has struck."`
	Clear faultClearCommand `cmd:"" help:"Remove all faults, or the named ones."`
}

type faultAddCommand struct {
	Service   string         `arg:"" help:"What goes wrong: calls of dynamodb, sqs, sns, ssm or execute-api (@connections), invocations (lambda), $$disconnect events (disconnect), deliveries of queues and streams (delivery)."`
	Action    string         `short:"a" help:"Only this API action, such as PutItem."`
	Resource  string         `short:"r" placeholder:"PATTERN" help:"Only resources whose ARN matches; * stands for any text, ? for any character."`
	Caller    string         `placeholder:"PATTERN" help:"Only calls of functions whose role name matches, such as *-send."`
	Error     string         `short:"e" xor:"effect" placeholder:"CODE" help:"Answer with this error, such as ThrottlingException, or NoAnswer, or LostAnswer."`
	Down      bool           `xor:"effect" help:"Answer as an unavailable service does."`
	Lost      bool           `xor:"effect" help:"Never report the end of a connection (disconnect)."`
	Duplicate bool           `xor:"effect" help:"Deliver a second time (delivery)."`
	Kill      bool           `xor:"effect" help:"Kill the function at a random moment (lambda), or after --latency."`
	Latency   *fault.Latency `short:"l" placeholder:"TIME" help:"Delay by a fixed time (200ms) or by a distribution (p50=4ms,p99=20ms)."`
	Rate      float64        `default:"1" help:"The share of calls affected, above 0 and up to 1."`
	Count     int            `help:"Stop after this many times; 0 means never."`
	Seed      uint64         `help:"Seed of the random choices, to repeat a run."`
}

func (faultAddCommand) Help() string {
	return `Works on the local stack only. The error of an impossible combination lists the possible ones.

Examples:
  heliograph fault add dynamodb --action PutItem --error ProvisionedThroughputExceededException --rate 0.3
  heliograph fault add execute-api --action PostToConnection --error LimitExceededException --count 3
  heliograph fault add sns --down
  heliograph fault add sqs --latency p50=20ms,p99=300ms
  heliograph fault add lambda --resource '*-send' --kill --count 1
  heliograph fault add disconnect --lost --rate 0.5
  heliograph fault add delivery --resource '*:heliograph-local-send' --duplicate --latency 1s`
}

func (c *faultAddCommand) rule() fault.Rule {
	return fault.Rule{
		Service: fault.Service(c.Service), Action: c.Action, Resource: c.Resource, Caller: c.Caller,
		Error: c.Error, Down: c.Down, Lost: c.Lost, Duplicate: c.Duplicate, Kill: c.Kill, Latency: c.Latency,
		Rate: c.Rate, Count: c.Count, Seed: c.Seed,
	}
}

func (c *faultAddCommand) Run(ctx context.Context, w world, line *commands) error {
	if c.Rate <= 0 { // a rule without a rate would always strike, the opposite of 0
		return fmt.Errorf("--rate is %v; it must be above 0 and at most 1", c.Rate)
	}
	var added fault.Status
	if err := line.faults(ctx, http.MethodPost, "", c.rule(), &added); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w.stdout, "%s: %s\n", added.ID, quoted(fmt.Sprint(added.Rule)))
	return err
}

type faultListCommand struct {
	JSON bool `name:"json" help:"Print the rules as JSON."`
}

func (faultListCommand) Help() string { return "Example:\n  heliograph fault list" }

func (c *faultListCommand) Run(ctx context.Context, w world, line *commands) error {
	var list []fault.Status
	if err := line.faults(ctx, http.MethodGet, "", nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(w.stdout).Encode(list)
	}
	table := tabwriter.NewWriter(w.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "FAULT\tHITS\tWHAT GOES WRONG")
	for _, f := range list {
		spent := ""
		if f.Spent {
			spent = " (spent)"
		}
		fmt.Fprintf(table, "%s\t%d\t%s%s\n", f.ID, f.Hits, quoted(fmt.Sprint(f.Rule)), spent)
	}
	return table.Flush()
}

type faultClearCommand struct {
	IDs []string `arg:"" name:"fault" optional:"" help:"Ids of the faults to remove; all faults if none is given."`
}

func (faultClearCommand) Help() string {
	return "Examples:\n  heliograph fault clear\n  heliograph fault clear fault-2"
}

func (c *faultClearCommand) Run(ctx context.Context, _ world, line *commands) error {
	if len(c.IDs) == 0 {
		return line.faults(ctx, http.MethodDelete, "", nil, nil)
	}
	var errs []error
	for _, id := range c.IDs {
		errs = append(errs, line.faults(ctx, http.MethodDelete, "/"+url.PathEscape(id), nil, nil))
	}
	return errors.Join(errs...)
}

// faults calls the local stack's list of faults. in and out are JSON; nil means no body.
func (c *commands) faults(ctx context.Context, method, path string, in, out any) error {
	t, err := c.target(ctx)
	if err != nil {
		return err
	}
	return t.tell(ctx, method, cloud.FaultsPath+path, in, out)
}
