package main

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"heliograph/handlers/internal/topic"
	"heliograph/presence"
)

type fakeSNS struct {
	in  *sns.PublishInput
	err error
}

func (f *fakeSNS) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	f.in = in
	return &sns.PublishOutput{}, f.err
}

type fakeSQS struct {
	in  *sqs.SendMessageInput
	err error
}

func (f *fakeSQS) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	f.in = in
	return &sqs.SendMessageOutput{}, f.err
}

// TestPublish proves that the message matches the contract byte for byte, with attributes to filter by.
func TestPublish(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600))
	for _, online := range []bool{true, false} {
		client := &fakeSNS{}
		event := presence.Event{User: "1234", Online: online, Version: 1767323045679, At: at}
		if err := (changes{topic.Topic{Client: client, ARN: "arn:topic"}}).Publish(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		flag := map[bool]string{true: "true", false: "false"}[online]
		want := `{"EventName":"OnlineStatusChanged","Data":{"UserId":"1234","IsOnline":` + flag +
			`,"Version":1767323045679,"At":"2026-01-02T03:04:05.000Z"}}`
		if *client.in.TopicArn != "arn:topic" || *client.in.Message != want {
			t.Errorf("published to %s: %s", *client.in.TopicArn, *client.in.Message)
		}
		attributes := map[string]string{}
		for name, value := range client.in.MessageAttributes {
			attributes[name] = *value.DataType + " " + *value.StringValue
		}
		wanted := map[string]string{"EventName": "String OnlineStatusChanged", "IsOnline": "String " + flag}
		if diff := cmp.Diff(wanted, attributes); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
	}
}

// TestGraceQueue proves that the note matches the contract, and that a grace period with a fraction of a second is
// rounded up.
func TestGraceQueue(t *testing.T) {
	t.Parallel()
	for grace, seconds := range map[time.Duration]int32{
		0: 0, time.Millisecond: 1, time.Second: 1, 5 * time.Second: 5, 5*time.Second + 1: 6, maxGrace: 900,
	} {
		client := &fakeSQS{}
		if err := (graceQueue{client, "https://queue", grace}).Queue(t.Context(), presence.Grace{User: "1234", Epoch: 123}); err != nil {
			t.Fatal(err)
		}
		in := client.in
		if *in.QueueUrl != "https://queue" || *in.MessageBody != `{"userId":"1234","epoch":123}` || in.DelaySeconds != seconds {
			t.Errorf("grace %v: %s, %s, %d s", grace, *in.QueueUrl, *in.MessageBody, in.DelaySeconds)
		}
	}
}

// TestServicesDown proves that the caller gets the error of a service that is down.
func TestServicesDown(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	if err := (changes{topic.Topic{Client: &fakeSNS{err: down}, ARN: "t"}}).Publish(t.Context(), presence.Event{}); !errors.Is(err, down) {
		t.Errorf("publish: %v", err)
	}
	if err := (graceQueue{&fakeSQS{err: down}, "q", 0}).Queue(t.Context(), presence.Grace{}); !errors.Is(err, down) {
		t.Errorf("queue: %v", err)
	}
}

// variables is the environment set by the Pulumi program, with changes.
func variables(changes map[string]string) map[string]string {
	v := map[string]string{
		"STAGE": "dev", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0", "TABLE_NAME": "heliograph-dev",
		"TOPIC_ARN":       "arn:aws:sns:eu-west-1:123456789012:heliograph-dev-events",
		"GRACE_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-dev-grace", "PRESENCE_GRACE": "5s",
		"STREAM_FAILURES_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/heliograph-dev-stream-failures",
	}
	maps.Copy(v, changes)
	return v
}

// TestBuild proves that a grace period that SQS does not support keeps the function from starting.
func TestBuild(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ grace, want string }{
		"usual":    {"5s", ""},
		"none":     {"0s", ""},
		"longest":  {"15m", ""},
		"too long": {"15m1s", "PRESENCE_GRACE is 15m1s"},
		"negative": {"-1s", "PRESENCE_GRACE is -1s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := env.ParseAsWithOptions[environment](env.Options{Environment: variables(map[string]string{"PRESENCE_GRACE": test.grace})})
			if err == nil {
				_, err = build(t.Context(), aws.Config{Region: "eu-west-1"}, e)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error: %v, want %q", err, test.want)
			}
		})
	}
}
