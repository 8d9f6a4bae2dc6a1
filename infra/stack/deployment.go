package stack

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/infra/build"
)

// deployment is the context that every step of Deploy shares.
type deployment struct {
	ctx       *pulumi.Context
	config    Config
	stage     string // part of every name; also the WebSocket stage and the dimension Stage
	functions build.Functions
	home      home
	imported  map[string]bool // which of the configured imports have been used
}

// home is where a stack lives. It comes from the program's only invokes, so it is known before any resource and can be
// part of names.
type home struct{ region, account, partition string }

// lookUpHome asks the provider for the account, Region and partition that the stack is deployed to.
func lookUpHome(ctx *pulumi.Context) (home, error) {
	region, err := aws.GetRegion(ctx, nil)
	if err != nil {
		return home{}, fmt.Errorf("looking up the AWS Region: %w", err)
	}
	caller, err := aws.GetCallerIdentity(ctx, nil)
	if err != nil {
		return home{}, fmt.Errorf("looking up the AWS account: %w", err)
	}
	partition, err := aws.GetPartition(ctx, nil)
	if err != nil {
		return home{}, fmt.Errorf("looking up the AWS partition: %w", err)
	}
	return home{region: region.Name, account: caller.AccountId, partition: partition.Partition}, nil
}

// arn names a resource of this account and Region before it exists, for a policy inside the very resource that it
// refers to.
func (h home) arn(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", h.partition, service, h.region, h.account, resource)
}

// physical is a resource's name in AWS: heliograph-<stack>-<name>, or heliograph-<stack> if name is empty.
func (d *deployment) physical(name string) string {
	if name == "" {
		return "heliograph-" + d.stage
	}
	return "heliograph-" + d.stage + "-" + name
}

// global names a resource that an account shares between all Regions: heliograph-<stack>-<Region>-<name>, or without
// the last part if name is empty. With the Region in it, stacks of the same name can live in two Regions.
func (d *deployment) global(name string) string {
	return strings.TrimSuffix(d.physical(d.home.region+"-"+name), "-")
}

// component is a node of the tree shown by `pulumi up`. Its children's names start with its own, so that a resource's
// name alone is enough to find it.
type component struct {
	pulumi.ResourceState
	*deployment
	name string
}

// newComponent declares a node of type heliograph:index:<kind>.
func (d *deployment) newComponent(kind, name string, opts ...pulumi.ResourceOption) *component {
	c := &component{deployment: d, name: name}
	if err := d.ctx.RegisterComponentResource("heliograph:index:"+kind, name, c, opts...); err != nil {
		panic(undeclared{fmt.Errorf("declaring %s: %w", name, err)})
	}
	return c
}

// complete tells Pulumi that all children of a component are declared.
func (c *component) complete() {
	if err := c.ctx.RegisterResourceOutputs(c, pulumi.Map{}); err != nil {
		panic(undeclared{fmt.Errorf("completing %s: %w", c.name, err)})
	}
}

// declare makes a resource a child of a component. create is one of the SDK's New functions.
func declare[Args any, R pulumi.Resource](
	c *component, name string,
	create func(*pulumi.Context, string, *Args, ...pulumi.ResourceOption) (R, error),
	args *Args, opts ...pulumi.ResourceOption,
) R {
	full := c.name + "-" + name
	c.tag(args)
	r, err := create(c.ctx, full, args, append([]pulumi.ResourceOption{pulumi.Parent(c), c.adopt(full)}, opts...)...)
	if err != nil {
		panic(undeclared{fmt.Errorf("declaring %s: %w", full, err)})
	}
	return r
}

// tag gives a resource the stack's tags, if its type has any; no resource has tags of its own.
func (d *deployment) tag(args any) {
	field := reflect.ValueOf(args).Elem().FieldByName("Tags")
	if !field.IsValid() {
		return
	}
	tags := pulumi.StringMap{"Project": pulumi.String("heliograph"), "Stack": pulumi.String(d.stage)}
	for key, value := range d.config.Tags {
		tags[key] = pulumi.String(value)
	}
	field.Set(reflect.ValueOf(tags))
}

// adopt imports a resource that an earlier life of the stack left in AWS. Pulumi ignores the option once the stack owns it.
func (d *deployment) adopt(resource string) pulumi.ResourceOption {
	id := d.config.Imports[resource]
	if id == "" {
		return pulumi.Composite()
	}
	d.imported[resource] = true
	return pulumi.Import(pulumi.ID(id))
}

// unimported is an error that names the configured imports of resources that this program does not declare.
func (d *deployment) unimported() error {
	var faults []error
	for _, resource := range slices.Sorted(maps.Keys(d.config.Imports)) {
		if !d.imported[resource] {
			faults = append(faults, fmt.Errorf("heliograph:imports names %q, and no resource of this stack is called so", resource))
		}
	}
	return errors.Join(faults...)
}

// guard keeps a resource of a protected stack from being deleted. Guarded are resources that hold state, addresses that
// others know, and all that no other resource depends on: Pulumi deletes the latter first and stops at the first refusal,
// so `pulumi destroy` does no harm. Resources that `pulumi up` restores unnoticed, or often replaces, are not guarded.
func (d *deployment) guard() pulumi.ResourceOption { return pulumi.Protect(d.config.Protect) }

// undeclared is the panic of declare. The SDK refuses a declaration only because of a mistake in this program (a
// required property is missing) or after the run is over, never because of a user's input, so the steps don't have to
// return errors: Deploy recovers and returns it.
type undeclared struct{ error }

// rescue turns declare's panic into Deploy's error. Any other panic continues.
func rescue(err *error) {
	switch p := recover().(type) {
	case nil:
	case undeclared:
		*err = p.error
	default:
		panic(p)
	}
}
