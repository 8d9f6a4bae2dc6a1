// Package local runs Heliograph's own Pulumi program on the simulator and records where the running stack is.
//
// It is the only link between the two: infra/stack does not know the simulator, and the simulator does not know
// Heliograph. The functions run as compiled programs, as they do on AWS.
package local

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/infra/build"
	"heliograph/infra/stack"
	"heliograph/simulator"
	"heliograph/simulator/cloud"
	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/fault"
	"heliograph/simulator/iam"
	"heliograph/simulator/private"
	"heliograph/simulator/provider"
	"heliograph/simulator/xray"
)

// Project and name of the local stack. They are part of the physical names of its resources.
const (
	project = "heliograph"
	name    = "local"
)

// Options select the program to run and its surroundings.
type Options struct {
	// Root is the module's folder, or one below it. Required.
	Root string
	// Port is the first of three: the AWS APIs; the WebSocket API and the HTTP API use the next two. 0 picks free ones.
	Port int
	// Config holds the stack's config keys, without their namespace, as in Pulumi.<stack>.yaml.
	Config map[string]string
	// EndpointsFile is written when the stack is ready and removed when it stops. Its folder also holds the stack's
	// other files. Required.
	EndpointsFile string
	// BuildDir is the folder to build the functions in; empty: one in the module's folder, shared by all its local
	// stacks.
	BuildDir string
	// Keep is a folder to keep the state of the stack in over restarts: it is loaded from there, and saved while the stack
	// runs and when it stops. Empty: each stack starts empty.
	Keep string
	// Functions are the functions to run, if they are built already. The zero value builds those of Root.
	Functions build.Functions
	// Hosts are names for the stack besides those of loopback. Pages served under these names are trusted.
	Hosts []string
	// Progress gets a line for each step that takes long, and for each problem while the stack runs. Nil discards them.
	Progress io.Writer
	// Faults apply from the start; see fault.Typical for AWS's latency.
	Faults []fault.Rule
	// LogRole is the ARN of the role with which API Gateway writes logs in this account and Region. Empty: it has none,
	// as a new account, and the program sets one.
	LogRole string
	// Stress makes the simulated services as difficult as AWS may be, and an account as small as new ones are; the zero
	// value leaves them at their most lenient.
	Stress cloud.Stress
	// MetricPeriod is the real duration of a minute of metrics and alarms: with a second, an alarm of 5 minutes takes 5
	// seconds. 0 means a minute.
	MetricPeriod time.Duration
	// Logs gets the functions' logs. Nil discards them.
	Logs io.Writer
}

// SecretKeys returns the config keys whose values are secrets.
func SecretKeys() []string { return []string{"jwtSecret", "jwtSecretPrevious"} }

// Stack is a running stack.
type Stack struct {
	cloud     *cloud.Cloud
	endpoints Endpoints
	file      string
	locks     []*flock.Flock
}

// Endpoints returns the addresses of the stack.
func (s *Stack) Endpoints() Endpoints { return s.endpoints }

// Faults returns the injected faults. Rules can be added and removed while the stack runs.
func (s *Stack) Faults() *fault.Set { return s.cloud.Faults }

// Alarms returns the stack's alarms, which are evaluated while it runs.
func (s *Stack) Alarms() *alarm.Engine { return s.cloud.Alarms }

// Metrics returns the stack's metrics and log groups.
func (s *Stack) Metrics() *cloudwatch.Store { return s.cloud.Metrics }

// Traces returns the stack's traces.
func (s *Stack) Traces() *xray.Daemon { return s.cloud.Traces }

// Replace deploys another build of the functions, one after the other, while the stack runs. Each keeps its environment
// and gets the variables in addition.
func (s *Stack) Replace(functions build.Functions, variables map[string]string) error {
	for _, f := range s.cloud.Functions.Functions() {
		short := string(f.Name[strings.LastIndex(string(f.Name), "-")+1:]) // heliograph-local-<Region>-<function>
		environment := maps.Clone(f.Environment)
		maps.Copy(environment, variables)
		if err := s.cloud.Functions.Update(f.Name, functions.Artifacts[short].Archive, environment); err != nil {
			return fmt.Errorf("replace the function %s: %w", f.Name, err)
		}
	}
	return nil
}

// UnusedPermissions lists permissions of the functions' roles that no call has needed so far.
func (s *Stack) UnusedPermissions() []iam.Permission { return s.cloud.Roles.Unused() }

// Denied lists the calls refused for lack of a permission, in the words of AWS's response.
func (s *Stack) Denied() []string { return s.cloud.Journal.Denied() }

// Start brings the whole stack up and returns when it is ready. The error names what is wrong with the configuration,
// the program, a function that does not compile, or a port; in that case nothing is left running.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	root, err := build.FindRoot(o.Root)
	if err != nil {
		return nil, err
	}
	o.Root = root
	s := &Stack{file: o.EndpointsFile}
	if err := s.acquire(o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start runs the program on the simulator. On failure, Start closes whatever is already running.
func (s *Stack) start(ctx context.Context, o Options) error {
	config, err := namespaced(o.Config)
	if err != nil {
		return err
	}
	s.endpoints.AccessKey = "LOCAL" + rand.Text()
	terminal := &terminal{progress: o.Progress, logs: o.Logs}
	options := cloud.Options{
		Port: o.Port, Hosts: lower(o.Hosts), AccessKey: s.endpoints.AccessKey, FunctionsDir: filepath.Join(filepath.Dir(o.EndpointsFile), "functions"), Faults: o.Faults,
		LogRole: o.LogRole, Stress: o.Stress, Minute: o.MetricPeriod, Problem: terminal.problem, Log: terminal.log,
		Console: consoleOf(o.Root),
	}
	if o.Keep != "" {
		options.Keep = filepath.Join(o.Keep, "state.json")
	}
	as := provider.Stack{Project: project, Name: name, Config: config}
	for _, key := range SecretKeys() {
		as.Secrets = append(as.Secrets, project+":"+key)
	}
	var outputs map[string]string
	if s.cloud, err = simulator.Start(options, as, program(ctx, o, &outputs)); errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w (the first port is set by --port)", err)
	} else if err != nil {
		return err
	}
	return s.publish(outputs)
}

// program is the local counterpart of stack.Program, which `pulumi up` runs: the same steps with the local defaults,
// for this machine. The configuration is read before the build, so that a typo does not cost a build.
func program(ctx context.Context, o Options, outputs *map[string]string) pulumi.RunFunc {
	return func(engine *pulumi.Context) error {
		config, err := stack.LoadLocalConfig(engine)
		if err != nil {
			return err
		}
		functions := o.Functions
		if functions.Artifacts == nil {
			if functions, err = build.Build(ctx, build.Target{Here: true, Root: o.Root, Out: o.BuildDir, Progress: o.Progress}); err != nil {
				return err
			}
		}
		declared, err := stack.Deploy(engine, config, functions)
		if err != nil {
			return err
		}
		declared.Await(func(values map[string]string) { *outputs = values })
		return nil
	}
}

// namespaced gives config keys their namespace. An unknown key is an error; Pulumi itself would not notice it.
func namespaced(values map[string]string) (map[string]string, error) {
	config := map[string]string{}
	for key, value := range values {
		if known := stack.ConfigKeys(); !slices.Contains(known, key) {
			return nil, fmt.Errorf("there is no config key %q; there are %s", key, strings.Join(known, ", "))
		}
		config[project+":"+key] = value
	}
	return config, nil
}

func lower(names []string) []string {
	lowered := make([]string, len(names))
	for i, name := range names {
		lowered[i] = strings.ToLower(name)
	}
	return lowered
}

// publish writes the endpoints file: the program's outputs, and the addresses that only a local stack has.
func (s *Stack) publish(outputs map[string]string) error {
	if outputs == nil {
		return errors.New("run the Pulumi program: an output never became known")
	}
	text, err := json.Marshal(outputs)
	if err != nil {
		return fmt.Errorf("read the program's outputs: %w", err)
	}
	url := s.cloud.EndpointURL()
	key := s.endpoints.AccessKey
	e := Endpoints{AWSEndpointURL: url, ConsoleURL: url + cloud.ConsolePath + "?key=" + key, AccessKey: key, PID: os.Getpid()}
	if err := json.Unmarshal(text, &e.Outputs); err != nil {
		return fmt.Errorf("read the program's outputs: %w", err)
	}
	e.DashboardURL = e.ConsoleURL // the program's own URL would lead to AWS
	s.endpoints = e
	return e.write(s.file)
}

// Close stops everything: no process, port or file is left behind.
func (s *Stack) Close() error {
	var errs []error
	if s.endpoints.PID != 0 {
		errs = append(errs, removeFile(s.file))
	}
	if s.cloud != nil {
		errs = append(errs, s.cloud.Close())
	}
	for _, lock := range s.locks {
		errs = append(errs, lock.Close())
	}
	return errors.Join(errs...)
}

// acquire takes the locks beside the endpoints file and the kept state, which keep a second stack out of their folders.
func (s *Stack) acquire(o Options) error {
	if o.EndpointsFile == "" {
		return errors.New("a local stack needs the path of an endpoints file")
	}
	free, err := s.lock(o.EndpointsFile+".lock", o.Root)
	if err != nil {
		return fmt.Errorf("the local stack can't keep its files in %s; name an endpoints file elsewhere with --target: %w", filepath.Dir(o.EndpointsFile), err)
	}
	if !free {
		running, _ := ReadEndpoints(o.EndpointsFile)
		return alreadyRunning(o.EndpointsFile, running)
	}
	// The lock was free, so an existing file was left by a stack that was killed.
	if err := removeFile(o.EndpointsFile); err != nil {
		return fmt.Errorf("remove a killed stack's endpoints: %w", err)
	}
	if o.Keep == "" {
		return nil
	}
	free, err = s.lock(filepath.Join(o.Keep, "lock"), o.Root)
	if err != nil {
		return fmt.Errorf("the local stack can't keep its state in %s; name another folder with --keep: %w", o.Keep, err)
	}
	if !free {
		return fmt.Errorf("another local stack keeps its state in %s: stop it first, or name another folder with --keep", o.Keep)
	}
	return nil
}

// lock takes a lock, and reports whether it was free. The operating system frees it when its holder dies, so no lock is
// ever stale. The lock file is never removed: otherwise two other processes could each lock a different file.
//
// Its folder holds programs that will run, or secrets, so other users must not be able to write there. Those who can write
// to the module's folder could change the programs' source instead.
func (s *Stack) lock(file, module string) (free bool, err error) {
	if err := private.Folder(filepath.Dir(file), module); err != nil {
		return false, err
	}
	lock := flock.New(file)
	s.locks = append(s.locks, lock)
	return lock.TryLock()
}

func alreadyRunning(file string, running Endpoints) error {
	what := "a local stack is already running here"
	if running.PID != 0 {
		what += fmt.Sprintf(" (process %d, %s)", running.PID, running.AWSEndpointURL)
	}
	return fmt.Errorf("%s: stop it first, or name another endpoints file than %s with --target", what, file)
}

// ConfigOf returns the configuration that a stack with these values, by their keys, has: see stack.ConfigOf.
func ConfigOf(values map[string]string) (stack.Config, error) { return stack.ConfigOf(values) }
