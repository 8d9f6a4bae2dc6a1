package simulator

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"heliograph/simulator/iam"
	"heliograph/simulator/lambda"
)

type functionInputs struct {
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
	ReservedConcurrentExecutions *int `json:"reservedConcurrentExecutions"`
}

func createFunction(c *cloud, _ declared, in functionInputs) (created, error) {
	if err := errors.Join(
		oneOf("runtime", in.Runtime, "provided.al2023"),
		oneOf("tracingConfig.mode", in.TracingConfig.Mode, "Active", "PassThrough", ""),
		oneOf("architectures", strings.Join(in.Architectures, ","), "arm64", "x86_64"),
		c.roleExists(in.Role, "lambda.amazonaws.com"),
		c.mayTrace(in),
	); err != nil {
		return created{}, err
	}
	reserved := in.ReservedConcurrentExecutions
	if reserved != nil && *reserved == -1 { // the provider's word for none
		reserved = nil
	}
	f, err := c.functions.Create(lambda.Config{
		Name: lambda.FunctionName(in.Name), Archive: in.Code, Handler: in.Handler,
		Environment: in.Environment.Variables, Timeout: time.Duration(in.Timeout) * time.Second,
		MemorySize: in.MemorySize, ReservedConcurrency: reserved, Role: in.Role,
		Tracing: in.TracingConfig.Mode == "Active",
	})
	if err != nil {
		return created{}, err
	}
	return created{in.Name, map[string]any{
		"arn": f.ARN, "invokeArn": f.InvokeARN, "qualifiedArn": f.ARN + ":$LATEST", "version": "$LATEST",
		"sourceCodeHash": f.CodeSHA256, "sourceCodeSize": float64(f.CodeSize),
	}}, nil
}

// mayTrace is an error if a function is traced and its role may not send traces. Lambda looks, too.
func (c *cloud) mayTrace(in functionInputs) error {
	if in.TracingConfig.Mode != "Active" {
		return nil
	}
	role := iam.NameOf(in.Role)
	return errors.Join(c.roles.CheckRole(role, "xray:PutTraceSegments", "*"), c.roles.CheckRole(role, "xray:PutTelemetryRecords", "*"))
}

type permissionInputs struct {
	Action      string `json:"action"`
	Function    string `json:"function"`
	Principal   string `json:"principal"`
	SourceARN   string `json:"sourceArn"`
	StatementID string `json:"statementId"`
}

func createPermission(c *cloud, d declared, in permissionInputs) (created, error) {
	if in.StatementID == "" {
		in.StatementID = d.Name
	}
	err := c.functions.AddPermission(lambda.Permission{
		StatementID: in.StatementID, Function: in.Function, Action: in.Action, Principal: in.Principal, SourceARN: in.SourceARN,
	})
	return created{in.StatementID, map[string]any{"statementId": in.StatementID}}, err
}

type functionEventInvokeConfigInputs struct {
	FunctionName             string `json:"functionName"`
	MaximumRetryAttempts     *int   `json:"maximumRetryAttempts"`
	MaximumEventAgeInSeconds int    `json:"maximumEventAgeInSeconds"`
}

func createFunctionEventInvokeConfig(c *cloud, _ declared, in functionEventInvokeConfigInputs) (created, error) {
	err := c.functions.PutEventInvokeConfig(in.FunctionName, lambda.EventInvokeConfig{
		MaximumRetryAttempts: in.MaximumRetryAttempts, MaximumEventAge: time.Duration(in.MaximumEventAgeInSeconds) * time.Second,
	})
	return created{in.FunctionName, nil}, err
}

type eventSourceMappingInputs struct {
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

// createEventSourceMapping makes a source. It runs when the whole stack is there: until then an event could meet
// half of it.
func createEventSourceMapping(c *cloud, d declared, in eventSourceMappingInputs) (created, error) {
	id := uuid(d.Name)
	reports, err := in.reportsFailures()
	if err != nil {
		return created{}, err
	}
	var made source
	switch {
	case strings.Contains(in.EventSourceARN, ":sqs:"):
		made, err = c.newQueueSource(in, reports)
	case strings.Contains(in.EventSourceARN, ":dynamodb:"):
		made, err = c.newStreamSource(in, reports)
	default:
		err = fmt.Errorf("eventSourceArn is %q; queues and table streams are simulated", in.EventSourceARN)
	}
	if err != nil {
		return created{}, err
	}
	c.addSource(made)
	return created{id, map[string]any{"uuid": id, "state": "Enabled"}}, nil
}

func (in eventSourceMappingInputs) window() time.Duration {
	return time.Duration(in.MaximumBatchingWindowInSeconds) * time.Second
}

func (c *cloud) newQueueSource(in eventSourceMappingInputs, reports bool) (source, error) {
	queue, err := c.queues.QueueByARN(in.EventSourceARN)
	if err != nil {
		return nil, err
	}
	if err := c.mayPoll(in.FunctionName, in.EventSourceARN, queuePermissions); err != nil {
		return nil, err
	}
	visibility, err := strconv.Atoi(queue.Attributes()["VisibilityTimeout"])
	if err != nil {
		return nil, fmt.Errorf("read the queue's visibility time-out: %w", err)
	}
	return lambda.NewQueueSource(c.functions, polledQueue{queue}, lambda.QueueSourceConfig{
		VisibilityTimeout: time.Duration(visibility) * time.Second, Problem: c.console.problem,
		Function: in.FunctionName, QueueARN: in.EventSourceARN, BatchSize: in.BatchSize, BatchingWindow: in.window(),
		MaximumConcurrency: in.ScalingConfig.MaximumConcurrency, ReportBatchItemFailures: reports, Filters: in.filters(),
	})
}

func (c *cloud) newStreamSource(in eventSourceMappingInputs, reports bool) (source, error) {
	stream, err := c.streamByARN(in.EventSourceARN)
	if err != nil {
		return nil, err
	}
	if err := c.mayPoll(in.FunctionName, in.EventSourceARN, streamPermissions); err != nil {
		return nil, err
	}
	if target := in.DestinationConfig.OnFailure.DestinationARN; target != "" {
		if err := c.mayPoll(in.FunctionName, target, []string{"sqs:SendMessage"}); err != nil {
			return nil, err
		}
	}
	return lambda.NewStreamSource(repeating{c.functions, c, in.EventSourceARN}, polledStream{stream}, lambda.StreamSourceConfig{
		Function: in.FunctionName, StreamARN: in.EventSourceARN, StartingPosition: in.StartingPosition,
		BatchSize: in.BatchSize, BatchingWindow: in.window(), Filters: in.filters(),
		BisectOnError: in.BisectBatchOnFunctionError, ReportBatchItemFailures: reports,
		MaximumRetryAttempts: in.MaximumRetryAttempts, MaximumRecordAge: time.Duration(in.MaximumRecordAgeInSeconds) * time.Second,
		OnFailure: in.DestinationConfig.OnFailure.DestinationARN, Deliver: c.deliver, Problem: c.console.problem,
	})
}

type eventRuleInputs struct {
	Name               string `json:"name"`
	Description        string `json:"description"`
	ScheduleExpression string `json:"scheduleExpression"`
}

func createEventRule(c *cloud, _ declared, in eventRuleInputs) (created, error) {
	if in.ScheduleExpression == "" {
		return created{}, errors.New("scheduleExpression is missing; rules with an event pattern are not simulated")
	}
	arn := c.arn("events", "rule/"+in.Name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules[in.Name] = rule{arn: arn, expression: in.ScheduleExpression}
	return created{in.Name, map[string]any{"arn": arn}}, nil
}

type eventTargetInputs struct {
	Rule        string `json:"rule"`
	ARN         string `json:"arn"`
	Input       string `json:"input"`
	RetryPolicy struct {
		MaximumRetryAttempts     int `json:"maximumRetryAttempts"`
		MaximumEventAgeInSeconds int `json:"maximumEventAgeInSeconds"`
	} `json:"retryPolicy"`
}

func createEventTarget(c *cloud, d declared, in eventTargetInputs) (created, error) {
	c.mu.Lock()
	rule, ok := c.rules[in.Rule]
	c.mu.Unlock()
	if !ok {
		return created{}, fmt.Errorf("there is no rule %q", in.Rule)
	}
	c.checkLater(func() error { // the permission may be declared after the target
		if c.functions.Permitted(in.ARN, "events.amazonaws.com", rule.arn) {
			return nil
		}
		return fmt.Errorf("%s %q: the function %s does not permit events.amazonaws.com to invoke it for %s", d.Type, d.Name, in.ARN, rule.arn)
	})
	schedule, err := lambda.NewSchedule(c.functions, lambda.ScheduleConfig{
		Function: in.ARN, RuleARN: rule.arn, Expression: rule.expression, Input: in.Input,
	})
	if err != nil {
		return created{}, err
	}
	c.addSource(schedule)
	return created{in.Rule + "-" + d.Name, map[string]any{"targetId": d.Name}}, nil
}
