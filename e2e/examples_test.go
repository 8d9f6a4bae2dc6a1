package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// missing ends a test that lacks a program: in CI, which installs them all, it fails.
func missing(t *testing.T, how string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(how)
	}
	t.Skip(how)
}

// exampleEnvironment is the environment of an example: the stack's queue, and what AWS's SDKs read by themselves.
func exampleEnvironment(more ...string) []string {
	environment := append(awsCLIEnvironment(), "AWS_REGION="+target.Region, "AWS_DEFAULT_REGION="+target.Region, "SEND_QUEUE_URL="+target.SendQueueURL)
	if target.AWSEndpointURL != "" {
		environment = append(environment, "AWS_ENDPOINT_URL="+target.AWSEndpointURL)
	}
	return append(environment, more...)
}

// buildExample compiles an example in Go.
func buildExample(t *testing.T, folder string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "example")
	if out, err := exec.Command("go", "build", "-o", path, "../examples/"+folder).CombinedOutput(); err != nil {
		t.Fatalf("build examples/%s: %v\n%s", folder, err, out)
	}
	return path
}

// python finds an interpreter that has boto3. The system's own is where Debian installs it.
func python() (string, error) {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import boto3").Run() == nil {
			return name, nil
		}
	}
	return "", exec.ErrNotFound
}

// TestProducers proves that each of the examples' producers sends a message that arrives, byte for byte.
func TestProducers(t *testing.T) {
	t.Parallel()
	modules := filepath.Join(projectRoot(t), ".ci", "node_modules")
	producers := map[string]struct {
		find func() ([]string, error)
		how  string
	}{
		"go": {func() ([]string, error) { return []string{buildExample(t, "producers/go")}, nil }, ""},
		"node": {func() ([]string, error) {
			_, err := os.Stat(filepath.Join(modules, "@aws-sdk", "client-sqs"))
			node, absent := exec.LookPath("node")
			return []string{node, "../examples/producers/node/send.js"}, errors.Join(absent, err)
		}, "needs Node.js, and `make tools`, which installs AWS's SDK"},
		"python": {func() ([]string, error) {
			interpreter, err := python()
			return []string{interpreter, "../examples/producers/python/send.py"}, err
		}, "needs Python with boto3: apt-get install python3-boto3"},
		"shell": {func() ([]string, error) {
			_, noAWS := exec.LookPath("aws")
			_, noJQ := exec.LookPath("jq")
			return []string{"../examples/producers/shell/send.sh"}, errors.Join(noAWS, noJQ)
		}, "needs the AWS command line and jq: apt-get install awscli jq"},
	}
	for name, producer := range producers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command, err := producer.find()
			if err != nil {
				missing(t, producer.how)
			}
			user, body := newUser(), `"Grüße" & <b>`+name+`</b>`
			phone := connect(t, user)
			run := exec.CommandContext(within(t), command[0], append(command[1:], user, body)...)
			run.Env = exampleEnvironment("NODE_PATH=" + modules)
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", command, err, out)
			}
			if got := phone.next(t); got != body {
				t.Errorf("arrived %q, sent %q", got, body)
			}
		})
	}
}

// TestPresenceExample proves that examples/presence prints a user's coming and going.
func TestPresenceExample(t *testing.T) {
	t.Parallel()
	topic := subscribe(t)
	var printed, problems safeBuffer
	p := exec.Command(buildExample(t, "presence"))
	p.Env, p.Stdout, p.Stderr = exampleEnvironment("PRESENCE_QUEUE_URL="+topic.url), &printed, &problems
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	user := newUser()
	phone := connect(t, user)
	prints := func(line string) {
		eventually(t, "it prints "+line, func(context.Context) (bool, error) { return strings.Contains(printed.String(), line+"\n"), nil })
	}
	prints(user + " is online")
	phone.hangUp(t)
	prints(user + " is offline")
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("ended with %v after Ctrl-C:\n%s", err, problems.String())
	}
}

// TestRawTopic proves that a topic subscribed to the send queue with raw delivery, as in examples/backend, sends what is
// published.
func TestRawTopic(t *testing.T) {
	t.Parallel()
	if target.AWSEndpointURL == "" {
		t.Skip("would replace the policy of a deployed stack's queue")
	}
	topics := sns.NewFromConfig(awsConfig)
	user := newUser()
	topic, err := topics.CreateTopic(within(t), &sns.CreateTopicInput{Name: aws.String(user)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topics.Subscribe(within(t), &sns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(queueARN(t, sqs.NewFromConfig(awsConfig), target.SendQueueURL)),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	}); err != nil {
		t.Fatal(err)
	}
	phone := connect(t, user)
	if _, err := topics.Publish(within(t), &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String(`{"UserId":"` + user + `","Body":"by a topic"}`)}); err != nil {
		t.Fatal(err)
	}
	if got := phone.next(t); got != "by a topic" {
		t.Errorf("arrived %q", got)
	}
}
