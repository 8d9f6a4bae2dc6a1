// Command infra is Heliograph's Pulumi program: `pulumi up` runs it with this folder as its working directory.
package main

import (
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/infra/stack"
)

func main() { pulumi.Run(stack.Program(os.Getenv(pulumi.EnvConfig))) }
