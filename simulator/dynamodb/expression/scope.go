// Package expression parses and evaluates DynamoDB's expressions: conditions, filters, key conditions, updates and
// projections. It refuses the expressions that AWS refuses, in AWS's words where they are known, and knows nothing of
// tables.
//
// A Scope holds the placeholders of one request and parses its expressions, each in two steps: the lexer splits the
// text into tokens, and the parser turns them into a small tree that evaluates itself against an item. Every fault that
// shows without an item is refused while parsing, because AWS does so before it reads one.
package expression

import (
	"maps"
	"slices"
	"strings"

	"heliograph/simulator/dynamodb/attribute"
)

// maxLength is the longest expression, in bytes.
const maxLength = 4096

// Scope holds one request's placeholders, and those that none of its expressions has used yet.
type Scope struct {
	names      map[string]string
	values     map[string]attribute.Value
	unusedName map[string]bool
	unusedVal  map[string]bool
}

// NewScope takes a request's ExpressionAttributeNames and ExpressionAttributeValues. Nil means that the request has
// none; an empty map is an error, as on AWS. The error is an *attribute.Error.
func NewScope(names map[string]string, values map[string]attribute.Value) (*Scope, error) {
	if err := checkPlaceholders("ExpressionAttributeNames", '#', names); err != nil {
		return nil, err
	}
	if err := checkPlaceholders("ExpressionAttributeValues", ':', values); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if err := attribute.CheckName(names[key]); err != nil {
			return nil, attribute.Errorf("ExpressionAttributeNames contains invalid value: %v for key %s", err, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if v := values[key]; v.Kind() == attribute.Invalid {
			return nil, attribute.Errorf("ExpressionAttributeValues contains invalid value: %s for key %s", v.Text(), key)
		}
	}
	return &Scope{names: names, values: values, unusedName: keysOf(names), unusedVal: keysOf(values)}, nil
}

// checkPlaceholders refuses an empty map and malformed placeholders: mark, then at least one letter, digit or
// underscore.
func checkPlaceholders[V any](what string, mark byte, m map[string]V) error {
	if m != nil && len(m) == 0 {
		return attribute.Errorf("%s must not be empty", what)
	}
	for key := range m {
		if len(key) < 2 || key[0] != mark || run(key, 1, isWordByte) != len(key) {
			return attribute.Errorf("%s contains invalid key: Syntax error; key: %q", what, key)
		}
	}
	return nil
}

func keysOf[V any](m map[string]V) map[string]bool {
	keys := make(map[string]bool, len(m))
	for key := range m {
		keys[key] = true
	}
	return keys
}

// Finish refuses placeholders that no expression has used. Call it after parsing the request's last expression.
func (s *Scope) Finish() error {
	if len(s.unusedName) > 0 {
		return attribute.Errorf("Value provided in ExpressionAttributeNames unused in expressions: keys: %s", braced(s.unusedName))
	}
	if len(s.unusedVal) > 0 {
		return attribute.Errorf("Value provided in ExpressionAttributeValues unused in expressions: keys: %s", braced(s.unusedVal))
	}
	return nil
}

func braced(keys map[string]bool) string {
	return "{" + strings.Join(slices.Sorted(maps.Keys(keys)), ", ") + "}"
}

// name resolves a #name and marks it as used.
func (s *Scope) name(placeholder string) (string, error) {
	name, ok := s.names[placeholder]
	if !ok {
		return "", attribute.Errorf("An expression attribute name used in the document path is not defined; attribute name: %s", placeholder)
	}
	delete(s.unusedName, placeholder)
	return name, nil
}

// value resolves a :value and marks it as used.
func (s *Scope) value(placeholder string) (attribute.Value, error) {
	v, ok := s.values[placeholder]
	if !ok {
		return attribute.Value{}, attribute.Errorf("An expression attribute value used in expression is not defined; attribute value: %s", placeholder)
	}
	delete(s.unusedVal, placeholder)
	return v, nil
}

// Condition reads a ConditionExpression or a FilterExpression. which is the parameter's name, for errors.
func (s *Scope) Condition(which, text string) (Condition, error) {
	return read(s, which, text, (*parser).condition)
}

// Update reads an UpdateExpression.
func (s *Scope) Update(text string) (*Update, error) {
	return read(s, "UpdateExpression", text, (*parser).update)
}

// Projection reads a ProjectionExpression.
func (s *Scope) Projection(text string) (Projection, error) {
	return read(s, "ProjectionExpression", text, (*parser).projection)
}

// read parses a whole expression by one grammar rule, and prefixes errors with the parameter's name.
func read[T any](s *Scope, which, text string, grammar func(*parser) T) (T, error) {
	var zero T
	invalid := func(err error) error { return attribute.Errorf("Invalid %s: %v", which, err) }
	if strings.TrimSpace(text) == "" {
		return zero, invalid(attribute.Errorf("The expression can not be empty;"))
	}
	if len(text) > maxLength {
		return zero, invalid(attribute.Errorf("Expression size has exceeded the maximum allowed size; expression size: %d", len(text)))
	}
	p := &parser{scope: s, text: text, tokens: lex(text)}
	result := grammar(p)
	if p.peek().kind != end {
		p.syntaxError()
	}
	if err := p.err(); err != nil {
		return zero, invalid(err)
	}
	return result, nil
}
