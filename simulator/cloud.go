package simulator

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/dynamodb"
	"heliograph/simulator/fault"
	"heliograph/simulator/gateway"
	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
	"heliograph/simulator/sns"
	"heliograph/simulator/sqs"
	"heliograph/simulator/ssm"
	"heliograph/simulator/wire"
	"heliograph/simulator/xray"
)

// account is the AWS account that a stack here believes it is in.
const account = "000000000000"

// host is where everything listens: other machines have no business here.
const host = "127.0.0.1"

// cloud is all simulated services and what lives in them.
type cloud struct {
	region, account string
	port            int // of the AWS APIs; the gateways' come after it; 0 means any
	console         *console
	started         time.Time

	roles      *iam.Roles
	tables     *dynamodb.Database
	queues     *sqs.Server
	topics     *sns.Server
	parameters *ssm.Server
	functions  *lambda.Platform
	apis       *gateway.Gateway
	watch      *cloudwatch.Store
	traces     *xray.Daemon
	faults     *fault.Set

	listener net.Listener
	server   *http.Server

	naming sync.Mutex // held from asking whether a name is taken to taking it

	mu         sync.Mutex
	rules      map[string]rule // schedules that wait for their target
	dashboards map[string]string
	alarms     []string
	sources    []source
	checks     []func() error // what can be judged only when everything is there

	running sync.WaitGroup // the sources, the server and the table's clock
	// ending is done when the cloud closes: it ends the sources, and whoever is held up.
	ending context.Context
	stop   context.CancelFunc
}

type rule struct{ arn, expression string }

// newCloud makes empty services and listens for AWS calls.
func newCloud(o Options) (*cloud, error) {
	if err := portsAreFree(o.Port); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(o.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen for AWS calls: %w", err)
	}
	c := &cloud{
		region: DefaultRegion, account: account, port: o.Port, listener: listener, started: time.Now(),
		console: &console{progress: o.Progress, logs: o.Logs},
		rules:   map[string]rule{}, dashboards: map[string]string{},
	}
	c.ending, c.stop = context.WithCancel(context.Background())
	if err := c.openServices(filepath.Join(filepath.Dir(o.EndpointsFile), "functions")); err != nil {
		return nil, errors.Join(err, c.close())
	}
	for _, r := range o.Faults {
		if _, err := c.faults.Add(r); err != nil {
			return nil, errors.Join(fmt.Errorf("the fault %q: %w", r, err), c.close())
		}
	}
	return c, nil
}

// portsAreFree tells at once, before anything is built, which of the three ports somebody else has.
func portsAreFree(first int) error {
	if first == 0 {
		return nil
	}
	for port := first; port < first+3; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("port %d is in use: stop what listens there, or choose the first of three free ports with --port", port)
		}
		if err != nil {
			return fmt.Errorf("listen on port %d: %w", port, err)
		}
		if err := listener.Close(); err != nil {
			return fmt.Errorf("listen on port %d: %w", port, err)
		}
	}
	return nil
}

// address is where the AWS APIs are.
func (c *cloud) address() string { return "http://" + c.listener.Addr().String() }

// addressOf is where an API of a protocol listens.
func (c *cloud) addressOf(protocol gateway.Protocol) string {
	port := 0
	if c.port != 0 {
		port = c.port + map[gateway.Protocol]int{gateway.WebSocket: 1, gateway.HTTP: 2}[protocol]
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func (c *cloud) arn(service, rest string) string {
	return "arn:aws:" + service + ":" + c.region + ":" + c.account + ":" + rest
}

func (c *cloud) openServices(functionsDir string) (err error) {
	c.roles = iam.New(c.account)
	c.watch = cloudwatch.New(cloudwatch.Options{})
	c.tables = dynamodb.New(dynamodb.Options{Region: c.region, Account: c.account})
	c.queues = sqs.New(sqs.Options{Region: c.region, Account: c.account, Endpoint: c.address(), Redeliver: c.redelivers})
	c.topics = sns.New(sns.Options{
		Region: c.region, Account: c.account, Queues: subscribedQueues{c.queues},
		Undelivered: func(subscription sns.SubscriptionARN, _ sns.MessageID, err error) {
			c.console.problem(fmt.Sprintf("an event did not reach the subscription %s: %v", subscription, err))
		},
	})
	c.parameters = ssm.New(ssm.Options{Region: c.region, Account: c.account})
	c.faults = newFaults(c.services())
	if c.traces, err = xray.Listen(xray.Options{}); err != nil {
		return err
	}
	if c.functions, err = lambda.New(c.lambdaOptions(functionsDir)); err != nil {
		return err
	}
	c.apis = gateway.New(gateway.Options{
		Region: c.region, Account: c.account, Invoke: c.functions.Call, Before: c.before, Disconnect: c.beforeDisconnect,
		Permitted: func(source, function string) bool {
			return c.functions.Permitted(function, "apigateway.amazonaws.com", source)
		},
		AccessLog: c.accessLog, Problem: c.console.problem, Metric: c.gatewayMetric,
	})
	c.serve()
	return nil
}

// services are what the one AWS endpoint serves.
func (c *cloud) services() []wire.Service {
	return []wire.Service{c.tables.Service(), c.queues.Service(), c.topics.Service(), c.parameters.Service()}
}

// serve answers AWS calls, and what the command line and a browser ask.
func (c *cloud) serve() {
	endpoint := wire.NewEndpoint(wire.Options{Before: c.before})
	for _, service := range c.services() {
		endpoint.Register(service)
	}
	mux := http.NewServeMux()
	mux.Handle("/", endpoint)
	mux.Handle("/@connections/", c.apis.ConnectionsHandler())
	c.handleConsole(mux)
	c.handleFaults(mux)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	c.running.Go(func() {
		if err := c.server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
			c.console.problem(fmt.Sprintf("the AWS endpoint stopped: %v", err))
		}
	})
}

// authorize holds a call against the policies of the role that signed it.
func (c *cloud) authorize(_ context.Context, call wire.Call) error {
	err := c.roles.Check(call.AccessKey, call.Permission, call.Resources)
	if err == nil {
		return nil
	}
	c.console.denied(err.Error())
	return wire.AccessDenied(call, err.Error())
}

// checkLater puts off a check until the whole stack is there.
func (c *cloud) checkLater(check func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checks = append(c.checks, check)
}

// startSources lets events flow, now that everything that they may touch is there.
func (c *cloud) startSources() error {
	var errs []error
	for _, check := range c.checks {
		errs = append(errs, check())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sources {
		c.running.Go(func() { s.Run(c.ending) })
	}
	c.running.Go(func() { c.tables.Run(c.ending, time.Second) })
	c.running.Go(func() { c.meterTables(c.ending) })
	return nil
}

func (c *cloud) addSource(s source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources = append(c.sources, s)
}

// endpoints says where everything is.
func (c *cloud) endpoints(outputs map[string]string) Endpoints {
	return Endpoints{
		WebSocketURL:       outputs["webSocketUrl"],
		HTTPURL:            outputs["httpUrl"],
		AWSEndpointURL:     c.address(),
		SendQueueURL:       outputs["sendQueueUrl"],
		DeadLetterQueueURL: outputs["deadLetterQueueUrl"],
		EventTopicARN:      outputs["eventTopicArn"],
		TableName:          outputs["tableName"],
		ConsoleURL:         c.address() + ConsolePath,
		Region:             outputs["region"],
		ParameterPrefix:    outputs["parameterPrefix"],
		PID:                os.Getpid(),
	}
}

// close stops everything, in the order of the way of an event: first what brings new ones.
func (c *cloud) close() error {
	c.stop()
	var errs []error
	if c.apis != nil {
		errs = append(errs, c.apis.Close())
	}
	if c.functions != nil {
		errs = append(errs, c.functions.Close())
	}
	if c.traces != nil {
		errs = append(errs, c.traces.Close())
	}
	if c.queues != nil {
		c.queues.Close()
	}
	if c.server != nil {
		errs = append(errs, c.server.Close())
	} else {
		errs = append(errs, c.listener.Close())
	}
	c.running.Wait()
	return errors.Join(errs...)
}

// uuid is an id that looks like AWS's and is the same for the same name.
func uuid(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
