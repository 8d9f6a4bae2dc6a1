package metricmath

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Expression is a parsed expression.
type Expression struct {
	source string
	root   node
}

// Parse parses an expression. An unknown function is an error that names it.
func Parse(source string) (*Expression, error) {
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	root, err := p.binary(0)
	if err == nil && p.peek() != "" {
		err = fmt.Errorf("%q is left over", p.peek())
	}
	if err != nil {
		return nil, fmt.Errorf("the expression %q: %w", source, err)
	}
	return &Expression{source, root}, nil
}

// References are the ids that the expression refers to, sorted.
func (e *Expression) References() []string {
	ids := map[string]bool{}
	walk(e.root, func(n node) {
		if n.op == opID {
			ids[n.text] = true
		}
	})
	return slices.Sorted(maps.Keys(ids))
}

// Calls reports whether the expression calls a function.
func (e *Expression) Calls(function string) (found bool) {
	walk(e.root, func(n node) { found = found || n.op == opCall && n.text == function })
	return found
}

func walk(n node, do func(node)) {
	do(n)
	for _, kid := range n.kids {
		walk(kid, do)
	}
}

// node is a part of an expression.
type node struct {
	op   op
	text string // the operator, the function, the id, or the text
	kids []node
}

type op int

const (
	opNumber op = iota
	opText
	opID
	opWord // an option such as REPEAT
	opArray
	opNegate
	opBinary
	opCall
)

var token = regexp.MustCompile(`^(?:[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?|[A-Za-z_][A-Za-z0-9_]*|"[^"]*"|'[^']*'|==|!=|<=|>=|&&|\|\||[-+*/^<>()\[\],])`)

func lex(source string) (tokens []string, err error) {
	for rest := strings.TrimSpace(source); rest != ""; rest = strings.TrimSpace(rest) {
		t := token.FindString(rest)
		if t == "" {
			return nil, fmt.Errorf("the expression %q can't be read from %q on", source, rest)
		}
		tokens, rest = append(tokens, t), rest[len(t):]
	}
	return tokens, nil
}

type parser struct {
	tokens []string
	at     int
}

// peek returns the next token, "" at the end.
func (p *parser) peek() string {
	if p.at == len(p.tokens) {
		return ""
	}
	return p.tokens[p.at]
}

func (p *parser) next() string {
	t := p.peek()
	p.at = min(p.at+1, len(p.tokens))
	return t
}

func (p *parser) expect(want string) error {
	if got := p.next(); got != want {
		return fmt.Errorf("%q is missing before %q", want, got)
	}
	return nil
}

// synonyms are the operators with two spellings.
var synonyms = map[string]string{"AND": "&&", "OR": "||"}

// levels are the operators by precedence, lowest first.
var levels = [][]string{{"||"}, {"&&"}, {"==", "!=", "<", "<=", ">", ">="}, {"+", "-"}, {"*", "/"}}

// binary parses operators of a level and above, from left to right.
func (p *parser) binary(level int) (node, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil {
		operator := p.peek()
		if long, ok := synonyms[operator]; ok {
			operator = long
		}
		if !slices.Contains(levels[level], operator) {
			return left, nil
		}
		p.next()
		var right node
		right, err = p.binary(level + 1)
		left = node{opBinary, operator, []node{left, right}}
	}
	return node{}, err
}

func (p *parser) unary() (node, error) {
	if p.peek() == "-" {
		p.next()
		of, err := p.unary()
		return node{op: opNegate, kids: []node{of}}, err
	}
	base, err := p.primary()
	if err != nil || p.peek() != "^" {
		return base, err
	}
	p.next()
	exponent, err := p.unary()
	return node{opBinary, "^", []node{base, exponent}}, err
}

// primary parses an operand: a number, a text, an id, an array, a call, or an expression in parentheses.
func (p *parser) primary() (node, error) {
	switch t := p.next(); {
	case t == "":
		return node{}, fmt.Errorf("it ends too early")
	case t == "(":
		inner, err := p.binary(0)
		if err != nil {
			return node{}, err
		}
		return inner, p.expect(")")
	case t == "[":
		kids, err := p.list("]")
		return node{op: opArray, kids: kids}, err
	case t[0] == '"' || t[0] == '\'':
		return node{op: opText, text: t[1 : len(t)-1]}, nil
	case t[0] >= '0' && t[0] <= '9' || t[0] == '.':
		return node{op: opNumber, text: t}, nil
	case t[0] >= 'a' && t[0] <= 'z':
		return node{op: opID, text: t}, nil
	default:
		return p.function(t)
	}
}

// function parses a call, or a word that is an option of one.
func (p *parser) function(name string) (node, error) {
	if p.peek() != "(" {
		if slices.Contains(words, name) {
			return node{op: opWord, text: name}, nil
		}
		return node{}, fmt.Errorf("%q is no id, which starts with a small letter, and no function that is called", name)
	}
	f, known := functions[name]
	if !known {
		return node{}, fmt.Errorf("the function %s is not simulated; these are: %s", name, strings.Join(slices.Sorted(maps.Keys(functions)), ", "))
	}
	p.next()
	kids, err := p.list(")")
	if err == nil && (len(kids) < f.least || len(kids) > f.most) {
		err = fmt.Errorf("%s takes %d to %d arguments, not %d", name, f.least, f.most, len(kids))
	}
	return node{opCall, name, kids}, err
}

// list parses comma-separated elements.
func (p *parser) list(end string) (kids []node, err error) {
	if p.peek() == end {
		p.next()
		return nil, nil
	}
	for {
		kid, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
		if p.peek() != "," {
			return kids, p.expect(end)
		}
		p.next()
	}
}

func number(text string) Value {
	v, _ := strconv.ParseFloat(text, 64) // the lexer accepts nothing else
	return Value{kind: scalar, number: v}
}
