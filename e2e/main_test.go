package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"heliograph/infra/build"
	"heliograph/local"
	"heliograph/simulator/iam"
	"heliograph/simulator/published"
)

// target is the stack under test; awsConfig reaches its AWS APIs.
var (
	target    local.Endpoints
	awsConfig aws.Config
	// own is the stack that these tests started, nil if they were pointed at a running one.
	own *local.Stack
)

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	ctx := context.Background()
	logs := new(safeBuffer)
	if path := os.Getenv("HELIOGRAPH_TARGET"); path != "" {
		if target, err = local.ReadEndpoints(path); err != nil {
			return 1, err
		}
	} else {
		if own, err = startLocal(ctx, logs); err != nil {
			return 1, err
		}
		target = own.Endpoints()
	}
	if awsConfig, err = target.AWSConfig(ctx); err != nil {
		return 1, err
	}
	code = m.Run()
	if own != nil {
		err = errors.Join(checkPermissions(code), checkMetrics(ctx), own.Close(), closeBroken())
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the functions' logs of this run:\n%s", logs.tail(64<<10))
		fmt.Fprintf(os.Stderr, "those of the stack that was broken on purpose:\n%s", broken().logTail())
	}
	return code, err
}

// neededElsewhere lists permissions that these tests do not use, keyed by the reason for granting them.
var neededElsewhere = map[string][]string{
	"the sweep runs once a minute, and finds nothing to close": {
		"sweep dynamodb:BatchGetItem", "sweep dynamodb:DeleteItem", "sweep dynamodb:GetItem", "sweep dynamodb:Query",
		"sweep dynamodb:UpdateItem", "sweep execute-api:ManageConnections", "sweep logs:CreateLogStream", "sweep logs:PutLogEvents",
	},
}

func isNeededElsewhere(p iam.Permission) bool {
	role := string(p.Role) // heliograph-local-<Region>-<function>
	short := role[strings.LastIndex(role, "-")+1:] + " " + p.Action
	for _, permissions := range neededElsewhere {
		if slices.Contains(permissions, short) {
			return true
		}
	}
	return false
}

// checkPermissions compares the functions' permissions with the ones used: a missing permission fails the run, and so
// does an unused one, but only in a complete run.
func checkPermissions(code int) error {
	var errs []error
	for _, denied := range slices.Concat(own.Denied(), broken().denied()) {
		errs = append(errs, fmt.Errorf("a call was denied: %s", denied))
	}
	if partial() || code != 0 {
		return errors.Join(errs...)
	}
	for _, p := range own.UnusedPermissions() {
		if !isNeededElsewhere(p) && !broken().used(p) {
			errs = append(errs, fmt.Errorf("granted and never needed: %s may %s on %s", p.Role, p.Action, p.Resource))
		}
	}
	return errors.Join(errs...)
}

// partial reports whether only some of the tests run.
func partial() bool { return flag.Lookup("test.run").Value.String() != "" }

// checkMetrics proves that AWS has the metrics of its own that the simulator has written, with these dimensions.
func checkMetrics(ctx context.Context) error {
	known, err := published.Metrics()
	if published.Missing(err) && os.Getenv("CI") == "" {
		fmt.Fprintln(os.Stderr, "the simulator's metrics are not compared with AWS's:", err)
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	native, err := nativeMetrics(ctx)
	for _, key := range native {
		if !known[key] {
			errs = append(errs, fmt.Errorf("AWS has no metric %s", key))
		}
	}
	if err == nil && len(native) == 0 && !partial() {
		err = errors.New("the simulator has written no metric")
	}
	return errors.Join(append(errs, err)...)
}

// nativeMetrics lists AWS's own metrics that have been written.
func nativeMetrics(ctx context.Context) (keys []string, err error) {
	for pages := cloudwatch.NewListMetricsPaginator(cloudwatch.NewFromConfig(awsConfig), nil); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the simulator's metrics: %w", err)
		}
		for _, m := range page.Metrics {
			var names []string
			for _, d := range m.Dimensions {
				names = append(names, *d.Name)
			}
			if strings.HasPrefix(*m.Namespace, "AWS/") {
				keys = append(keys, published.MetricKey(*m.Namespace, names, *m.MetricName))
			}
		}
	}
	return keys, nil
}

// startLocal starts the simulator as `heliograph local` does, with a grace period short enough for tests, and a
// broadcast rate so low that a few users take several steps.
func startLocal(ctx context.Context, logs *safeBuffer) (*local.Stack, error) {
	root, err := build.FindRoot(".")
	if err != nil {
		return nil, err
	}
	directory, err := os.MkdirTemp("", "heliograph-e2e")
	if err != nil {
		return nil, err
	}
	return local.Start(ctx, local.Options{
		Root: root, Port: 0, Config: map[string]string{"presenceGrace": "1s", "broadcastRate": "10"},
		Progress: os.Stderr, Logs: logs, EndpointsFile: filepath.Join(directory, "local.json"),
	})
}

// safeBuffer is a buffer that several goroutines can write to.
type safeBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

func (b *safeBuffer) tail(n int) string {
	all := b.String()
	return all[max(0, len(all)-n):]
}
