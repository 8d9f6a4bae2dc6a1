package alarm

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// rule is a parsed AlarmRule.
type rule struct {
	holds    func(state func(name string) State) bool
	children []string
	elements int // alarms, constants and pairs of parentheses, of which CloudWatch accepts 500
}

const maxElements = 500

var ruleToken = regexp.MustCompile(`^(?:[()]|"[^"]*"|'[^']*'|[^\s()"']+)`)

// parseRule parses a rule. Alarms may be named by ARN.
func parseRule(text string) (rule, error) {
	p := &ruleParser{}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		t := ruleToken.FindString(rest)
		if t == "" {
			return rule{}, fmt.Errorf("the rule %q can't be read from %q on", text, rest)
		}
		p.tokens, rest = append(p.tokens, t), rest[len(t):]
	}
	holds, err := p.or()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("%q is left over", p.tokens[0])
	}
	if err == nil && (len(p.children) > maxChildren || p.elements > maxElements) {
		err = fmt.Errorf("it has %d alarms and %d elements; CloudWatch takes %d and %d", len(p.children), p.elements, maxChildren, maxElements)
	}
	if err != nil {
		return rule{}, fmt.Errorf("the rule %q: %w", text, err)
	}
	p.rule.holds = holds
	return p.rule, nil
}

type condition = func(state func(name string) State) bool

type ruleParser struct {
	rule
	tokens []string
}

// accept consumes the next token if it is the wanted one.
func (p *ruleParser) accept(want string) bool {
	if len(p.tokens) == 0 || p.tokens[0] != want {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *ruleParser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.accept("OR") {
		a := left
		var b condition
		b, err = p.and()
		left = func(s func(string) State) bool { return a(s) || b(s) }
	}
	return left, err
}

func (p *ruleParser) and() (condition, error) {
	left, err := p.not()
	for err == nil && p.accept("AND") {
		a := left
		var b condition
		b, err = p.not()
		left = func(s func(string) State) bool { return a(s) && b(s) }
	}
	return left, err
}

// not parses a negation or an operand. CloudWatch limits the number of operands, so each is counted.
func (p *ruleParser) not() (condition, error) {
	if p.accept("NOT") {
		of, err := p.not()
		return func(s func(string) State) bool { return !of(s) }, err
	}
	p.elements++
	switch {
	case p.accept("TRUE"):
		return func(func(string) State) bool { return true }, nil
	case p.accept("FALSE"):
		return func(func(string) State) bool { return false }, nil
	case p.accept("("):
		inner, err := p.or()
		if err == nil && !p.accept(")") {
			err = fmt.Errorf("a closing parenthesis is missing")
		}
		return inner, err
	}
	return p.state()
}

// state parses ALARM(name), OK(name) or INSUFFICIENT_DATA(name).
func (p *ruleParser) state() (condition, error) {
	for _, want := range []State{OK, Alarming, InsufficientData} {
		if !p.accept(string(want)) {
			continue
		}
		if !p.accept("(") || len(p.tokens) == 0 {
			return nil, fmt.Errorf("%s needs the name of an alarm in parentheses", want)
		}
		name := nameOf(strings.Trim(p.tokens[0], `"'`))
		if p.tokens = p.tokens[1:]; !p.accept(")") {
			return nil, fmt.Errorf("a closing parenthesis is missing after %s", name)
		}
		if !slices.Contains(p.children, name) {
			p.children = append(p.children, name)
		}
		return func(s func(string) State) bool { return s(name) == want }, nil
	}
	if len(p.tokens) == 0 {
		return nil, fmt.Errorf("it ends too early")
	}
	return nil, fmt.Errorf("%q is not one of ALARM, OK, INSUFFICIENT_DATA, TRUE, FALSE, NOT and an opening parenthesis", p.tokens[0])
}

// nameOf is the name in an alarm's ARN, or the name itself.
func nameOf(alarm string) string {
	if _, name, isARN := strings.Cut(alarm, ":alarm:"); isARN {
		return name
	}
	return alarm
}
