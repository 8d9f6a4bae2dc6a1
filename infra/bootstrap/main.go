// Command bootstrap is a Pulumi program of its own, run once per account by an administrator: it makes the roles that
// GitHub Actions assumes, and the bucket and keys that hold the state of Heliograph's stacks and the secrets in it.
package main

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

func main() { pulumi.Run(program) }
