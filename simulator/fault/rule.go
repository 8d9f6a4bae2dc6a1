package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ID identifies a rule in effect.
type ID string

// Service is where a rule takes effect.
type Service string

// The services. The first five are AWS's APIs by their signing names.
const (
	DynamoDB Service = "dynamodb"
	SQS      Service = "sqs"
	SNS      Service = "sns"
	SSM      Service = "ssm"
	// Connections is the @connections API of WebSocket APIs.
	Connections Service = "execute-api"
	// Lambda covers invocations of functions, by any caller; the resource is the function's ARN.
	Lambda Service = "lambda"
	// Disconnect covers $disconnect events; the resource is the connection's ARN in the @connections API.
	Disconnect Service = "disconnect"
	// Delivery covers deliveries from queues and streams; the resource is the queue's or the stream's ARN.
	Delivery Service = "delivery"
)

// Rule describes a fault. Service and at least one effect are required.
type Rule struct {
	// ID is assigned by Set.Add, and must be empty before.
	ID ID `json:"id,omitempty"`

	// Service, Action, Resource and Caller select the events. An empty value of the last three means any.
	Service Service `json:"service"`
	// Action is an action's name, such as "PutItem", or "*".
	Action string `json:"action,omitempty"`
	// Resource is a pattern for an ARN, in which * stands for any text and ? for any character.
	Resource string `json:"resource,omitempty"`
	// Caller is such a pattern for the name of the calling role, which is the function's, such as "*-send". A rule with
	// a caller affects only functions.
	Caller string `json:"caller,omitempty"`

	// Error is the code that the service returns, or NoAnswer, or LostAnswer.
	Error string `json:"error,omitempty"`
	// Down is the error of an unavailable service.
	Down bool `json:"down,omitempty"`
	// Latency delays the event. With Kill it is the moment of death, with Duplicate the time after the first delivery.
	Latency *Latency `json:"latency,omitempty"`
	// Lost drops a $disconnect.
	Lost bool `json:"lost,omitempty"`
	// Duplicate delivers a message, or a batch of a stream, once more.
	Duplicate bool `json:"duplicate,omitempty"`
	// Kill kills the function at a random moment of the invocation, or after Latency; one that answers earlier is
	// killed before its answer counts.
	Kill bool `json:"kill,omitempty"`

	// Rate is the share of events that it affects, above 0 and up to 1. 0 means all.
	Rate float64 `json:"rate,omitempty"`
	// Count is the number of events after which the rule is spent. 0 means never.
	Count int `json:"count,omitempty"`
	// Seed reproduces the random choices of an earlier run. 0 draws a seed.
	Seed uint64 `json:"seed,omitempty"`
}

// These take the place of an error code, and cut the connection.
const (
	// NoAnswer cuts it before the call is carried out.
	NoAnswer = "NoAnswer"
	// LostAnswer cuts it afterwards.
	LostAnswer = "LostAnswer"
)

// breaksOff reports whether a rule cuts the connection.
func (r Rule) breaksOff() bool { return r.Error == NoAnswer || r.Error == LostAnswer }

// effects are the possible faults of a service's events. Latency combines with each.
var effects = map[Service][]string{
	DynamoDB: {"error", "down", "latency"}, SQS: {"error", "down", "latency"}, SNS: {"error", "down", "latency"},
	SSM: {"error", "down", "latency"}, Connections: {"error", "down", "latency"},
	Lambda:     {"error", "down", "latency", "kill"},
	Disconnect: {"lost", "latency"},
	Delivery:   {"duplicate"},
}

// chosen are the effects that a rule requests.
func (r Rule) chosen() (names []string) {
	for _, e := range []struct {
		name string
		set  bool
	}{{"error", r.Error != ""}, {"down", r.Down}, {"lost", r.Lost}, {"duplicate", r.Duplicate}, {"kill", r.Kill}} {
		if e.set {
			names = append(names, e.name)
		}
	}
	if len(names) == 0 && r.Latency != nil {
		names = []string{"latency"}
	}
	return names
}

// check checks a rule. actions are those of its service.
func (r Rule) check(actions []string) error {
	allowed, known := effects[r.Service]
	if !known {
		return fmt.Errorf("the service %q is not known; there are %s", r.Service, sorted(effects))
	}
	if r.ID != "" {
		return fmt.Errorf("the id %q must not be given: a new rule gets one", r.ID)
	}
	return errors.Join(r.checkAction(actions), r.checkEffect(allowed), r.checkFrequency())
}

func (r Rule) checkAction(actions []string) error {
	switch {
	case r.Action == "" || r.Action == wildcard || slices.Contains(actions, r.Action):
		return nil
	case len(actions) == 0:
		return fmt.Errorf("the action is %q, and %s has none: leave it out", r.Action, r.Service)
	}
	return fmt.Errorf("the action %q of %s is not known; there are *, %s", r.Action, r.Service, strings.Join(slices.Sorted(slices.Values(actions)), ", "))
}

func (r Rule) checkEffect(allowed []string) error {
	chosen := r.chosen()
	switch {
	case len(chosen) == 0:
		return fmt.Errorf("the rule has no effect; %s may have one of %s", r.Service, strings.Join(allowed, ", "))
	case len(chosen) > 1:
		return fmt.Errorf("a rule has one effect, not %s", strings.Join(chosen, " and "))
	case !slices.Contains(allowed, chosen[0]):
		return fmt.Errorf("the effect %s does not fit %s, which may have %s", chosen[0], r.Service, strings.Join(allowed, ", "))
	case r.Error != "" && !r.breaksOff() && codes[r.Service][r.Error] == nil,
		r.breaksOff() && r.Service == Lambda: // there is no connection to cut
		return fmt.Errorf("the error %q of %s is not known; there are %s", r.Error, r.Service, knownCodes(r.Service))
	case r.Caller != "" && (r.Service == Lambda || r.Service == Disconnect || r.Service == Delivery):
		return fmt.Errorf("the caller is %q, and %s has none: leave it out", r.Caller, r.Service)
	}
	return nil
}

func (r Rule) checkFrequency() error {
	var errs []error
	if !(r.Rate >= 0 && r.Rate <= 1) { // also rejects NaN
		errs = append(errs, fmt.Errorf("the rate is %v; it must be over 0 and at most 1", r.Rate))
	}
	if r.Count < 0 {
		errs = append(errs, fmt.Errorf("the count is %d; it must be at least 1", r.Count))
	}
	return errors.Join(errs...)
}
