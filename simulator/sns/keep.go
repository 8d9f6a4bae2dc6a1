package sns

import (
	"fmt"
	"strconv"
)

// Kept is a topic in the form in which it is saved.
type Kept struct {
	Attributes    map[string]string  `json:",omitempty"`
	Subscriptions []KeptSubscription `json:",omitempty"`
}

// KeptSubscription is a subscription in the form in which it is saved, with the attributes of Subscribe.
type KeptSubscription struct {
	ARN                SubscriptionARN
	Protocol, Endpoint string
	Attributes         map[string]string
}

// Keep returns all topics, by name.
func (s *Server) Keep() map[string]Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := map[string]Kept{}
	for arn, t := range s.topics {
		k := Kept{Attributes: t.attributes}
		for _, sub := range t.subs {
			attributes := map[string]string{"RawMessageDelivery": strconv.FormatBool(sub.raw)}
			if sub.filter.policy != "" {
				attributes["FilterPolicy"], attributes["FilterPolicyScope"] = sub.filter.policy, sub.filter.shownScope()
			}
			k.Subscriptions = append(k.Subscriptions, KeptSubscription{sub.arn, sub.protocol, sub.endpoint, attributes})
		}
		kept[string(arn)[len(s.topicARN("")):]] = k
	}
	return kept
}

// Load adds the kept subscriptions that a topic lacks, under the ARNs that they had. The topic must exist.
func (s *Server) Load(name string, kept []KeptSubscription) error {
	arn := s.topicARN(name)
	for _, k := range kept {
		if s.subscribed(arn, k) {
			continue
		}
		made, err := s.Subscribe(arn, k.Protocol, k.Endpoint, k.Attributes)
		if err != nil {
			return fmt.Errorf("load the subscription of %s to the topic %s: %w", k.Endpoint, name, err)
		}
		s.mu.Lock()
		if t, i := s.find(made); t != nil && k.ARN != "" {
			renamed := *t.subs[i]
			renamed.arn = k.ARN
			t.subs[i] = &renamed
		}
		s.mu.Unlock()
	}
	return nil
}

// subscribed reports whether a topic has a subscription of this endpoint already.
func (s *Server) subscribed(topic TopicARN, k KeptSubscription) bool {
	subs, _ := s.of(topic) // a missing topic is reported by Subscribe
	for _, sub := range subs {
		if sub.protocol == k.Protocol && sub.endpoint == k.Endpoint {
			return true
		}
	}
	return false
}
