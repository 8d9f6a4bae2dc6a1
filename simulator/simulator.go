// Package simulator is an AWS small enough to read, that runs Heliograph's Pulumi program in one process.
//
// Start carries out infra/stack by Pulumi's own mock engine and stands where the AWS provider stands: each
// resource that the program declares becomes a live one. Queues, table, topic and parameters are served to the
// unmodified AWS SDK and the AWS CLI on one loopback address; the WebSocket and the HTTP API have an
// address each; the functions are the real compiled programs, run as child processes over Lambda's
// Runtime API. What the simulator does not know is an error, never ignored, so that a wrong variable name
// or a missing route shows on a laptop and not on AWS.
//
// Read Start first. provider.go makes resources, the files named after services say how, cloud.go holds them
// while they live.
package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/infra/build"
	"heliograph/infra/stack"
	"heliograph/simulator/fault"
	"heliograph/simulator/iam"
)

// Project and stage of a stack that runs here.
const (
	project = "heliograph"
	stage   = "local"
)

// DefaultRegion is the Region that a stack here believes it is in.
const DefaultRegion = "us-east-1"

// Options say what to run, and where.
type Options struct {
	// Root is the module's folder. Required.
	Root string
	// Port is the first of three: the AWS APIs; the WebSocket API and the HTTP API are on the next two. 0
	// takes free ones.
	Port int
	// Config are config keys of the stack, without their namespace, as in Pulumi.<stack>.yaml.
	Config map[string]string
	// EndpointsFile is written when the stack is ready and removed when it stops. Its folder has the
	// simulator's own files, too. Required.
	EndpointsFile string
	// Progress takes a line for each step that takes long, and for what goes wrong while the stack runs. Nil
	// means nowhere.
	Progress io.Writer
	// Faults are what goes wrong from the start; see fault.Typical for AWS's latency.
	Faults []fault.Rule
	// Logs takes the functions' logs. Nil means nowhere.
	Logs io.Writer
}

// Simulator is a running stack.
type Simulator struct {
	cloud     *cloud
	endpoints Endpoints
	file      string
	lock      *flock.Flock
}

// Endpoints says where the stack is.
func (s *Simulator) Endpoints() Endpoints { return s.endpoints }

// UnusedPermissions lists what the functions' roles allow and nobody has needed so far.
func (s *Simulator) UnusedPermissions() []iam.Permission { return s.cloud.roles.Unused() }

// Denied lists the calls that were refused for want of a permission, in the words of AWS's answer.
func (s *Simulator) Denied() []string { return s.cloud.console.deniedCalls() }

// Start brings the whole stack up, and gives it when it is ready. An error says what is wrong with the
// configuration, the program, a function that does not compile, or a port; nothing is left running then.
func Start(ctx context.Context, o Options) (*Simulator, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	lock, err := acquire(o.EndpointsFile)
	if err != nil {
		return nil, err
	}
	s := &Simulator{file: o.EndpointsFile, lock: lock}
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Simulator) start(ctx context.Context, o Options) (err error) {
	// What can go wrong at once comes first: a typing error or a port in use should not cost the time of a build.
	config, err := loadConfig(o.Config)
	if err != nil {
		return err
	}
	s.cloud, err = newCloud(o)
	if err != nil {
		return err
	}
	functions, err := build.Build(ctx, build.Target{Here: true, Root: o.Root, Progress: o.Progress})
	if err != nil {
		return err
	}
	outputs, err := runProgram(s.cloud, deploy(config, functions))
	if err != nil {
		return err
	}
	if err := s.cloud.startSources(); err != nil {
		return err
	}
	s.endpoints = s.cloud.endpoints(outputs)
	return s.endpoints.write(s.file)
}

// Close stops everything: no process, port or file is left.
func (s *Simulator) Close() error {
	var errs []error
	if s.endpoints.PID != 0 {
		errs = append(errs, removeFile(s.file))
	}
	if s.cloud != nil {
		errs = append(errs, s.cloud.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// loadConfig reads the stack's configuration as the program on AWS does, from the same keys and texts.
func loadConfig(values map[string]string) (config stack.Config, err error) {
	namespaced := map[string]string{}
	for key, value := range values {
		if known := stack.ConfigKeys(); !slices.Contains(known, key) { // Pulumi itself would not notice
			return config, fmt.Errorf("there is no config key %q; there are %s", key, strings.Join(known, ", "))
		}
		namespaced[project+":"+key] = value
	}
	secrets := func(info *pulumi.RunInfo) {
		info.Config = namespaced
		info.ConfigSecretKeys = []string{project + ":jwtSecret", project + ":jwtSecretPrevious"}
	}
	var wrong error
	err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		config, wrong = stack.LoadLocalConfig(ctx)
		return wrong
	}, pulumi.WithMocks(project, stage, newProvider(nil)), secrets)
	return config, cmp.Or(wrong, err) // the engine's error repeats ours, and adds noise
}

// program is a Pulumi program that hands its outputs out, since exports do not reach the mock engine.
type program func(ctx *pulumi.Context, outputs func(map[string]string)) error

// deploy is the program that is deployed to AWS, too.
func deploy(config stack.Config, functions build.Functions) program {
	return func(ctx *pulumi.Context, done func(map[string]string)) error {
		outputs, err := stack.Deploy(ctx, config, functions)
		if err != nil {
			return err
		}
		outputs.Await(done)
		return nil
	}
}

// runProgram carries out a program with the cloud as its provider, and gives its outputs.
func runProgram(c *cloud, run program) (outputs map[string]string, err error) {
	provider := newProvider(c)
	var wrong error
	err = pulumi.RunErr(func(ctx *pulumi.Context) error {
		wrong = run(ctx, func(values map[string]string) { outputs = values })
		return wrong
	}, pulumi.WithMocks(project, stage, provider))
	// The engine's error repeats those of the resources, without their names.
	if err := cmp.Or(errors.Join(provider.failures()...), wrong, err); err != nil {
		return nil, fmt.Errorf("run the Pulumi program: %w", err)
	}
	if outputs == nil {
		return nil, errors.New("run the Pulumi program: an output never became known")
	}
	return outputs, nil
}

// acquire takes the lock beside the endpoints file, which keeps a second simulator out of its folder. The operating
// system frees it when its holder dies, so no lock is ever stale; the file stays, since removing it would let two
// others lock two different ones.
func acquire(endpointsFile string) (*flock.Flock, error) {
	if endpointsFile == "" {
		return nil, errors.New("the simulator needs the path of an endpoints file")
	}
	folder := filepath.Dir(endpointsFile)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("make the simulator's folder: %w", err)
	}
	lock := flock.New(endpointsFile + ".lock")
	free, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("take the simulator's lock: %w", err)
	}
	if !free {
		running, _ := ReadEndpoints(endpointsFile)
		return nil, alreadyRunning(endpointsFile, running)
	}
	return lock, nil
}

func alreadyRunning(file string, running Endpoints) error {
	what := "a local stack is already running here"
	if running.PID != 0 {
		what += fmt.Sprintf(" (process %d, %s)", running.PID, running.AWSEndpointURL)
	}
	return fmt.Errorf("%s: stop it first, or name another endpoints file than %s with --target",
		what, file)
}
