package observability

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Start is a handler's main. It reads the environment into Env, loads the AWS configuration with
// tracing, calls build once, and serves invocations with the handler that build returned. It does not
// return: what goes wrong before the first invocation is one JSON line and exit code 1.
func Start[Env Environment, In, Out any](
	function string, build func(ctx context.Context, cfg aws.Config, e Env) (Handler[In, Out], error),
) {
	h, err := prepare(function, build)
	if err != nil {
		newLogger(os.Stdout, 0).Error("the function can't start", "function", function, "error", err)
		os.Exit(1)
	}
	lambda.Start(h)
}

func prepare[Env Environment, In, Out any](
	function string, build func(context.Context, aws.Config, Env) (Handler[In, Out], error),
) (Handler[In, Out], error) {
	e, err := parseEnvironment[Env](nil)
	if err != nil {
		return nil, fmt.Errorf("reading the environment: %w", err)
	}
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	instrument(&cfg)
	h, err := build(context.Background(), cfg, e)
	if err != nil {
		return nil, fmt.Errorf("building the handler: %w", err)
	}
	return Wrap(New(function, e.settings(), os.Stdout), h), nil
}
