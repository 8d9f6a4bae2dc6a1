// Package provider runs a Pulumi program on a cloud: each resource that the program declares becomes a live one.
//
// Run is the entry point; kinds.go lists the resource types; each service has a file that says how its resources are
// created and which of their properties count.
package provider

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"heliograph/simulator/cloud"
)

// Stack is the identity under which a program runs.
type Stack struct {
	Project, Name string
	// Config holds the stack's settings by their full keys (<namespace>:<key>), as in Pulumi.<stack>.yaml.
	Config map[string]string
	// Secrets are the keys of Config whose values are secret.
	Secrets []string
}

// Run executes a program with a cloud as its provider. It returns when all resources exist and the program's outputs
// are known; the exports themselves do not leave Pulumi's mock engine. An error names each resource that could not be
// created, or is the program's own, unchanged.
func Run(c *cloud.Cloud, stack Stack, program pulumi.RunFunc) error {
	p := &provider{Cloud: c, declared: map[string]bool{}, rules: map[string]rule{}}
	configure := func(info *pulumi.RunInfo) {
		info.Config, info.ConfigSecretKeys = stack.Config, stack.Secrets
	}
	var wrong error
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		wrong = program(ctx)
		return wrong
	}, pulumi.WithMocks(stack.Project, stack.Name, p), configure)
	// The engine repeats the resources' errors without names, and wraps the program's in noise.
	if failed := errors.Join(p.failures()...); failed != nil {
		return fmt.Errorf("run the Pulumi program: %w", failed)
	}
	if err := cmp.Or(wrong, err); err != nil {
		return err
	}
	return p.check()
}

// provider replaces Pulumi's AWS provider: it creates each resource that the program declares, and answers with the
// properties that AWS would have computed. It is strict, because a mistake should show on the laptop: an unknown type,
// property or value is an error that names the resource.
type provider struct {
	*cloud.Cloud

	naming sync.Mutex // held while checking and taking a name: resources are created concurrently

	mu       sync.Mutex
	declared map[string]bool // by type and name, because Pulumi's mock engine accepts duplicates
	failed   []error         // kept here because the engine's own errors do not name the resource
	rules    map[string]rule // schedules, by the name that their targets use
	checks   []func() error  // deferred until everything exists
}

var _ pulumi.MockResourceMonitor = (*provider)(nil)

// declaration names a resource as in the program.
type declaration struct {
	Type, Name string
}

// kind is a type of resource: which properties it honours, and how to create it.
type kind struct {
	inputs reflect.Type
	make   func(p *provider, d declaration, inputs any) (created, error)
}

// created is the result of creating a resource.
type created struct {
	id string
	// computed are the properties that AWS computes or fills in; declared ones are echoed.
	computed map[string]any
}

// kindOf makes a kind from a typed function. The fields of In, by their json names, are the properties that count. Even
// a property on which the simulator need not act needs a field: without one, it is unknown and refused.
func kindOf[In any](do func(p *provider, d declaration, in In) (created, error)) kind {
	return kind{
		inputs: reflect.TypeFor[In](),
		make: func(p *provider, d declaration, inputs any) (created, error) {
			return do(p, d, *inputs.(*In))
		},
	}
}

// NewResource creates one resource.
func (p *provider) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	id, state, err := p.create(args)
	if err != nil {
		err = fmt.Errorf("%s %q: %w", args.TypeToken, args.Name, err)
		p.fail(err)
	}
	return id, state, err
}

// create claims a resource's name, then reads or creates the resource and adds its computed properties.
func (p *provider) create(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if err := p.claim(args); err != nil {
		return "", nil, err
	}
	if args.ReadRPC != nil {
		return p.read(args)
	}
	if args.ID != "" {
		return "", nil, fmt.Errorf("there is no %q to import: a simulated account begins empty", args.ID)
	}
	if !args.Custom { // a component only groups other resources
		return "", args.Inputs, nil
	}
	k, ok := kinds[args.TypeToken]
	if !ok {
		return "", nil, fmt.Errorf("the simulator does not know this type; it knows %s",
			strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	inputs, err := decode(args.Inputs, k.inputs)
	if err != nil {
		return "", nil, err
	}
	made, err := k.make(p, declaration{args.TypeToken, args.Name}, inputs)
	if err != nil {
		return "", nil, err
	}
	state := args.Inputs.Copy()
	for name, value := range made.computed {
		state[resource.PropertyKey(name)] = resource.NewPropertyValue(value)
	}
	return made.id, state, nil
}

// read returns a resource that the program reads without owning it.
func (p *provider) read(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	read, ok := reads[args.TypeToken]
	if !ok {
		return "", nil, errors.New("the simulator can't look at this type, only make it")
	}
	found, err := read(p, args.ID)
	return args.ID, resource.NewPropertyMapFromMap(found), err
}

func (p *provider) claim(args pulumi.MockResourceArgs) error {
	key := args.TypeToken + " " + args.Name
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.declared[key] {
		return errors.New("declared twice; Pulumi would refuse the second with the same URN")
	}
	p.declared[key] = true
	return nil
}

func (p *provider) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, err)
}

func (p *provider) failures() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.failed)
}

// checkLater defers a check until the whole program has run, because the resources may be declared in any order.
func (p *provider) checkLater(check func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checks = append(p.checks, check)
}

// check runs the deferred checks.
func (p *provider) check() error {
	var errs []error
	for _, check := range p.checks {
		errs = append(errs, check())
	}
	return errors.Join(errs...)
}

// Call answers the program's queries about its Region, account and partition.
func (p *provider) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	answer, ok := map[string]map[string]any{
		"aws:index/getRegion:getRegion": {
			"id": p.Region, "name": p.Region, "region": p.Region, "description": "the simulator",
			"endpoint": "ec2." + p.Region + ".amazonaws.com",
		},
		"aws:index/getCallerIdentity:getCallerIdentity": {
			"id": p.Account, "accountId": p.Account, "userId": "AIDALOCAL",
			"arn": "arn:aws:iam::" + p.Account + ":user/local",
		},
		"aws:index/getPartition:getPartition": {
			"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws",
		},
	}[args.Token]
	if !ok {
		err := fmt.Errorf("the simulator does not know the invoke %s", args.Token)
		p.fail(err)
		return nil, err
	}
	return resource.NewPropertyMapFromMap(answer), nil
}
