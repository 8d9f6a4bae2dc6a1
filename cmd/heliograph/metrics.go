package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"

	"heliograph/simulator/cloud"
)

type metricsCommand struct {
	Namespace string `short:"n" help:"Only this namespace, such as Heliograph or AWS/Lambda."`
}

func (metricsCommand) Help() string {
	return `Lists what the local stack's functions have emitted. A deployed stack's metrics are in CloudWatch: see the output dashboardUrl.

Example:
  heliograph metrics --namespace Heliograph`
}

func (c *metricsCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	if t.AWSEndpointURL == "" {
		return errors.New("metrics are listed for a local stack only; a deployed one shows them at " + t.DashboardURL)
	}
	list, err := fetchMetrics(ctx, t.AWSEndpointURL+cloud.MetricsPath)
	if err != nil {
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

func fetchMetrics(ctx context.Context, address string) ([]cloud.MetricSummary, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("list metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("list metrics: is the local stack running? %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("list metrics: %s answered %s", address, response.Status)
	}
	var list []cloud.MetricSummary
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		return nil, fmt.Errorf("list metrics: %w", err)
	}
	return list, nil
}
