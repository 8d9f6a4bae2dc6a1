// Package iam decides who may do what, by the policies of IAM roles: identity policies with Allow and Deny,
// wildcards in actions and resources, conditions on DynamoDB's leading keys, and trust policies for AWS services. An element
// that it does not know, such as another condition, is an error when a policy is added, so that no policy is ever half
// understood.
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

// leadingKeys are the partition keys of the items that a DynamoDB call touches.
const leadingKeys = "dynamodb:LeadingKeys"

// operators compare one value of a call with one of a statement.
var operators = map[string]func(pattern, value string) bool{
	"ForAllValues:StringEquals": func(pattern, value string) bool { return pattern == value },
	"ForAllValues:StringLike":   Match,
}

// check refuses operators and keys that are not understood.
func (c conditions) check() error {
	for operator, keys := range c {
		if operators[operator] == nil {
			return fmt.Errorf("its Condition has the operator %q; those that are simulated are %s", operator,
				strings.Join(slices.Sorted(maps.Keys(operators)), ", "))
		}
		for key := range keys {
			if key != leadingKeys {
				return fmt.Errorf("its Condition has the key %q; the one that is simulated is %s", key, leadingKeys)
			}
		}
	}
	return nil
}

// hold reports whether all values of a call are among those that a statement demands. As on AWS, a call without values
// passes: ForAllValues says nothing about none.
func (c conditions) hold(call map[string][]string) bool {
	for operator, keys := range c {
		for key, patterns := range keys {
			for _, value := range call[key] {
				fits := func(pattern string) bool { return operators[operator](pattern, value) }
				if !slices.ContainsFunc(patterns, fits) {
					return false
				}
			}
		}
	}
	return true
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
