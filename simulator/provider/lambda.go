package provider

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
)

type functionInputs struct {
	tagged
	Name          string   `json:"name"`
	Description   string   `json:"description"`
	Role          string   `json:"role"`
	Runtime       string   `json:"runtime"`
	Handler       string   `json:"handler"`
	Architectures []string `json:"architectures"`
	Code          string   `json:"code"`
	MemorySize    int      `json:"memorySize"`
	Timeout       int      `json:"timeout"`
	Environment   struct {
		Variables map[string]string `json:"variables"`
	} `json:"environment"`
	TracingConfig struct {
		Mode string `json:"mode"`
	} `json:"tracingConfig"`
	LoggingConfig struct {
		LogFormat           string `json:"logFormat"`
		ApplicationLogLevel string `json:"applicationLogLevel"`
		SystemLogLevel      string `json:"systemLogLevel"`
	} `json:"loggingConfig"`
	ReservedConcurrentExecutions *int `json:"reservedConcurrentExecutions"`
}

func createFunction(p *provider, _ declaration, in functionInputs) (created, error) {
	if err := errors.Join(
		oneOf("runtime", in.Runtime, "provided.al2023"),
		oneOf("tracingConfig.mode", in.TracingConfig.Mode, "Active", "PassThrough", ""),
		oneOf("architectures", strings.Join(in.Architectures, ","), "arm64", "x86_64"),
		in.checkLogging(),
		roleExists(p.Roles, in.Role, "lambda.amazonaws.com"),
		mayTrace(p.Roles, in),
	); err != nil {
		return created{}, err
	}
	reserved := in.ReservedConcurrentExecutions
	if reserved != nil && *reserved == -1 { // the AWS provider's value for no reservation
		reserved = nil
	}
	f, err := p.Functions.Create(lambda.Config{
		Name: lambda.FunctionName(in.Name), Archive: in.Code, Handler: in.Handler,
		Environment: in.Environment.Variables, Timeout: time.Duration(in.Timeout) * time.Second,
		MemorySize: in.MemorySize, ReservedConcurrency: reserved, Role: in.Role,
		Tracing: in.TracingConfig.Mode == "Active", Logging: in.logging(),
	})
	if err != nil {
		return created{}, err
	}
	return created{in.Name, map[string]any{
		"arn": f.ARN, "invokeArn": f.InvokeARN, "qualifiedArn": f.ARN + ":$LATEST", "version": "$LATEST",
		"sourceCodeHash": f.CodeSHA256, "sourceCodeSize": float64(f.CodeSize),
	}}, nil
}

// checkLogging refuses what Lambda refuses: levels are for the JSON format alone.
func (in functionInputs) checkLogging() error {
	l := in.LoggingConfig
	if l.LogFormat != "JSON" && l.ApplicationLogLevel+l.SystemLogLevel != "" {
		return errors.New("loggingConfig has a log level, which needs the logFormat JSON")
	}
	return errors.Join(
		oneOf("loggingConfig.logFormat", l.LogFormat, "JSON", "Text", ""),
		oneOf("loggingConfig.applicationLogLevel", l.ApplicationLogLevel, "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", ""),
		oneOf("loggingConfig.systemLogLevel", l.SystemLogLevel, "DEBUG", "INFO", "WARN", ""),
	)
}

func (in functionInputs) logging() lambda.Logging {
	l := in.LoggingConfig
	return lambda.Logging{JSON: l.LogFormat == "JSON", Application: l.ApplicationLogLevel, System: l.SystemLogLevel}
}

// mayTrace returns an error if a function is traced but its role may not send traces. Lambda makes the same check.
func mayTrace(roles *iam.Roles, in functionInputs) error {
	if in.TracingConfig.Mode != "Active" {
		return nil
	}
	role := iam.NameOf(in.Role)
	return errors.Join(roles.CheckRole(role, "xray:PutTraceSegments", "*"), roles.CheckRole(role, "xray:PutTelemetryRecords", "*"))
}

type permissionInputs struct {
	Action      string `json:"action"`
	Function    string `json:"function"`
	Principal   string `json:"principal"`
	SourceARN   string `json:"sourceArn"`
	StatementID string `json:"statementId"`
}

func createPermission(p *provider, d declaration, in permissionInputs) (created, error) {
	if in.StatementID == "" {
		in.StatementID = d.Name
	}
	err := p.Functions.AddPermission(lambda.Permission{
		StatementID: in.StatementID, Function: in.Function, Action: in.Action, Principal: in.Principal, SourceARN: in.SourceARN,
	})
	return created{in.StatementID, map[string]any{"statementId": in.StatementID}}, err
}

type functionEventInvokeConfigInputs struct {
	FunctionName             string `json:"functionName"`
	MaximumRetryAttempts     *int   `json:"maximumRetryAttempts"`
	MaximumEventAgeInSeconds int    `json:"maximumEventAgeInSeconds"`
}

func createFunctionEventInvokeConfig(p *provider, _ declaration, in functionEventInvokeConfigInputs) (created, error) {
	err := p.Functions.PutEventInvokeConfig(in.FunctionName, lambda.EventInvokeConfig{
		MaximumRetryAttempts: in.MaximumRetryAttempts, MaximumEventAge: time.Duration(in.MaximumEventAgeInSeconds) * time.Second,
	})
	return created{in.FunctionName, nil}, err
}

type eventSourceMappingInputs struct {
	tagged
	FunctionName                   string   `json:"functionName"`
	EventSourceARN                 string   `json:"eventSourceArn"`
	BatchSize                      int      `json:"batchSize"`
	MaximumBatchingWindowInSeconds int      `json:"maximumBatchingWindowInSeconds"`
	FunctionResponseTypes          []string `json:"functionResponseTypes"`
	ScalingConfig                  struct {
		MaximumConcurrency int `json:"maximumConcurrency"`
	} `json:"scalingConfig"`
	StartingPosition           string `json:"startingPosition"`
	BisectBatchOnFunctionError bool   `json:"bisectBatchOnFunctionError"`
	ParallelizationFactor      int    `json:"parallelizationFactor"`
	MaximumRetryAttempts       *int   `json:"maximumRetryAttempts"`
	MaximumRecordAgeInSeconds  int    `json:"maximumRecordAgeInSeconds"`
	FilterCriteria             struct {
		Filters []struct {
			Pattern string `json:"pattern"`
		} `json:"filters"`
	} `json:"filterCriteria"`
	DestinationConfig struct {
		OnFailure struct {
			DestinationARN string `json:"destinationArn"`
		} `json:"onFailure"`
	} `json:"destinationConfig"`
}

func (in eventSourceMappingInputs) filters() (patterns []string) {
	for _, filter := range in.FilterCriteria.Filters {
		patterns = append(patterns, filter.Pattern)
	}
	return patterns
}

func (in eventSourceMappingInputs) reportsFailures() (bool, error) {
	for _, kind := range in.FunctionResponseTypes {
		if err := oneOf("functionResponseTypes", kind, "ReportBatchItemFailures"); err != nil {
			return false, err
		}
	}
	return len(in.FunctionResponseTypes) > 0, nil
}

// createEventSourceMapping connects an event source to a function. The cloud runs the source once the stack is
// complete.
func createEventSourceMapping(p *provider, d declaration, in eventSourceMappingInputs) (created, error) {
	reports, err := in.reportsFailures()
	if err != nil {
		return created{}, err
	}
	switch {
	case strings.Contains(in.EventSourceARN, ":sqs:"):
		err = p.Sources.AddQueue(in.queueSource(reports))
	case strings.Contains(in.EventSourceARN, ":dynamodb:"):
		err = p.Sources.AddStream(in.streamSource(reports))
	default:
		err = fmt.Errorf("eventSourceArn is %q; queues and table streams are simulated", in.EventSourceARN)
	}
	if err != nil {
		return created{}, err
	}
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte(d.Name)).String() // the same in every run, so that two runs can be compared
	return created{id, map[string]any{"uuid": id, "state": "Enabled"}}, nil
}

func (in eventSourceMappingInputs) queueSource(reports bool) lambda.QueueSourceConfig {
	return lambda.QueueSourceConfig{
		Function: in.FunctionName, QueueARN: in.EventSourceARN, BatchSize: in.BatchSize, BatchingWindow: in.window(),
		MaximumConcurrency: in.ScalingConfig.MaximumConcurrency, ReportBatchItemFailures: reports, Filters: in.filters(),
	}
}

func (in eventSourceMappingInputs) streamSource(reports bool) lambda.StreamSourceConfig {
	return lambda.StreamSourceConfig{
		Function: in.FunctionName, StreamARN: in.EventSourceARN, StartingPosition: in.StartingPosition,
		BatchSize: in.BatchSize, BatchingWindow: in.window(), Filters: in.filters(), ParallelizationFactor: in.ParallelizationFactor,
		BisectOnError: in.BisectBatchOnFunctionError, ReportBatchItemFailures: reports,
		MaximumRetryAttempts: in.MaximumRetryAttempts, MaximumRecordAge: time.Duration(in.MaximumRecordAgeInSeconds) * time.Second,
		OnFailure: in.DestinationConfig.OnFailure.DestinationARN,
	}
}

func (in eventSourceMappingInputs) window() time.Duration {
	return time.Duration(in.MaximumBatchingWindowInSeconds) * time.Second
}
