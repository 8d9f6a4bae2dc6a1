// Package simulator is an AWS small enough to read. It runs a Pulumi program in one process: each resource that the
// program declares becomes a live one. Queues, tables, topics and parameters are served to the unmodified AWS SDK and
// the AWS CLI on one loopback address; WebSocket and HTTP APIs have an address each; functions are compiled programs, run
// as child processes over Lambda's Runtime API. What the simulator does not know is an error, never ignored, so that a
// wrong variable name or a missing route shows on a laptop and not on AWS.
//
// It knows nothing of Heliograph: package local runs Heliograph's program on it. The services have a folder each and
// mostly do not know each other; package cloud joins them, and package provider fills a cloud from a program.
package simulator

import (
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/simulator/cloud"
	"heliograph/simulator/provider"
)

// Start runs a program on a new cloud and lets events flow. The caller closes the cloud. An error says what is wrong with
// the options or the program; nothing is left running then.
func Start(o cloud.Options, stack provider.Stack, program pulumi.RunFunc) (*cloud.Cloud, error) {
	c, err := cloud.New(o)
	if err != nil {
		return nil, err
	}
	if err := provider.Run(c, stack, program); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.Restore(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.Start()
	return c, nil
}
