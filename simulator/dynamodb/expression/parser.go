package expression

import (
	"strconv"
	"strings"

	"heliograph/simulator/dynamodb/attribute"
)

// Bounds of AWS: "Constraints in Amazon DynamoDB", DynamoDB developer guide.
const (
	maxOperators  = 300
	maxInOperands = 100
	maxPathDepth  = 32
)

// parser reads one expression by recursive descent. It never stops at an error: a syntax error moves
// it to the end of the text, any other is kept while it reads on, since AWS reports broken syntax
// before undefined placeholders, reserved words or wrong types.
type parser struct {
	scope     *Scope
	text      string
	tokens    []token
	at        int
	syntax    error
	meaning   error
	operators int
}

func (p *parser) err() error {
	if p.syntax != nil {
		return p.syntax
	}
	return p.meaning
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

// reject keeps the first error of meaning.
func (p *parser) reject(format string, args ...any) {
	p.check(attribute.Errorf(format, args...))
}

func (p *parser) check(err error) {
	if p.meaning == nil && err != nil {
		p.meaning = err
	}
}

// syntaxError blames the current token and skips the rest.
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

func (p *parser) accept(text string) bool {
	if p.isSign(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.syntaxError()
	}
}

// isKeyword reports whether the current token is this keyword, in any case.
func (p *parser) isKeyword(keyword string) bool {
	return p.peek().kind == word && strings.EqualFold(p.peek().text, keyword)
}

func (p *parser) acceptKeyword(keyword string) bool {
	if p.isKeyword(keyword) {
		p.at++
		return true
	}
	return false
}

// isCall reports whether a function's name and its parenthesis come next.
func (p *parser) isCall() bool {
	return p.peek().kind == word && p.tokens[p.at+1].kind == sign && p.tokens[p.at+1].text == "("
}

// operator counts what AWS counts as an operator: comparisons, AND, OR, NOT, functions and the like.
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

// constant reads a :value.
func (p *parser) constant() attribute.Value {
	v, err := p.scope.value(p.take().text)
	p.check(err)
	return v
}
