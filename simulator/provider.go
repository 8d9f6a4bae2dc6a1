package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// provider stands where Pulumi's AWS provider stands: it makes each resource that the program declares, and
// answers with what AWS would have computed. It is strict, since a laptop is where mistakes should show:
// a type, a property or a value that it does not know is an error that names the resource.
type provider struct {
	cloud *cloud

	mu    sync.Mutex
	names map[string]bool // type and name of what has been declared: Pulumi's mock engine takes duplicates
	fails []error         // the engine's own errors do not name the resource
}

var _ pulumi.MockResourceMonitor = (*provider)(nil)

func newProvider(c *cloud) *provider {
	return &provider{cloud: c, names: map[string]bool{}}
}

// declared is a resource as the program declares it.
type declared struct {
	Type, Name string
}

// kind is a type of resource: which properties it honours, and how it is made.
type kind struct {
	inputs reflect.Type
	make   func(c *cloud, d declared, inputs any) (created, error)
}

// created is what a provider knows of a resource once it exists.
type created struct {
	id string
	// computed are the properties that AWS computes or fills in; the declared ones are echoed.
	computed map[string]any
}

// kindOf makes a kind from a typed function. The fields of In, by their json names, are the properties that
// are honoured.
func kindOf[In any](do func(c *cloud, d declared, in In) (created, error)) kind {
	return kind{
		inputs: reflect.TypeFor[In](),
		make: func(c *cloud, d declared, inputs any) (created, error) {
			return do(c, d, *inputs.(*In))
		},
	}
}

// NewResource makes one resource.
func (p *provider) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	id, state, err := p.create(args)
	if err != nil {
		err = fmt.Errorf("%s %q: %w", args.TypeToken, args.Name, err)
		p.mu.Lock()
		p.fails = append(p.fails, err)
		p.mu.Unlock()
	}
	return id, state, err
}

func (p *provider) create(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if err := p.claim(args); err != nil {
		return "", nil, err
	}
	if !args.Custom { // a component groups others and has nothing of its own
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
	made, err := k.make(p.cloud, declared{args.TypeToken, args.Name}, inputs)
	if err != nil {
		return "", nil, err
	}
	state := args.Inputs.Copy()
	for name, value := range made.computed {
		state[resource.PropertyKey(name)] = resource.NewPropertyValue(value)
	}
	return made.id, state, nil
}

func (p *provider) claim(args pulumi.MockResourceArgs) error {
	key := args.TypeToken + " " + args.Name
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.names[key] {
		return fmt.Errorf("declared twice; Pulumi would refuse the second with the same URN")
	}
	p.names[key] = true
	return nil
}

// failures are what went wrong with resources, each naming its own.
func (p *provider) failures() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.fails)
}

// Call answers the program's questions about where it runs.
func (p *provider) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	answer, ok := map[string]map[string]any{
		"aws:index/getRegion:getRegion": {
			"id": p.cloud.region, "name": p.cloud.region, "region": p.cloud.region, "description": "the simulator",
			"endpoint": "ec2." + p.cloud.region + ".amazonaws.com",
		},
		"aws:index/getCallerIdentity:getCallerIdentity": {
			"id": p.cloud.account, "accountId": p.cloud.account, "userId": "AIDALOCAL",
			"arn": "arn:aws:iam::" + p.cloud.account + ":user/local",
		},
		"aws:index/getPartition:getPartition": {
			"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws",
		},
	}[args.Token]
	if !ok {
		err := fmt.Errorf("the simulator does not know the invoke %s", args.Token)
		p.mu.Lock()
		p.fails = append(p.fails, err)
		p.mu.Unlock()
		return nil, err
	}
	return resource.NewPropertyMapFromMap(answer), nil
}

// decode reads properties into a new value of a struct type, whose fields are all the properties there may be.
func decode(properties resource.PropertyMap, into reflect.Type) (any, error) {
	values := plain(properties)
	if unknown := unknownProperties("", values, into); len(unknown) > 0 {
		return nil, fmt.Errorf("the simulator does not honour %s; it honours %s",
			strings.Join(unknown, ", "), strings.Join(propertyNames(into), ", "))
	}
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("read the properties: %w", err)
	}
	in := reflect.New(into).Interface()
	if err := json.Unmarshal(text, in); err != nil {
		return nil, fmt.Errorf("read the properties: %w", err)
	}
	return in, nil
}

// plain turns Pulumi's values into JSON's: a secret is what it hides, an archive its path.
func plain(properties resource.PropertyMap) map[string]any {
	var replace func(resource.PropertyValue) (any, bool)
	replace = func(v resource.PropertyValue) (any, bool) {
		switch {
		case v.IsSecret():
			return v.SecretValue().Element.MapRepl(nil, replace), true
		case v.IsArchive():
			return v.ArchiveValue().Path, true
		}
		return nil, false
	}
	return properties.MapRepl(nil, replace)
}

// unknownProperties lists, with their paths, the properties that a type has no field for.
func unknownProperties(path string, value any, t reflect.Type) (unknown []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch value := value.(type) {
	case []any:
		for i, element := range value {
			unknown = append(unknown, unknownProperties(fmt.Sprintf("%s[%d]", path, i), element, t)...)
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return nil // a map: its keys are data
		}
		fields := fieldsByName(t)
		for _, name := range slices.Sorted(maps.Keys(value)) {
			inner := strings.TrimPrefix(path+"."+name, ".")
			if field, ok := fields[name]; ok {
				unknown = append(unknown, unknownProperties(inner, value[name], field)...)
			} else {
				unknown = append(unknown, inner)
			}
		}
	}
	return unknown
}

func fieldsByName(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			fields[name] = field.Type
		}
	}
	return fields
}

func propertyNames(t reflect.Type) []string { return slices.Sorted(maps.Keys(fieldsByName(t))) }
