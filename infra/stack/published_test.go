package stack

import (
	"slices"
	"strings"
	"testing"

	"heliograph/simulator/published"
)

// TestNativeMetricsArePublished proves that AWS has the metrics of its own that dashboards and alarms name, with these
// dimensions.
func TestNativeMetricsArePublished(t *testing.T) {
	t.Parallel()
	known, err := published.Metrics()
	published.Need(t, err)
	for kind, names := range nativeMetrics {
		for _, name := range names {
			if !known[kind+" "+name] {
				t.Errorf("AWS has no metric %s %s", kind, name)
			}
		}
	}
}

// TestPoliciesAsPublished proves that all actions that roles may use exist, and that each is granted on a type of
// resource and under conditions that the action knows; others have no effect.
func TestPoliciesAsPublished(t *testing.T) {
	t.Parallel()
	actions := published.ReadActions(t)
	services := map[string]bool{}
	for _, res := range record(t, testConfig(everything)).ofKind("aws:iam/rolePolicy:RolePolicy") {
		var p policy
		res.document(t, "policy", &p)
		for _, s := range p.Statement {
			for _, name := range s.Action {
				action, known := actions.Find(name)
				if !known {
					t.Errorf("%s: AWS has no action %s", res.name, name)
				}
				for _, on := range s.Resource {
					if known && !action.Allows(on) {
						t.Errorf("%s: %s on %s has no effect; the action's resource types are %v", res.name, name, on, action.Types)
					}
				}
				for _, keys := range s.Condition {
					for key := range keys {
						if known && !slices.Contains(action.Keys, key) {
							t.Errorf("%s: a condition on %s has no effect on %s; its keys are %v", res.name, key, name, action.Keys)
						}
					}
				}
				service, _, _ := strings.Cut(name, ":")
				services[service] = true
			}
		}
	}
	if len(services) < 5 {
		t.Errorf("the policies name %d services, which proves little", len(services))
	}
}
