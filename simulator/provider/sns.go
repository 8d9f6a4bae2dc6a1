package provider

import (
	"errors"
	"slices"
	"strconv"

	"heliograph/simulator/sns"
)

type topicInputs struct {
	tagged
	Name           string `json:"name"`
	KMSMasterKeyID string `json:"kmsMasterKeyId"`
}

func createTopic(p *provider, _ declaration, in topicInputs) (created, error) {
	p.naming.Lock()
	defer p.naming.Unlock()
	attributes := map[string]string{}
	if in.KMSMasterKeyID != "" {
		attributes["KmsMasterKeyId"] = in.KMSMasterKeyID
	}
	if slices.Contains(p.Topics.Topics(), sns.TopicARN(p.ARN("sns", in.Name))) {
		return created{}, errors.New("a topic of that name exists")
	}
	arn, err := p.Topics.CreateTopic(in.Name, attributes)
	if err != nil {
		return created{}, err
	}
	return created{string(arn), map[string]any{"arn": string(arn), "owner": p.Account}}, nil
}

type topicSubscriptionInputs struct {
	Topic              string `json:"topic"`
	Protocol           string `json:"protocol"`
	Endpoint           string `json:"endpoint"`
	RawMessageDelivery bool   `json:"rawMessageDelivery"`
	FilterPolicy       string `json:"filterPolicy"`
}

func createTopicSubscription(p *provider, _ declaration, in topicSubscriptionInputs) (created, error) {
	attributes := map[string]string{"RawMessageDelivery": strconv.FormatBool(in.RawMessageDelivery)}
	if in.FilterPolicy != "" {
		attributes["FilterPolicy"] = in.FilterPolicy
	}
	arn, err := p.Topics.Subscribe(sns.TopicARN(in.Topic), in.Protocol, in.Endpoint, attributes)
	if err != nil {
		return created{}, err
	}
	return created{string(arn), map[string]any{"arn": string(arn), "ownerId": p.Account, "pendingConfirmation": false}}, nil
}
