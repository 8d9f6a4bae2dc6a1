// Package stack is the whole of Heliograph's infrastructure: one program that `pulumi up` runs against AWS
// and that the simulator runs on a laptop. Read Deploy first, it is the table of contents: every step
// has a file of its own.
package stack

import (
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Program is the program as `pulumi up` runs it: it reads the stack's configuration, builds the functions for
// Lambda's arm64 machines, declares everything and exports the outputs.
func Program(ctx *pulumi.Context) error {
	config, err := LoadConfig(ctx)
	if err != nil {
		return err
	}
	root, err := moduleRoot(".")
	if err != nil {
		return err
	}
	functions, err := Build(ctx.Context(), Target{GOOS: "linux", GOARCH: "arm64", Root: root})
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

// Deploy declares the stack that ctx names and gives its outputs.
func Deploy(ctx *pulumi.Context, config Config, functions Functions) (*Outputs, error) {
	if err := config.Validate(ctx.Stack()); err != nil {
		return nil, err
	}
	return nil, errors.New("no resource is declared yet")
}
