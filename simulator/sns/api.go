package sns

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"heliograph/simulator/wire"
)

// Service returns the server's API, to be registered with a wire.Endpoint.
func (s *Server) Service() wire.Service {
	return wire.Service{
		Name: "sns", QueryNamespace: "http://sns.amazonaws.com/doc/2010-03-31/", QueryVersion: "2010-03-31",
		Model: model, Actions: s.actions(),
	}
}

// Inputs and outputs have the members of AWS's API that are supported here; wire refuses any other.
type (
	empty struct{}

	topicInput struct {
		TopicARN TopicARN `json:"TopicArn"`
	}

	createTopicInput struct {
		Name       string
		Attributes map[string]string
	}

	topicOutput struct {
		TopicARN TopicARN `json:"TopicArn"`
	}

	pageInput struct{ NextToken string }

	listTopicsOutput struct {
		Topics    []topicOutput
		NextToken string `json:",omitempty"`
	}

	attributesOutput struct{ Attributes map[string]string }

	setTopicAttributesInput struct {
		TopicARN       TopicARN `json:"TopicArn"`
		AttributeName  string
		AttributeValue string
	}

	publishInput struct {
		TopicARN          TopicARN `json:"TopicArn"`
		Message           *string
		Subject           *string
		MessageStructure  *string
		MessageAttributes map[string]Attribute `query:",Name,Value"`
	}

	publishOutput struct {
		MessageID MessageID `json:"MessageId"`
	}

	publishBatchInput struct {
		TopicARN                   TopicARN `json:"TopicArn"`
		PublishBatchRequestEntries []batchEntry
	}

	publishBatchOutput struct {
		Failed     []failedEntry
		Successful []publishedEntry
	}

	failedEntry struct {
		Code        string
		Message     string
		SenderFault bool
		ID          string `json:"Id"`
	}

	publishedEntry struct {
		MessageID MessageID `json:"MessageId"`
		ID        string    `json:"Id"`
	}

	subscribeInput struct {
		TopicARN              TopicARN `json:"TopicArn"`
		Protocol              string
		Endpoint              string
		Attributes            map[string]string
		ReturnSubscriptionARN bool `json:"ReturnSubscriptionArn"`
	}

	subscriptionInput struct {
		SubscriptionARN SubscriptionARN `json:"SubscriptionArn"`
	}

	subscriptionOutput struct {
		SubscriptionARN SubscriptionARN `json:"SubscriptionArn"`
	}

	setSubscriptionAttributesInput struct {
		SubscriptionARN SubscriptionARN `json:"SubscriptionArn"`
		AttributeName   string
		AttributeValue  string
	}

	listSubscriptionsByTopicInput struct {
		TopicARN  TopicARN `json:"TopicArn"`
		NextToken string
	}

	listSubscriptionsOutput struct {
		Subscriptions []listedSubscription
		NextToken     string `json:",omitempty"`
	}

	listedSubscription struct {
		TopicARN        TopicARN `json:"TopicArn"`
		Protocol        string
		SubscriptionARN SubscriptionARN `json:"SubscriptionArn"`
		Owner           string
		Endpoint        string
	}
)

// actions are the API's actions. Those that AWS checks against no resource touch "*".
func (s *Server) actions() map[string]wire.Action {
	topic := func(arn TopicARN) []string { return []string{string(arn)} }
	none := []string{"*"}
	return map[string]wire.Action{
		"CreateTopic":        wire.Do(s.createTopic, func(in *createTopicInput) []string { return topic(s.topicARN(in.Name)) }),
		"DeleteTopic":        wire.Do(s.deleteTopic, func(in *topicInput) []string { return topic(in.TopicARN) }),
		"ListTopics":         wire.Do(s.listTopics, func(*pageInput) []string { return none }),
		"GetTopicAttributes": wire.Do(s.getTopicAttributes, func(in *topicInput) []string { return topic(in.TopicARN) }),
		"SetTopicAttributes": wire.Do(s.setTopicAttributes, func(in *setTopicAttributesInput) []string { return topic(in.TopicARN) }),

		"Publish": wire.Do(s.publish, func(in *publishInput) []string { return topic(in.TopicARN) }),
		"PublishBatch": wire.Do(s.publishBatch,
			func(in *publishBatchInput) []string { return topic(in.TopicARN) }).Needs("Publish"),

		"Subscribe":                 wire.Do(s.subscribe, func(in *subscribeInput) []string { return topic(in.TopicARN) }),
		"Unsubscribe":               wire.Do(s.unsubscribe, func(*subscriptionInput) []string { return none }),
		"ListSubscriptions":         wire.Do(s.listSubscriptions, func(*pageInput) []string { return none }),
		"ListSubscriptionsByTopic":  wire.Do(s.listSubscriptionsByTopic, func(in *listSubscriptionsByTopicInput) []string { return topic(in.TopicARN) }),
		"GetSubscriptionAttributes": wire.Do(s.getSubscriptionAttributes, func(*subscriptionInput) []string { return none }),
		"SetSubscriptionAttributes": wire.Do(s.setSubscriptionAttributes, func(*setSubscriptionAttributesInput) []string { return none }),
	}
}

func (s *Server) createTopic(_ context.Context, in *createTopicInput) (*topicOutput, error) {
	arn, err := s.CreateTopic(in.Name, in.Attributes)
	return &topicOutput{arn}, err
}

// deleteTopic succeeds for a topic that does not exist, as on AWS.
func (s *Server) deleteTopic(_ context.Context, in *topicInput) (*empty, error) {
	s.DeleteTopic(in.TopicARN)
	return &empty{}, nil
}

func (s *Server) listTopics(_ context.Context, in *pageInput) (*listTopicsOutput, error) {
	arns, next, err := page(s.Topics(), in.NextToken)
	out := &listTopicsOutput{NextToken: next}
	for _, arn := range arns {
		out.Topics = append(out.Topics, topicOutput{arn})
	}
	return out, err
}

// TopicAttributes returns a topic's attributes as GetTopicAttributes shows them; the error is NotFound.
func (s *Server) TopicAttributes(arn TopicARN) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[arn]
	if t == nil {
		return nil, errNotFound("Topic")
	}
	pending := 0
	for _, sub := range t.subs {
		if sub.pending {
			pending++
		}
	}
	shown := map[string]string{
		"TopicArn": string(arn), "Owner": s.options.Account, "DisplayName": "",
		"SubscriptionsConfirmed": strconv.Itoa(len(t.subs) - pending),
		"SubscriptionsPending":   strconv.Itoa(pending),
		"SubscriptionsDeleted":   strconv.Itoa(t.deleted),
	}
	maps.Copy(shown, t.attributes)
	return shown, nil
}

func (s *Server) getTopicAttributes(_ context.Context, in *topicInput) (*attributesOutput, error) {
	attributes, err := s.TopicAttributes(in.TopicARN)
	return &attributesOutput{attributes}, err
}

// SetTopicAttribute changes an attribute, named as for CreateTopic; an empty value removes it. Errors:
// NotFound, InvalidParameter.
func (s *Server) SetTopicAttribute(arn TopicARN, name, value string) error {
	if err := checkTopicAttribute(name, value); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[arn]
	if t == nil {
		return errNotFound("Topic")
	}
	if value == "" {
		delete(t.attributes, name)
		return nil
	}
	t.attributes[name] = value
	return nil
}

// checkTopicAttribute checks an attribute. Those of HTTP delivery, FIFO topics and delivery logs would have an effect
// on AWS but none here, so they are refused.
func checkTopicAttribute(name, value string) error {
	var object map[string]any
	valid := true
	switch name {
	case "DisplayName":
		valid = len(value) <= 100
	case "KmsMasterKeyId":
	case "Policy":
		valid = value == "" || json.Unmarshal([]byte(value), &object) == nil && object != nil
	case "SignatureVersion":
		valid = slices.Contains([]string{"", "1", "2"}, value)
	case "TracingConfig":
		valid = slices.Contains([]string{"", "PassThrough", "Active"}, value)
	default:
		return errInvalid("AttributeName", "%q is not simulated; DisplayName, KmsMasterKeyId, Policy, SignatureVersion and TracingConfig are", name)
	}
	if !valid {
		return errInvalid("Attributes", "%q is no value of %s", value, name)
	}
	return nil
}

func (s *Server) setTopicAttributes(_ context.Context, in *setTopicAttributesInput) (*empty, error) {
	return &empty{}, s.SetTopicAttribute(in.TopicARN, in.AttributeName, in.AttributeValue)
}

// publish supports only topics: TargetArn and PhoneNumber are refused.
func (s *Server) publish(ctx context.Context, in *publishInput) (*publishOutput, error) {
	if in.TopicARN == "" {
		return nil, errInvalid("TopicArn", "it is missing (TargetArn and PhoneNumber are not simulated)")
	}
	p, err := batchEntry{
		Message: in.Message, Subject: in.Subject, MessageStructure: in.MessageStructure, MessageAttributes: in.MessageAttributes,
	}.publication()
	if err != nil {
		return nil, err
	}
	id, err := s.Publish(ctx, in.TopicARN, p)
	return &publishOutput{id}, err
}

// publishBatch publishes entry by entry: a failing entry does not affect the others.
func (s *Server) publishBatch(ctx context.Context, in *publishBatchInput) (*publishBatchOutput, error) {
	if _, err := s.of(in.TopicARN); err != nil {
		return nil, err
	}
	if err := checkBatch(in.PublishBatchRequestEntries); err != nil {
		return nil, err
	}
	out := &publishBatchOutput{}
	for _, e := range in.PublishBatchRequestEntries {
		id, err := s.publishEntry(ctx, in.TopicARN, e)
		if err != nil {
			failed := wire.AsError(err)
			out.Failed = append(out.Failed, failedEntry{failed.QueryName(), failed.Message, failed.HTTPStatus() < 500, e.ID})
			continue
		}
		out.Successful = append(out.Successful, publishedEntry{id, e.ID})
	}
	return out, nil
}

// publishEntry publishes one entry like a single message.
func (s *Server) publishEntry(ctx context.Context, topicARN TopicARN, e batchEntry) (MessageID, error) {
	p, err := e.publication()
	if err != nil {
		return "", err
	}
	return s.Publish(ctx, topicARN, p)
}

// subscribe hides the ARN of an unconfirmed subscription, unless the request asks for it.
func (s *Server) subscribe(_ context.Context, in *subscribeInput) (*subscriptionOutput, error) {
	arn, err := s.Subscribe(in.TopicARN, in.Protocol, in.Endpoint, in.Attributes)
	if err != nil {
		return nil, err
	}
	if in.Protocol != "sqs" && !in.ReturnSubscriptionARN {
		arn = "pending confirmation"
	}
	return &subscriptionOutput{arn}, nil
}

func (s *Server) unsubscribe(_ context.Context, in *subscriptionInput) (*empty, error) {
	return &empty{}, s.Unsubscribe(in.SubscriptionARN)
}

func (s *Server) listSubscriptions(_ context.Context, in *pageInput) (*listSubscriptionsOutput, error) {
	return s.listed(s.all(), in.NextToken)
}

func (s *Server) listSubscriptionsByTopic(_ context.Context, in *listSubscriptionsByTopicInput) (*listSubscriptionsOutput, error) {
	subs, err := s.of(in.TopicARN)
	if err != nil {
		return nil, err
	}
	return s.listed(subs, in.NextToken)
}

// listed is a page of subscriptions. A pending one shows no ARN, so it can't be ended.
func (s *Server) listed(subs []*subscription, token string) (*listSubscriptionsOutput, error) {
	subs, next, err := page(subs, token)
	out := &listSubscriptionsOutput{NextToken: next}
	for _, sub := range subs {
		arn := sub.arn
		if sub.pending {
			arn = "PendingConfirmation"
		}
		out.Subscriptions = append(out.Subscriptions, listedSubscription{sub.topic, sub.protocol, arn, s.options.Account, sub.endpoint})
	}
	return out, err
}

// SubscriptionAttributes returns a subscription's attributes as GetSubscriptionAttributes shows them; the error is
// NotFound.
func (s *Server) SubscriptionAttributes(arn SubscriptionARN) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, i := s.find(arn)
	if t == nil {
		return nil, errNotFound("Subscription")
	}
	sub := t.subs[i]
	shown := map[string]string{
		"SubscriptionArn": string(sub.arn), "TopicArn": string(sub.topic), "Owner": s.options.Account,
		"Protocol": sub.protocol, "Endpoint": sub.endpoint,
		"RawMessageDelivery":           strconv.FormatBool(sub.raw),
		"PendingConfirmation":          strconv.FormatBool(sub.pending),
		"ConfirmationWasAuthenticated": strconv.FormatBool(!sub.pending),
	}
	if sub.filter.policy != "" {
		shown["FilterPolicy"], shown["FilterPolicyScope"] = sub.filter.policy, sub.filter.shownScope()
	}
	return shown, nil
}

func (s *Server) getSubscriptionAttributes(_ context.Context, in *subscriptionInput) (*attributesOutput, error) {
	attributes, err := s.SubscriptionAttributes(in.SubscriptionARN)
	return &attributesOutput{attributes}, err
}

func (s *Server) setSubscriptionAttributes(_ context.Context, in *setSubscriptionAttributesInput) (*empty, error) {
	return &empty{}, s.SetSubscriptionAttribute(in.SubscriptionARN, in.AttributeName, in.AttributeValue)
}
