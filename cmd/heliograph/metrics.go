package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"heliograph/simulator/cloud"
)

// metricsCommand lists the metrics of the local stack.
type metricsCommand struct {
	Namespace string `short:"n" help:"Only this namespace, such as Heliograph or AWS/Lambda."`
}

func (metricsCommand) Help() string {
	return `Lists the metrics of the local stack. Those of a deployed one are in CloudWatch: see the output dashboardUrl.

Example:
  heliograph metrics --namespace Heliograph`
}

func (c *metricsCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	var list []cloud.MetricSummary
	if err := t.ask(ctx, cloud.MetricsPath, &list); err != nil {
		return err
	}
	return printMetrics(w, c.Namespace, list)
}

func printMetrics(w world, namespace string, list []cloud.MetricSummary) error {
	table := tabwriter.NewWriter(w.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tMETRIC\tDIMENSIONS\tLAST\tSUM\tCOUNT\tUNIT")
	for _, m := range list {
		if namespace == "" || namespace == m.Namespace {
			fmt.Fprintf(table, "%s\t%s\t%s\t%.6g\t%.6g\t%g\t%s\n", quoted(m.Namespace), quoted(m.Name), quoted(m.Dimensions), m.Last, m.Sum, m.Count, quoted(m.Unit))
		}
	}
	return table.Flush()
}
