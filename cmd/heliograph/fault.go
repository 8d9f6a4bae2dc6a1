package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"

	"heliograph/simulator/cloud"
	"heliograph/simulator/fault"
)

type faultCommand struct {
	Add   faultAddCommand   `cmd:"" help:"Let something go wrong from now on."`
	List  faultListCommand  `cmd:"" help:"List what goes wrong on purpose, and how often it has."`
	Clear faultClearCommand `cmd:"" help:"Let everything, or the named faults, go right again."`
}

type faultAddCommand struct {
	Service   string         `arg:"" help:"What goes wrong: calls of dynamodb, sqs, sns, ssm or execute-api (@connections), invocations (lambda), $$disconnect events (disconnect), deliveries of queues and streams (delivery)."`
	Action    string         `short:"a" help:"Only this API action, such as PutItem."`
	Resource  string         `short:"r" placeholder:"PATTERN" help:"Only resources whose ARN fits; * stands for any text, ? for any character."`
	Caller    string         `placeholder:"PATTERN" help:"Only calls of functions whose role's name fits, such as *-send."`
	Error     string         `short:"e" xor:"effect" placeholder:"CODE" help:"Answer with this error, such as ThrottlingException, or NoAnswer, or LostAnswer."`
	Down      bool           `xor:"effect" help:"Answer as a service does that is not there."`
	Lost      bool           `xor:"effect" help:"Never tell of the end of a connection (disconnect)."`
	Duplicate bool           `xor:"effect" help:"Deliver once more (delivery)."`
	Kill      bool           `xor:"effect" help:"Kill the function at a random moment (lambda), or after --latency."`
	Latency   *fault.Latency `short:"l" placeholder:"TIME" help:"Hold it up, by 200ms or by a distribution: p50=4ms,p99=20ms."`
	Rate      float64        `default:"1" help:"The share that it happens to, over 0 to 1."`
	Count     int            `help:"After how many times it stops; 0 means never."`
	Seed      uint64         `help:"Make what is random the same each time."`
}

func (faultAddCommand) Help() string {
	return `Works on the local stack only. What is possible where is told by the error of a wrong try.

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
	if c.Rate <= 0 { // a rule without a rate always strikes, so 0 would do the opposite
		return fmt.Errorf("--rate is %v; it must be over 0 and at most 1", c.Rate)
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
	IDs []string `arg:"" name:"fault" optional:"" help:"Faults by their ids; none: all."`
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

// faults asks the local stack's list of faults. in and out are JSON, nil for none.
func (c *commands) faults(ctx context.Context, method, path string, in, out any) error {
	t, err := c.target(ctx)
	if err != nil {
		return err
	}
	if t.AWSEndpointURL == "" {
		return errors.New("faults are for a local stack only")
	}
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write the fault: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, t.AWSEndpointURL+cloud.FaultsPath+path, body)
	if err != nil {
		return fmt.Errorf("ask about faults: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask about faults: is the local stack running? %w", err)
	}
	defer response.Body.Close()
	return readFaults(response, out)
}

func readFaults(response *http.Response, out any) error {
	if response.StatusCode >= http.StatusBadRequest {
		var refused cloud.FaultError
		if err := json.NewDecoder(response.Body).Decode(&refused); err != nil || refused.Error == "" {
			return fmt.Errorf("ask about faults: the stack answered %s", response.Status)
		}
		return errors.New(refused.Error)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("read the list of faults: %w", err)
	}
	return nil
}
