// Package iam decides who may do what, by the policies of IAM roles: identity policies with Allow and Deny,
// wildcards in actions and resources, conditions on DynamoDB's keys and attributes, and trust policies for AWS services.
// An element that it does not know, such as another condition, is an error when a policy is added, so that no policy is
// ever half understood.
package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Version is the supported version of the policy language, the current one.
const Version = "2012-10-17"

// statement is one statement of a policy document.
type statement struct {
	Sid       string
	Effect    string
	Action    words
	Resource  words
	Principal *struct{ Service words }
	Condition conditions
}

// conditions are the values that a statement demands, by operator and condition key.
type conditions map[string]map[string]words

// operator compares the values of a call with those of a statement.
type operator struct {
	fits func(pattern, value string) bool
	many bool // it is for keys with any number of values, and holds if all fit, so also without any
	lack bool // it holds if the call lacks the key
}

var operators = map[string]operator{
	"ForAllValues:StringEquals": {fits: equal, many: true, lack: true},
	"ForAllValues:StringLike":   {fits: Match, many: true, lack: true},
	"StringEquals":              {fits: equal},
	"StringEqualsIfExists":      {fits: equal, lack: true},
}

func equal(pattern, value string) bool { return pattern == value }

// conditionKeys are the condition keys that are understood, all of DynamoDB, and whether they can have many values.
// Source: "Using IAM policy conditions for fine-grained access control", DynamoDB developer guide.
var conditionKeys = map[string]bool{
	"dynamodb:Attributes":  true,  // the attributes that a call names
	"dynamodb:LeadingKeys": true,  // the partition keys of the items that it touches
	"dynamodb:Select":      false, // which attributes a read returns: ALL_ATTRIBUTES, SPECIFIC_ATTRIBUTES, …
}

// check refuses operators and keys that are not understood.
func (c conditions) check() error {
	for name, keys := range c {
		operator, known := operators[name]
		if !known {
			return fmt.Errorf("its Condition has the operator %q; those that are simulated are %s", name, listed(operators))
		}
		for key := range keys {
			many, known := conditionKeys[key]
			if !known {
				return fmt.Errorf("its Condition has the key %q; those that are simulated are %s", key, listed(conditionKeys))
			}
			if many != operator.many {
				return fmt.Errorf("its Condition has %q under %q; keys with many values, and no others, need an operator that begins with ForAllValues", key, name)
			}
		}
	}
	return nil
}

func listed[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// hold reports whether a call has only values that a statement lists, under each of its conditions.
func (c conditions) hold(call map[string][]string) bool {
	for name, keys := range c {
		for key, patterns := range keys {
			if !operators[name].hold(patterns, call[key]) {
				return false
			}
		}
	}
	return true
}

func (o operator) hold(patterns, values []string) bool {
	for _, value := range values {
		if !slices.ContainsFunc(patterns, func(pattern string) bool { return o.fits(pattern, value) }) {
			return false
		}
	}
	return len(values) > 0 || o.lack
}

// words is a string or a list of strings, which the policy language treats alike.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

// parse reads a policy document. Members that are not understood (NotAction, NotResource, …) are errors.
func parse(document string) ([]statement, error) {
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.DisallowUnknownFields()
	var policy struct {
		Version   string
		Id        string
		Statement json.RawMessage
	}
	if err := decoder.Decode(&policy); err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	if policy.Version != Version {
		return nil, fmt.Errorf("read the policy: Version is %q; it must be %q", policy.Version, Version)
	}
	statements, err := parseStatements(policy.Statement)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	for i, s := range statements {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("read the policy: statement %d: %w", i+1, err)
		}
	}
	return statements, nil
}

// parseStatements parses one statement or a list of them.
func parseStatements(data json.RawMessage) ([]statement, error) {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		list = []json.RawMessage{data}
	}
	if len(list) == 0 {
		return nil, errors.New("there is no statement")
	}
	statements := make([]statement, len(list))
	for i, text := range list {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&statements[i]); err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
	}
	return statements, nil
}

func (s statement) check() error {
	if s.Effect != "Allow" && s.Effect != "Deny" {
		return fmt.Errorf("its Effect is %q; it must be Allow or Deny", s.Effect)
	}
	if len(s.Action) == 0 {
		return errors.New("its Action is missing")
	}
	for _, action := range s.Action {
		if action != "*" && !strings.Contains(action, ":") {
			return fmt.Errorf("its Action %q is not <service>:<action>", action)
		}
	}
	return s.Condition.check()
}

// Match reports whether a text matches a pattern, in which * stands for any text and ? for any character.
func Match(pattern, text string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			rest := strings.TrimLeft(pattern, "*")
			for i := range len(text) + 1 {
				if Match(rest, text[i:]) {
					return true
				}
			}
			return false
		case '?':
			if text == "" {
				return false
			}
		default:
			if text == "" || text[0] != pattern[0] {
				return false
			}
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}
