// Package cloud joins the simulated services into one AWS account: a call over HTTP reaches its service only if the
// caller's policies and the injected faults allow it; queues, streams and schedules bring events to functions; logs and
// metrics of functions and gateways go to CloudWatch; a console shows everything.
//
// A Cloud starts empty. Package provider fills it from a Pulumi program; then Start lets events flow. Each concern is a
// type in its own file, and knows only the services that it joins.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/cloudwatch/api"
	"heliograph/simulator/console"
	"heliograph/simulator/dynamodb"
	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
	"heliograph/simulator/loopback"
	"heliograph/simulator/sns"
	"heliograph/simulator/sqs"
	"heliograph/simulator/ssm"
	"heliograph/simulator/wire"
	"heliograph/simulator/xray"
)

// Options say where a cloud listens, and where it reports.
type Options struct {
	// Port is the first of three: the AWS APIs use it; the WebSocket API and the HTTP API use the next two. 0 picks
	// free ports.
	Port int
	// Hosts are lower-case names, besides those of loopback, by which the cloud may be called. See package loopback.
	Hosts []string
	// AccessKey is the access key id that calls must be signed with, besides those of roles, and that requests for the
	// simulator's own data must carry in loopback.WriteHeader or, where a browser can't send it, in the query parameter
	// key. It keeps out the other users of the machine. Empty means that any key will do.
	AccessKey string
	// FunctionsDir is the folder for unpacked functions. Required.
	FunctionsDir string
	// Keep is the file that keeps what the tables, queues and parameters hold, over restarts; see Restore. Its folder
	// exists and is private. Empty: all is gone when the cloud closes.
	Keep string
	// Faults are in effect from the start; see fault.Typical for AWS's latency.
	Faults []fault.Rule
	// LogRole is the ARN of the role with which API Gateway writes logs. Empty: the program has to set one, as on a new
	// account.
	LogRole string
	// Stress is the difficult but documented behaviour that the services show. The zero value shows none.
	Stress Stress
	// Minute is the real duration of a minute of metrics and alarms; see cloudwatch.Options. 0 means a minute.
	Minute time.Duration
	// Console gives the console what only the running program knows. Nil gives it nothing.
	Console func(*Cloud) console.App
	// Problem receives, one at a time, problems that no answer to a call reports: a denied call, or a function that
	// could not be invoked. Nil drops them.
	Problem func(text string)
	// Log receives each line that a function logs. Nil drops them.
	Log func(lambda.LogLine)
}

// Cloud is an AWS account with its services. Its fields are ready to use as long as the Cloud is open.
type Cloud struct {
	Place
	Roles      *iam.Roles
	Tables     *dynamodb.Database
	Queues     *sqs.Server
	Topics     *sns.Server
	Parameters *ssm.Server
	Functions  *lambda.Platform
	APIs       *gateway.Gateway
	Metrics    *cloudwatch.Store
	Alarms     *alarm.Engine
	Traces     *xray.Daemon
	Faults     *fault.Set
	Sources    *Sources
	Dashboards *Dashboards
	Journal    *Journal

	options Options
	started time.Time
	ports   *ports
	server  *http.Server
	effects *effects
	watch   *watch
	keeper  *keeper // nil until Restore, and without Options.Keep

	running sync.WaitGroup // the sources, the server and the tables' clock
	// ending is done when the cloud closes. It stops the sources and releases calls that a fault delays.
	ending context.Context
	stop   context.CancelFunc
}

// New creates empty services and listens for AWS calls. It fails if a port is in use or a fault is invalid.
func New(o Options) (*Cloud, error) {
	ports, err := openPorts(o.Port)
	if err != nil {
		return nil, err
	}
	c := &Cloud{
		Place: Place{Region: region, Account: account}, Journal: &Journal{tell: o.Problem}, Dashboards: new(Dashboards),
		options: o, started: time.Now(), ports: ports,
	}
	c.ending, c.stop = context.WithCancel(context.Background())
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// EndpointURL is the URL of the AWS APIs, without a trailing slash.
func (c *Cloud) EndpointURL() string { return c.ports.url() }

// AddressFor is the host and port on which an API of this protocol should listen.
func (c *Cloud) AddressFor(protocol gateway.Protocol) string { return c.ports.addressFor(protocol) }

// open creates the services in the order of their dependencies.
func (c *Cloud) open() (err error) {
	c.openData()
	if c.Traces, err = xray.Listen(xray.Options{}); err != nil {
		return err
	}
	if c.Functions, err = lambda.New(c.lambdaOptions()); err != nil {
		return err
	}
	c.watch.functions = c.Functions
	guard := guard{c.Roles, c.Journal, c.effects, c.options.AccessKey}
	c.openGateway(guard)
	c.Sources = &Sources{
		roles: c.Roles, functions: c.Functions, queues: c.Queues, tables: c.Tables, effects: c.effects, journal: c.Journal,
		watch: c.watch,
	}
	c.serve(guard)
	return c.addFaults()
}

// openData creates the services that hold data, and the faults that can affect them.
func (c *Cloud) openData() {
	c.Roles = iam.New(c.Account)
	c.Metrics = cloudwatch.New(cloudwatch.Options{Minute: c.options.Minute})
	c.watch = &watch{Place: c.Place, store: c.Metrics, roles: c.Roles, journal: c.Journal, log: c.options.Log}
	c.Tables = dynamodb.New(dynamodb.Options{Region: c.Region, Account: c.Account, Stress: c.options.Stress.Tables})
	c.Parameters = ssm.New(ssm.Options{Region: c.Region, Account: c.Account})
	c.effects = &effects{ending: c.ending, place: c.Place}
	c.Queues = sqs.New(sqs.Options{
		Region: c.Region, Account: c.Account, Endpoint: c.EndpointURL(), Redeliver: c.effects.redelivers,
		Pick: c.options.Stress.pick(),
	})
	c.Topics = sns.New(sns.Options{
		Region: c.Region, Account: c.Account, Queues: subscribedQueues{c.Queues},
		Undelivered: func(subscription sns.SubscriptionARN, _ sns.MessageID, err error) {
			c.Journal.Problem(fmt.Sprintf("an event did not reach the subscription %s: %v", subscription, err))
		},
		Metric: c.watch.topicMetric,
	})
	c.Alarms = alarm.New(c.Metrics, alarm.Options{Region: c.Region, Account: c.Account, Notify: notifier{c.Topics, c.watch}.notify})
	c.Faults = newFaults(c.services())
	c.effects.faults = c.Faults
}

func (c *Cloud) openGateway(guard guard) {
	c.APIs = gateway.New(gateway.Options{
		Region: c.Region, Account: c.Account, Hosts: c.options.Hosts, Invoke: c.Functions.Call,
		Before: guard.before, Disconnect: c.effects.beforeDisconnect,
		Permitted: func(source, function string) bool {
			return c.Functions.Permitted(function, "apigateway.amazonaws.com", source)
		},
		LogRole: c.options.LogRole, AccessLog: c.watch.accessLog, Problem: c.Journal.Problem, Metric: c.watch.gatewayMetric,
	})
}

// lambdaOptions connect the functions to their logs and metrics, and to the AWS APIs that they call.
func (c *Cloud) lambdaOptions() lambda.Options {
	return lambda.Options{
		Region: c.Region, Account: c.Account, WorkDir: c.options.FunctionsDir, Environ: c.functionEnviron,
		Log: c.watch.functionLog, Metric: c.watch.functionMetric, Before: c.effects.beforeInvocation,
		Segment: func(document []byte) {
			if err := c.Traces.Put(document); err != nil {
				c.Journal.Problem("a trace of Lambda was dropped: " + err.Error())
			}
		},
		XRayDaemon: c.Traces.Address(), Deliver: destinations{c.Queues}.deliver,
		Concurrency: c.options.Stress.Concurrency, Freeze: c.options.Stress.Freeze,
	}
}

// functionEnviron points a function's unmodified AWS SDK here. The access key identifies the function's role, and Roles
// needs nothing else to judge its calls; the other credentials are placeholders.
func (c *Cloud) functionEnviron(f lambda.Function) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + c.EndpointURL(),
		"AWS_ACCESS_KEY_ID=" + c.Roles.AccessKey(iam.NameOf(f.Role)),
		"AWS_SECRET_ACCESS_KEY=simulated",
		"AWS_SESSION_TOKEN=simulated",
	}
}

// services share the one AWS endpoint. @connections is not among them: its path identifies it, not a target header.
func (c *Cloud) services() []wire.Service {
	monitoring := api.Service(api.Options{Store: c.Metrics, Alarms: c.Alarms, Dashboard: c.Dashboards.body, Account: c.Account})
	return []wire.Service{c.Tables.Service(), c.Queues.Service(), c.Topics.Service(), c.Parameters.Service(), monitoring}
}

// serve answers AWS calls, and requests from the command line and from browsers.
func (c *Cloud) serve(guard guard) {
	endpoint := wire.NewEndpoint(wire.Options{Before: guard.before, After: c.watch.called, Elsewhere: c.elsewhere})
	for _, service := range c.services() {
		endpoint.Register(service)
	}
	own := http.NewServeMux()
	own.Handle("/", endpoint) // its error says what is missing
	c.handleConsole(own)
	faultsAPI{c.Faults, c.Journal}.handle(own)
	c.server = &http.Server{
		Handler:           loopback.BodyWithin(30*time.Second, loopback.Names(c.options.Hosts).Guard(signed(endpoint, c.APIs.ConnectionsHandler(), loopback.Keyed(c.options.AccessKey, console.Data+"/", loopback.Writes(own))))),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}
	c.running.Go(func() {
		if err := c.server.Serve(c.ports.listener); !errors.Is(err, http.ErrServerClosed) {
			c.Journal.Problem(fmt.Sprintf("the AWS endpoint stopped: %v", err))
		}
	})
}

// signed separates AWS calls, which are signed, from requests for the simulator's own pages: `aws s3 ls` requests /
// just as a browser does. The @connections handler itself refuses unsigned calls.
func signed(endpoint, connections, own http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/@connections/"):
			connections.ServeHTTP(w, r)
		case r.Header.Get("Authorization") != "", r.Method == http.MethodPost && !strings.HasPrefix(r.URL.Path, console.Data+"/"):
			endpoint.ServeHTTP(w, r)
		default:
			own.ServeHTTP(w, r)
		}
	})
}

func (c *Cloud) addFaults() error {
	for _, r := range c.options.Faults {
		if _, err := c.Faults.Add(r); err != nil {
			return fmt.Errorf("the fault %q: %w", r, err)
		}
	}
	return nil
}

// Start lets events flow. Call it once the whole stack is declared; otherwise an event could meet a function without
// its permissions, or a topic without its subscriptions.
func (c *Cloud) Start() {
	for _, s := range c.Sources.all() {
		c.running.Go(func() { s.Run(c.ending) })
	}
	c.running.Go(func() { c.Tables.Run(c.ending, time.Second) })
	c.running.Go(func() { c.watch.meter(c.ending, c.Tables.Tables(), c.Queues.Queues()) })
	c.running.Go(func() { c.Alarms.Run(c.ending) })
	if c.keeper != nil {
		c.APIs.Lost(c.keeper.lost)
		c.running.Go(func() { c.keeper.run(c.ending) })
	}
}

// Close stops everything in the order of an event's path, starting with the sources of new events, so that work still
// under way finds the services that it needs.
func (c *Cloud) Close() error {
	c.stop()
	var errs []error
	var open []gateway.KeptConnection
	if c.APIs != nil {
		open = c.APIs.Keep() // closing them forgets them
		errs = append(errs, c.APIs.Close())
	}
	if c.Functions != nil {
		errs = append(errs, c.Functions.Close())
	}
	if c.Traces != nil {
		errs = append(errs, c.Traces.Close())
	}
	if c.Queues != nil {
		c.Queues.Close()
	}
	if c.server != nil {
		errs = append(errs, c.server.Close())
	} else {
		errs = append(errs, c.ports.listener.Close())
	}
	c.running.Wait()
	if c.keeper != nil {
		errs = append(errs, c.keeper.save(open))
		c.keeper = nil // another Close must not save a state without connections
	}
	return errors.Join(errs...)
}
