package provider

import (
	"errors"
	"fmt"
	"strconv"
)

type queueInputs struct {
	tagged
	Name                     string `json:"name"`
	VisibilityTimeoutSeconds *int   `json:"visibilityTimeoutSeconds"`
	MessageRetentionSeconds  *int   `json:"messageRetentionSeconds"`
	DelaySeconds             *int   `json:"delaySeconds"`
	MaxMessageSize           *int   `json:"maxMessageSize"` // nil: 262,144, as pulumi-aws 6 sets it, and at most that
	ReceiveWaitTimeSeconds   *int   `json:"receiveWaitTimeSeconds"`
	SqsManagedSseEnabled     bool   `json:"sqsManagedSseEnabled"`
	RedrivePolicy            string `json:"redrivePolicy"`
	RedriveAllowPolicy       string `json:"redriveAllowPolicy"`
	Policy                   string `json:"policy"`
}

// maxMessageSize is the provider's default, and the most that it lets a program set; SQS itself takes up to 1 MiB.
const maxMessageSize = 256 << 10

// attributes are the queue's attributes under SQS's own names; another unset one gets SQS's default.
func (in queueInputs) attributes() map[string]string {
	attributes := map[string]string{
		"SqsManagedSseEnabled": strconv.FormatBool(in.SqsManagedSseEnabled), "MaximumMessageSize": strconv.Itoa(maxMessageSize),
	}
	for name, value := range map[string]*int{
		"VisibilityTimeout": in.VisibilityTimeoutSeconds, "MessageRetentionPeriod": in.MessageRetentionSeconds,
		"DelaySeconds": in.DelaySeconds, "MaximumMessageSize": in.MaxMessageSize,
		"ReceiveMessageWaitTimeSeconds": in.ReceiveWaitTimeSeconds,
	} {
		if value != nil {
			attributes[name] = strconv.Itoa(*value)
		}
	}
	for name, value := range map[string]string{
		"RedrivePolicy": in.RedrivePolicy, "RedriveAllowPolicy": in.RedriveAllowPolicy, "Policy": in.Policy,
	} {
		if value != "" {
			attributes[name] = value
		}
	}
	return attributes
}

func createQueue(p *provider, _ declaration, in queueInputs) (created, error) {
	if size := in.MaxMessageSize; size != nil && *size > maxMessageSize {
		return created{}, fmt.Errorf("expected maxMessageSize to be in the range (1024 - %d), got %d", maxMessageSize, *size)
	}
	p.naming.Lock() // SQS returns the existing queue on an equal create, and resources are created concurrently
	defer p.naming.Unlock()
	if _, err := p.Queues.Queue(in.Name); err == nil {
		return created{}, errors.New("a queue of that name exists")
	}
	queue, err := p.Queues.Create(in.Name, in.attributes())
	if err != nil {
		return created{}, err
	}
	return created{queue.URL(), map[string]any{"arn": queue.ARN(), "url": queue.URL()}}, nil
}
