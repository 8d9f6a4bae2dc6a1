// Package stack is Heliograph's whole infrastructure: one program that `pulumi up` runs against AWS and that the
// simulator runs on a laptop. Read Deploy first; it is the table of contents, and every step in it has a file of its
// own.
package stack

import (
	"errors"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph"
	"heliograph/infra/build"
)

// Program returns the program for `pulumi up`: it reads the stack's configuration, builds the functions for Lambda's
// arm64 machines, declares everything and exports the outputs. configuration is the engine's PULUMI_CONFIG.
func Program(configuration string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		config, err := LoadConfig(ctx)
		if err := errors.Join(unknownKeys(configuration), err); err != nil {
			return err
		}
		return deploy(ctx, config)
	}
}

// deploy builds the functions, declares the stack and exports its outputs.
func deploy(ctx *pulumi.Context, config Config) error {
	root, err := build.FindRoot(".")
	if err != nil {
		return err
	}
	functions, err := build.Build(ctx.Context(), build.Target{Root: root, Progress: progress{ctx}})
	if err != nil {
		return err
	}
	outputs, err := Deploy(ctx, config, functions)
	if err != nil {
		return err
	}
	for name, value := range outputs.byName() {
		ctx.Export(name, value)
	}
	return nil
}

// Deploy declares the stack that ctx names and returns its outputs.
func Deploy(ctx *pulumi.Context, config Config, functions build.Functions) (outputs *Outputs, err error) {
	if err := errors.Join(config.Validate(ctx.Stack()), functions.Check()); err != nil {
		return nil, err
	}
	home, err := lookUpHome(ctx)
	if err != nil {
		return nil, err
	}
	defer rescue(&err)
	d := &deployment{ctx: ctx, config: config, stage: config.stage(ctx.Stack()), imported: map[string]bool{}, functions: functions, home: home}

	table := declareTable(d)
	queues := declareQueues(d)
	events := declareEvents(d)
	parameters := declareParameters(d, queues, events)
	sockets := declareWebSocketAPI(d)

	base := foundations{table: table, queues: queues, eventTopicARN: events, parameters: parameters, sockets: sockets}
	lambdas := declareFunctions(d, base)

	socketStage := sockets.serve(lambdas, declareAccessLogRole(d))
	requests, requestStage := declareHTTPAPI(d, lambdas)
	declareConsumers(d, base, lambdas)
	declareSchedule(d, lambdas[heliograph.Sweep])

	apis := apiIDs{socketID: sockets.api.ID(), requestID: requests.api.ID()}
	alarms := declareAlarms(d, queues, apis)
	dashboard := declareDashboard(d, queues, alarms, apis)
	if err := d.unimported(); err != nil {
		return nil, err
	}

	outputs = &Outputs{
		WebSocketURL:       declareDomain(d, "websocket-domain", config.WebSocketDomain, "wss", sockets.api, socketStage, sockets.url),
		HTTPURL:            declareDomain(d, "http-domain", config.HTTPDomain, "https", requests.api, requestStage, requests.url),
		SendQueueURL:       queues.send.url,
		SendQueueARN:       queues.send.arn,
		DeadLetterQueueURL: queues.sendDeadLetters.url,
		EventTopicARN:      events,
		TableName:          table.name,
		DashboardURL:       dashboard,
		Region:             pulumi.String(home.region).ToStringOutput(),
		ParameterPrefix:    pulumi.String(config.ParameterPrefix).ToStringOutput(),
	}
	return outputs.demand(config), nil
}

// progress prints lines of text in the output of `pulumi up`.
type progress struct{ ctx *pulumi.Context }

func (p progress) Write(text []byte) (int, error) {
	return len(text), p.ctx.Log.Info(strings.TrimSpace(string(text)), nil)
}
