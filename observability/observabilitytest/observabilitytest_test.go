package observabilitytest_test

import (
	"context"
	"errors"
	"testing"

	"heliograph"
	"heliograph/observability"
	"heliograph/observability/catalogue"
	"heliograph/observability/observabilitytest"
)

// TestRun proves what a test sees of an invocation, by a handler that fails after it did some of its work.
func TestRun(t *testing.T) {
	t.Parallel()
	failure := errors.New("no such luck")
	out := observabilitytest.Run(t, heliograph.Send, func(ctx context.Context) error {
		observability.Log(ctx).Debug("posting", "attempt", 2)
		observability.Add(ctx, catalogue.PostsDelivered, 1)
		observability.Add(ctx, catalogue.PostsDelivered, 1)
		observability.Add(ctx, catalogue.DeliveryLatency, 12)
		observability.Add(ctx, catalogue.DeliveryLatency, 30)
		return failure
	})
	if !errors.Is(out.Err, failure) || out.Value(catalogue.PostsDelivered) != 2 || out.Value(catalogue.HandlerErrors) != 1 {
		t.Errorf("error %v, values %v", out.Err, out.Values)
	}
	if latencies := out.Values[catalogue.DeliveryLatency]; len(latencies) != 2 || latencies[0] != 12 || latencies[1] != 30 {
		t.Errorf("the latencies are %v", latencies)
	}
	if _, written := out.Values[catalogue.PostsGone]; written {
		t.Error("a metric that nothing was added to was written")
	}
	if len(out.Logs) != 2 || out.Logs[0]["message"] != "posting" || out.Logs[0]["attempt"] != 2.0 || out.Text == "" {
		t.Errorf("the lines are %v", out.Logs)
	}
}
