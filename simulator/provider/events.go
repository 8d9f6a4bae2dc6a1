package provider

import (
	"errors"
	"fmt"

	"heliograph/simulator/lambda"
)

// rule is a schedule that waits for its targets.
type rule struct{ arn, expression string }

type eventRuleInputs struct {
	tagged
	Name               string `json:"name"`
	Description        string `json:"description"`
	ScheduleExpression string `json:"scheduleExpression"`
}

func createEventRule(p *provider, _ declaration, in eventRuleInputs) (created, error) {
	if in.ScheduleExpression == "" {
		return created{}, errors.New("scheduleExpression is missing; rules with an event pattern are not simulated")
	}
	arn := p.ARN("events", "rule/"+in.Name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules[in.Name] = rule{arn: arn, expression: in.ScheduleExpression}
	return created{in.Name, map[string]any{"arn": arn}}, nil
}

type eventTargetInputs struct {
	Rule        string `json:"rule"`
	ARN         string `json:"arn"`
	Input       string `json:"input"`
	RetryPolicy struct {
		MaximumRetryAttempts     int `json:"maximumRetryAttempts"`
		MaximumEventAgeInSeconds int `json:"maximumEventAgeInSeconds"`
	} `json:"retryPolicy"`
}

func createEventTarget(p *provider, d declaration, in eventTargetInputs) (created, error) {
	p.mu.Lock()
	rule, ok := p.rules[in.Rule]
	p.mu.Unlock()
	if !ok {
		return created{}, fmt.Errorf("there is no rule %q", in.Rule)
	}
	p.checkLater(func() error { // the permission may be declared after the target
		if p.Functions.Permitted(in.ARN, "events.amazonaws.com", rule.arn) {
			return nil
		}
		return fmt.Errorf("%s %q: the function %s does not permit events.amazonaws.com to invoke it for %s", d.Type, d.Name, in.ARN, rule.arn)
	})
	err := p.Sources.AddSchedule(lambda.ScheduleConfig{
		Function: in.ARN, RuleARN: rule.arn, Expression: rule.expression, Input: in.Input,
	})
	if err != nil {
		return created{}, err
	}
	return created{in.Rule + "-" + d.Name, map[string]any{"targetId": d.Name}}, nil
}
