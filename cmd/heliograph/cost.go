package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"heliograph/cost"
)

// costCommand works out what a stack would cost.
type costCommand struct {
	Users       float64       `default:"10000" help:"Users online, on average."`
	Devices     float64       `default:"1" help:"Connections of each user."`
	Session     time.Duration `default:"1000s" help:"How long a connection lasts, on average; API Gateway ends it after 2h."`
	Rate        float64       `default:"100" help:"Messages a second, each to one user."`
	Queries     float64       `default:"1" help:"Queries a second for who is online."`
	Sent        float64       `default:"1" help:"Messages that producers queue by one request, 1 to 10."`
	Batch       float64       `default:"1" help:"Messages that Lambda hands over at once, 1 to 10."`
	Essential   bool          `help:"With the configuration alarms: essential."`
	PassThrough bool          `help:"With the configuration tracing: passThrough."`

	Concurrency    float64 `default:"1000" help:"The account's concurrent executions of Lambda; a new one has 10."`
	MaxConcurrency float64 `default:"3" help:"The configuration's maxConcurrency."`
	JSON           bool    `name:"json" help:"Print it as JSON."`
}

func (costCommand) Help() string {
	return `Works out the bill of a month by line, what the load leaves of the account's limits, thresholds for the alarms that depend
on them, and what others would charge. It asks nobody: units are those that the tests hold, prices those of ` + cost.PricesOf + `,
and durations are assumed (docs/cost.md).

Examples:
  heliograph cost
  heliograph cost --users 50000 --rate 500 --session 1h --sent 10 --batch 10`
}

// Validate is called by kong.
func (c *costCommand) Validate() error {
	switch {
	case c.Users < 0 || c.Rate < 0 || c.Queries < 0:
		return errors.New("users, rate and queries can't be below 0")
	case c.Devices < 1 || c.Session <= 0 || c.Session > 2*time.Hour:
		return errors.New("a user has at least one device, and a session lasts up to 2h")
	case c.Sent < 1 || c.Sent > 10 || c.Batch < 1 || c.Batch > 10:
		return errors.New("--sent and --batch are 1 to 10")
	}
	return nil
}

// estimate is all that the command works out.
type estimate struct {
	Prices       string             `json:"prices"`
	USD          float64            `json:"usdAMonth"`
	Bill         []cost.Line        `json:"bill"`
	Quotas       []cost.Quota       `json:"quotas"`
	Thresholds   map[string]float64 `json:"thresholds"`
	Alternatives []cost.Alternative `json:"alternatives"`
}

func (c *costCommand) estimate() estimate {
	l := cost.Load{
		Connections: c.Users * c.Devices, Sessions: c.Users * c.Devices / c.Session.Seconds(), Messages: c.Rate, Devices: c.Devices,
		Queries: c.Queries, Sent: c.Sent, Batch: c.Batch,
	}
	choices, has := cost.Defaults, cost.Usual
	choices.Traced = !c.PassThrough
	if c.Essential {
		choices.Alarms = cost.EssentialAlarms
	}
	has.Concurrency, has.MaxConcurrency = c.Concurrency, c.MaxConcurrency
	bill := cost.Month(l, choices)
	return estimate{cost.PricesOf, cost.Together(bill), bill, cost.Quotas(l, choices, has), cost.Thresholds(l, has), cost.Alternatives(l)}
}

func (c *costCommand) Run(w world) error {
	e := c.estimate()
	if c.JSON {
		out := json.NewEncoder(w.stdout)
		out.SetIndent("", "  ")
		return out.Encode(e)
	}
	table := tabwriter.NewWriter(w.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "USD A MONTH\tFOR (prices of %s, US East)\n", e.Prices)
	for _, line := range e.Bill {
		fmt.Fprintf(table, "%.2f\t%s\n", line.USD, line.What)
	}
	fmt.Fprintf(table, "%.2f\ttogether\n\nUSED, ON AVERAGE\tOF\tLIMIT\n", e.USD)
	for _, q := range e.Quotas {
		fmt.Fprintf(table, "%.1f %%\t%.0f\t%s", 100*q.Uses/q.Has, q.Has, q.Name)
		if q.Uses > q.Has/2 {
			fmt.Fprintf(table, ": too little for peaks, raise the %s", q.Mend)
		}
		fmt.Fprintln(table)
	}
	fmt.Fprint(table, "\nTHRESHOLDS THAT FIT\n")
	for _, alarm := range slices.Sorted(maps.Keys(e.Thresholds)) {
		fmt.Fprintf(table, "pulumi config set --path 'thresholds.%s' %.0f\n", alarm, e.Thresholds[alarm])
	}
	fmt.Fprint(table, "\nUSD A MONTH\tELSEWHERE\tWITHOUT\n")
	for _, a := range e.Alternatives {
		fmt.Fprintf(table, "%.2f\t%s\t%s\n", a.USD, a.Name, a.Lacks)
	}
	return table.Flush()
}
