package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"heliograph/local"
)

// operator is the user as whom the command line itself calls the HTTP API.
const operator = "heliograph-cli"

// target is the running stack that a command talks to.
type target struct {
	local.Endpoints
	aws aws.Config
}

// target finds the stack: the deployed one named by --stack, otherwise the one behind the endpoints file.
func (c *commands) target(ctx context.Context) (*target, error) {
	endpoints, err := c.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := endpoints.AWSConfig(ctx)
	if err != nil {
		return nil, err
	}
	return &target{Endpoints: endpoints, aws: cfg}, nil
}

func (c *commands) endpoints(ctx context.Context) (local.Endpoints, error) {
	if c.Stack != "" {
		return stackOutputs(ctx, c.Stack)
	}
	endpoints, err := local.Find(ctx, c.Target)
	if errors.Is(err, local.ErrNotRunning) {
		return endpoints, fmt.Errorf("%w: start it with `heliograph local`, or name a deployed one with --stack", err)
	}
	return endpoints, err
}

// stackOutputs reads the addresses of a deployed stack from its Pulumi outputs.
func stackOutputs(ctx context.Context, stack string) (local.Endpoints, error) {
	var endpoints local.Endpoints
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, "pulumi", "stack", "output", "--json", "--stack", stack)
	command.Stderr = &stderr
	out, err := command.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return endpoints, errors.New("--stack needs the pulumi command, and it is not installed: see https://www.pulumi.com/docs/install/")
	}
	if err != nil {
		return endpoints, fmt.Errorf("read the outputs of stack %s: %w: %s", stack, err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(out, &endpoints.Outputs); err != nil {
		return endpoints, fmt.Errorf("read the outputs of stack %s: %w", stack, err)
	}
	return endpoints, nil
}

func (t *target) queue() *sqs.Client { return sqs.NewFromConfig(t.aws) }
