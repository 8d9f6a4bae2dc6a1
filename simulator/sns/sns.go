// Package sns is Amazon SNS, standard topics only, in memory: publish to topics, and fan out to SQS queues
// with filter policies, in the JSON envelope or raw, over AWS's own protocol or by Go methods.
//
// Differences from AWS: a message is delivered before Publish returns, in one attempt; the queue's policy is not
// consulted; the Signature of an envelope is a placeholder, because Amazon's key is not available here; email and HTTP
// subscriptions stay pending for ever, so nothing is sent to them. Anything unsupported is refused: FIFO topics, other
// protocols and attributes.
package sns

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"heliograph/simulator/wire"
)

// TopicARN, SubscriptionARN and MessageID are SNS's ids.
type (
	TopicARN        string
	SubscriptionARN string
	MessageID       string
)

// Queues is the destination of subscriptions with protocol sqs.
type Queues interface {
	// Send puts a message on the queue of an ARN. Attributes of type Binary have a BinaryValue.
	Send(ctx context.Context, queueARN, body string, attributes map[string]Attribute) error
}

// Options configure a Server: its account and Region, and the queues it delivers to.
type Options struct {
	// Region and Account are part of each topic's ARN; both are required.
	Region, Account string
	// Queues receives the deliveries. Required.
	Queues Queues
	// Undelivered receives each message that a queue refused. On AWS such a message is lost silently. nil: not
	// reported.
	Undelivered func(SubscriptionARN, MessageID, error)
	// Metric receives the topics' metrics, as in CloudWatch's AWS/SNS. nil: not measured.
	Metric func(topic TopicARN, name string, value float64)
	// Now is the time source; nil: the system clock.
	Now func() time.Time
}

// Server holds the topics of one account in one Region. It is safe for concurrent use.
type Server struct {
	options Options

	mu     sync.Mutex
	topics map[TopicARN]*topic
}

type topic struct {
	arn        TopicARN
	attributes map[string]string // those that were set
	subs       []*subscription   // in order of creation
	deleted    int               // how many subscriptions were deleted
}

// subscription is one endpoint of a topic. Once stored it is replaced, never changed, so that Publish can use it
// without the lock.
type subscription struct {
	arn      SubscriptionARN
	topic    TopicARN
	protocol string
	endpoint string
	pending  bool
	raw      bool
	filter   filter
}

// New makes a server without topics.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metric == nil {
		o.Metric = func(TopicARN, string, float64) {}
	}
	if o.Undelivered == nil {
		o.Undelivered = func(SubscriptionARN, MessageID, error) {}
	}
	return &Server{options: o, topics: map[TopicARN]*topic{}}
}

// CreateTopic makes a topic. attributes have AWS's names and text values: DisplayName, Policy, KmsMasterKeyId,
// SignatureVersion and TracingConfig are stored, and have no effect here. A topic that exists and matches the
// attributes given is returned unchanged. The error is InvalidParameter.
func (s *Server) CreateTopic(name string, attributes map[string]string) (TopicARN, error) {
	if strings.HasSuffix(name, ".fifo") {
		return "", errInvalid("Topic Name", "FIFO topics are not simulated")
	}
	if len(name) > 256 || !isToken(name) {
		return "", errInvalid("Topic Name", "1 to 256 letters, digits, hyphens and underscores")
	}
	for _, attribute := range slices.Sorted(maps.Keys(attributes)) {
		if err := checkTopicAttribute(attribute, attributes[attribute]); err != nil {
			return "", err
		}
	}
	arn := s.topicARN(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[arn]; t != nil {
		for name, value := range attributes {
			if t.attributes[name] != value {
				return "", errInvalid("Attributes", "Topic already exists with different attributes")
			}
		}
		return arn, nil
	}
	s.topics[arn] = &topic{arn: arn, attributes: map[string]string{}}
	maps.Copy(s.topics[arn].attributes, attributes)
	return arn, nil
}

// DeleteTopic deletes a topic with its subscriptions, if it exists.
func (s *Server) DeleteTopic(arn TopicARN) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.topics, arn)
}

// Topics returns the ARNs of all topics, sorted.
func (s *Server) Topics() []TopicARN {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.topics))
}

// Subscribe subscribes an endpoint to a topic: protocol sqs and a queue's ARN; or email, email-json, http, https, which
// stay pending. attributes are RawMessageDelivery, FilterPolicy and FilterPolicyScope. Subscribing the same endpoint
// again returns the same subscription. Errors: NotFound for the topic, InvalidParameter.
func (s *Server) Subscribe(topicARN TopicARN, protocol, endpoint string, attributes map[string]string) (SubscriptionARN, error) {
	pending, err := checkEndpoint(protocol, endpoint)
	if err != nil {
		return "", err
	}
	sub := &subscription{topic: topicARN, protocol: protocol, endpoint: endpoint, pending: pending}
	// Backwards, so that the policy's scope is known when the policy is parsed.
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(attributes))) {
		if err := sub.set(name, attributes[name]); err != nil {
			return "", err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[topicARN]
	if t == nil {
		return "", errNotFound("Topic")
	}
	for _, have := range t.subs {
		if have.protocol != protocol || have.endpoint != endpoint {
			continue
		}
		if len(attributes) > 0 && (have.raw != sub.raw || !have.filter.same(sub.filter)) {
			return "", errInvalid("Attributes", "Subscription already exists with different attributes")
		}
		return have.arn, nil
	}
	sub.arn = SubscriptionARN(string(topicARN) + ":" + uuid.NewString())
	t.subs = append(t.subs, sub)
	return sub.arn, nil
}

// checkEndpoint checks an endpoint, and reports whether its subscription waits for a confirmation.
func checkEndpoint(protocol, endpoint string) (pending bool, err error) {
	bad := errInvalid("Endpoint", "%q is not an endpoint for the protocol %s", endpoint, protocol)
	switch protocol {
	case "sqs":
		parts := strings.Split(endpoint, ":")
		if len(parts) != 6 || !strings.HasPrefix(endpoint, "arn:aws:sqs:") || !isToken(parts[5]) {
			return false, bad
		}
		return false, nil
	case "email", "email-json":
		if name, host, ok := strings.Cut(endpoint, "@"); !ok || name == "" || host == "" {
			return false, bad
		}
		return true, nil
	case "http", "https":
		if u, err := url.Parse(endpoint); err != nil || u.Scheme != protocol || u.Host == "" {
			return false, bad
		}
		return true, nil
	}
	return false, errInvalid("Protocol", "%q is not simulated; sqs, email, email-json, http, https are", protocol)
}

// set sets one attribute of a subscription that is not yet shared.
func (sub *subscription) set(name, value string) (err error) {
	switch name {
	case "RawMessageDelivery":
		if value != "true" && value != "false" {
			return errInvalid("RawMessageDelivery", "true or false, not %q", value)
		}
		sub.raw = value == "true"
	case "FilterPolicy":
		sub.filter, err = newFilter(value, sub.filter.scope)
	case "FilterPolicyScope":
		if value != scopeAttributes && value != scopeBody {
			return errInvalid("FilterPolicyScope", "%q is neither MessageAttributes nor MessageBody", value)
		}
		sub.filter, err = newFilter(sub.filter.policy, value)
	default:
		return errInvalid("AttributeName", "%q is not simulated; RawMessageDelivery, FilterPolicy and FilterPolicyScope are", name)
	}
	return err
}

// SetSubscriptionAttribute changes an attribute, named as for Subscribe. Errors: NotFound,
// InvalidParameter.
func (s *Server) SetSubscriptionAttribute(arn SubscriptionARN, name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, i := s.find(arn)
	if t == nil {
		return errNotFound("Subscription")
	}
	changed := *t.subs[i]
	if err := changed.set(name, value); err != nil {
		return err
	}
	t.subs[i] = &changed
	return nil
}

// Unsubscribe ends a subscription; an unknown one succeeds. A pending one can't be ended: InvalidParameter.
func (s *Server) Unsubscribe(arn SubscriptionARN) error {
	if strings.Count(string(arn), ":") != 6 {
		return errInvalid("SubscriptionArn", "%q is no ARN of a subscription", arn)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, i := s.find(arn)
	switch {
	case t == nil:
		return nil
	case t.subs[i].pending:
		return errInvalid("SubscriptionArn", "a pending subscription can't be ended")
	}
	t.subs = slices.Delete(t.subs, i, i+1)
	t.deleted++
	return nil
}

// find returns a subscription's topic and its index there, or nil. The lock is held.
func (s *Server) find(arn SubscriptionARN) (*topic, int) {
	end := strings.LastIndexByte(string(arn), ':')
	if end < 0 {
		return nil, 0
	}
	t := s.topics[TopicARN(arn[:end])]
	if t == nil {
		return nil, 0
	}
	i := slices.IndexFunc(t.subs, func(sub *subscription) bool { return sub.arn == arn })
	if i < 0 {
		return nil, 0
	}
	return t, i
}

// all returns the subscriptions of all topics, sorted by topic.
func (s *Server) all() (subs []*subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range slices.Sorted(maps.Keys(s.topics)) {
		subs = append(subs, s.topics[arn].subs...)
	}
	return subs
}

// of returns the subscriptions of one topic.
func (s *Server) of(arn TopicARN) ([]*subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[arn]
	if t == nil {
		return nil, errNotFound("Topic")
	}
	return slices.Clone(t.subs), nil
}

// topicARN is the ARN for a topic name, whether or not the topic exists.
func (s *Server) topicARN(name string) TopicARN {
	return TopicARN("arn:aws:sns:" + s.options.Region + ":" + s.options.Account + ":" + name)
}

// isToken reports whether a text consists of letters, digits, hyphens and underscores, and is not empty.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// errInvalid is an invalid parameter. Source: API_Publish and similar, "Errors".
func errInvalid(parameter, reason string, args ...any) *wire.Error {
	return wire.Errorf("InvalidParameter", "Invalid parameter: %s Reason: %s", parameter, fmt.Sprintf(reason, args...))
}

// errMissing is a missing required parameter.
func errMissing(parameter string) *wire.Error {
	return wire.Errorf("ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", parameter)
}

// errNotFound is a topic or subscription that does not exist.
func errNotFound(what string) *wire.Error {
	return &wire.Error{Code: "NotFound", Message: what + " does not exist", Status: 404}
}

// page returns a page of at most 100 of a list; the token is the position of the next one.
func page[T any](list []T, token string) (part []T, next string, err error) {
	start := 0
	if token != "" {
		if _, err := fmt.Sscanf(token, "next-%d", &start); err != nil || start < 0 {
			return nil, "", errInvalid("NextToken", "not a token of a page before")
		}
	}
	start = min(start, len(list))
	end := min(start+100, len(list))
	if end < len(list) {
		next = fmt.Sprintf("next-%d", end)
	}
	return list[start:end], next, nil
}

// text is a pointer's value, "" for nil.
func text(p *string) string { return *cmp.Or(p, new(string)) }
