package expression

import (
	"strconv"
	"strings"

	"heliograph/simulator/dynamodb/attribute"
)

// Limits of AWS: "Constraints in Amazon DynamoDB", DynamoDB developer guide.
const (
	maxOperators  = 300
	maxInOperands = 100
	maxPathDepth  = 32
)

// parser reads one expression by recursive descent: one method for each rule of the grammar.
//
// No error stops it. AWS reports broken syntax ahead of undefined placeholders, reserved words and wrong types, even if
// those come earlier in the text. So a syntax error skips to the end of the text, while the first error of any other
// kind is kept in meaning and parsing goes on. The methods therefore return no errors; after a syntax error they return
// dummies, which read discards.
type parser struct {
	scope     *Scope
	text      string
	tokens    []token
	at        int
	syntax    error
	meaning   error
	operators int
}

// err returns the error to report, if any: syntax comes first.
func (p *parser) err() error {
	if p.syntax != nil {
		return p.syntax
	}
	return p.meaning
}

// peek returns the current token.
func (p *parser) peek() token { return p.tokens[p.at] }

// take consumes the current token. The end is never consumed, so there always is a current token.
func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

// reject records an error of meaning; only the first one is kept.
func (p *parser) reject(format string, args ...any) {
	p.check(attribute.Errorf(format, args...))
}

// check records err, unless it is nil, like reject.
func (p *parser) check(err error) {
	if p.meaning == nil && err != nil {
		p.meaning = err
	}
}

// syntaxError records the current token as the culprit, quotes its neighbours as AWS does, and skips the rest.
func (p *parser) syntaxError() {
	if p.syntax == nil {
		bad := p.peek()
		from, to := p.tokens[max(p.at-1, 0)], p.tokens[min(p.at+1, len(p.tokens)-1)]
		near := strings.TrimSpace(p.text[from.from : to.from+len(to.text)])
		p.syntax = attribute.Errorf("Syntax error; token: %s, near: \"%s\"", bad.shown(), near)
	}
	p.at = len(p.tokens) - 1
}

// isSign reports whether the current token is this sign.
func (p *parser) isSign(text string) bool {
	return p.peek().kind == sign && p.peek().text == text
}

// accept consumes the current token if it is this sign, and reports whether it did.
func (p *parser) accept(text string) bool {
	if p.isSign(text) {
		p.at++
		return true
	}
	return false
}

// expect consumes this sign; anything else is a syntax error.
func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.syntaxError()
	}
}

// isKeyword reports whether the current token is this keyword, in any case.
func (p *parser) isKeyword(keyword string) bool {
	return p.peek().kind == word && strings.EqualFold(p.peek().text, keyword)
}

// acceptKeyword consumes the current token if it is this keyword, and reports whether it did.
func (p *parser) acceptKeyword(keyword string) bool {
	if p.isKeyword(keyword) {
		p.at++
		return true
	}
	return false
}

// isCall reports whether a function call comes next. Only the parenthesis tells it from an attribute of the same name.
func (p *parser) isCall() bool {
	return p.peek().kind == word && p.tokens[p.at+1].kind == sign && p.tokens[p.at+1].text == "("
}

// operator counts one operator: AWS limits the number of comparisons, AND, OR, NOT, functions and the like in one
// expression.
func (p *parser) operator() {
	if p.operators++; p.operators == maxOperators+1 {
		p.reject("The expression contains too many operators; operator count: %d", p.operators)
	}
}

// path reads a document path: name ( .name | [index] )*.
func (p *parser) path() Path {
	path := Path{{Name: p.pathName()}}
	for {
		switch {
		case p.accept("."):
			path = append(path, Step{Name: p.pathName()})
		case p.accept("["):
			path = append(path, Step{Index: p.index()})
			p.expect("]")
		default:
			if len(path) > maxPathDepth {
				p.reject("The document path has too many nesting levels; nesting levels: %d", len(path))
			}
			return path
		}
	}
}

// pathName reads one name of a path: a plain word, unless that is reserved, or a #name.
func (p *parser) pathName() string {
	switch t := p.peek(); t.kind {
	case word:
		p.at++
		if Reserved(t.text) {
			p.reject("Attribute name is a reserved keyword; reserved keyword: %s", t.text)
		}
		return t.text
	case namePlace:
		p.at++
		name, err := p.scope.name(t.text)
		p.check(err)
		return name
	}
	p.syntaxError()
	return "?"
}

// index reads a list index. The lexer accepts digits only, so the sole possible error is a number too large for an int.
func (p *parser) index() int {
	t := p.peek()
	if t.kind != digits {
		p.syntaxError()
		return 0
	}
	p.at++
	i, err := strconv.Atoi(t.text)
	if err != nil {
		p.reject("List index is not within the allowable range; index: [%s]", t.text)
	}
	return i
}

// constant reads a :value. An undefined placeholder yields the zero Value, so checks of a constant's type apply only if
// it exists: otherwise they would complain about a type that was never given.
func (p *parser) constant() attribute.Value {
	v, err := p.scope.value(p.take().text)
	p.check(err)
	return v
}
