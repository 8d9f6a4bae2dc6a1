package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// aws answers as Pulumi and AWS would, and records what the program declares.
type aws struct {
	mu       sync.Mutex
	declared map[string]resource.PropertyMap
}

func (a *aws) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, fmt.Errorf("unexpected call of %s", args.Token)
}

// outputs are those of Heliograph's own program, which its tests keep.
func outputs() (map[string]any, error) {
	text, err := os.ReadFile(filepath.Join("testdata", "outputs.json"))
	if err != nil {
		return nil, err
	}
	var all map[string]any
	return all, json.Unmarshal(text, &all)
}

func (a *aws) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.declared[args.TypeToken+" "+args.Name] = args.Inputs
	state := args.Inputs.Copy()
	if args.TypeToken == "pulumi:pulumi:StackReference" {
		all, err := outputs()
		if err != nil {
			return "", nil, err
		}
		state["outputs"] = resource.NewProperty(resource.NewPropertyMapFromMap(all))
	} else {
		state["arn"], state["url"] = resource.NewProperty("arn:of:"+args.Name), resource.NewProperty("https://"+args.Name)
		state["name"] = resource.NewProperty(args.Name)
	}
	return args.Name, state, nil
}

func (a *aws) text(t *testing.T, name, property string) string {
	t.Helper()
	value := a.declared[name][resource.PropertyKey(property)]
	if !value.IsString() {
		t.Fatalf("%s has no text %s; declared are %v", name, property, a.declared)
	}
	return value.StringValue()
}

// TestBackend proves that the program finds the send queue and the event topic by the outputs that Heliograph's program has, lets its topic
// and its rule send to the one, in one policy, and its queue hear of the other.
func TestBackend(t *testing.T) {
	t.Parallel()
	a := &aws{declared: map[string]resource.PropertyMap{}}
	err := pulumi.RunErr(backend, pulumi.WithMocks("backend", "dev", a), func(info *pulumi.RunInfo) {
		info.Config = map[string]string{"backend:heliograph": "org/heliograph/dev"}
	})
	if err != nil {
		t.Fatal(err)
	}
	const send, events = "arn:aws:sqs:eu-west-1:123456789012:heliograph-test-send", "arn:aws:sns:eu-west-1:123456789012:heliograph-test-events"
	for _, want := range []struct{ resource, property, value string }{
		{"aws:sns/topicSubscription:TopicSubscription messages-to-users", "endpoint", send},
		{"aws:sns/topicSubscription:TopicSubscription messages-to-users", "topic", "arn:of:messages"},
		{"aws:cloudwatch/eventTarget:EventTarget shipped-to-customer", "arn", send},
		{"aws:sqs/queuePolicy:QueuePolicy send", "queueUrl", "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-test-send"},
		{"aws:sns/topicSubscription:TopicSubscription presence", "topic", events},
		{"aws:sns/topicSubscription:TopicSubscription presence", "endpoint", "arn:of:presence"},
	} {
		if got := a.text(t, want.resource, want.property); got != want.value {
			t.Errorf("%s: %s is %s, want %s", want.resource, want.property, got, want.value)
		}
	}
	for _, subscription := range []string{"messages-to-users", "presence"} {
		if raw := a.declared["aws:sns/topicSubscription:TopicSubscription "+subscription]["rawMessageDelivery"]; !raw.IsBool() || !raw.BoolValue() {
			t.Errorf("%s is not delivered raw", subscription)
		}
	}
	policy := a.text(t, "aws:sqs/queuePolicy:QueuePolicy send", "policy")
	for _, want := range []string{`"aws:SourceArn":"arn:of:messages"`, `"aws:SourceArn":"arn:of:shipped"`, `"Resource":"` + send + `"`} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
}

// TestBackendWithoutStack proves that a missing name is an error that says how to set it.
func TestBackendWithoutStack(t *testing.T) {
	t.Parallel()
	err := pulumi.RunErr(backend, pulumi.WithMocks("backend", "dev", &aws{declared: map[string]resource.PropertyMap{}}))
	if err == nil || !strings.Contains(err.Error(), "pulumi config set heliograph") {
		t.Errorf("error %v, want one that says how to name the stack", err)
	}
}
