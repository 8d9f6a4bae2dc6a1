package main

import (
	"context"
	"errors"
	"fmt"
)

// envCommand prints what the AWS command line and other tools need to call the local stack.
type envCommand struct{}

func (envCommand) Help() string {
	return `Prints shell commands that set the access key of the running local stack, which is new for each run, and its Region.

Example:
  eval "$(heliograph env)"
  aws --endpoint-url http://127.0.0.1:4700 sqs list-queues`
}

func (c *envCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	if t.AccessKey == "" {
		return errors.New("only a local stack has an access key of its own; a deployed one takes your AWS credentials")
	}
	// Neither the profile nor the token of another account belongs to this key.
	_, err = fmt.Fprintf(w.stdout, "export AWS_ACCESS_KEY_ID=%[1]s AWS_SECRET_ACCESS_KEY=local AWS_REGION=%[2]s AWS_DEFAULT_REGION=%[2]s\nunset AWS_SESSION_TOKEN AWS_PROFILE\n", t.AccessKey, t.Region)
	return err
}
