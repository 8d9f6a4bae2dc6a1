package expression

import (
	"heliograph/simulator/dynamodb/attribute"
)

// condition reads: and ( OR and )*.
func (p *parser) condition() Condition {
	left := p.conjunction()
	for p.acceptKeyword("OR") {
		p.operator()
		left = or{left, p.conjunction()}
	}
	return left
}

func (p *parser) conjunction() Condition {
	left := p.negation()
	for p.acceptKeyword("AND") {
		p.operator()
		left = and{left, p.negation()}
	}
	return left
}

func (p *parser) negation() Condition {
	if p.acceptKeyword("NOT") {
		p.operator()
		return not{p.negation()}
	}
	if p.isSign("(") {
		return p.parenthesis()
	}
	return p.predicate()
}

func (p *parser) parenthesis() Condition {
	p.expect("(")
	redundant := p.isSign("(")
	inner := p.at
	c := p.condition()
	// ((a)) is refused, (a) AND (b) inside one pair is not.
	if redundant && p.closes(inner) {
		p.reject("The expression has redundant parentheses;")
	}
	p.expect(")")
	return c
}

// closes reports whether the parenthesis opened at this token is closed by the token just read.
func (p *parser) closes(open int) bool {
	depth := 0
	for i := open; i < p.at; i++ {
		if p.tokens[i].kind != sign {
			continue
		}
		switch p.tokens[i].text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return i == p.at-1
			}
		}
	}
	return false
}

// predicate reads a function that gives a truth value, a comparison, BETWEEN or IN.
func (p *parser) predicate() Condition {
	var left operand
	if p.isCall() {
		name, args := p.call()
		if !p.comesComparison() {
			return p.test(name, args)
		}
		left = p.size(name, args)
	} else {
		left = p.operand()
	}
	switch t := p.peek(); {
	case p.acceptKeyword("BETWEEN"):
		return p.between(left)
	case p.acceptKeyword("IN"):
		return p.in(left)
	case t.kind == sign && isComparator(t.text):
		p.at++
		return p.comparison(t.text, left)
	}
	p.syntaxError()
	return exists{}
}

// comesComparison reports whether what was read is an operand, not a condition of its own.
func (p *parser) comesComparison() bool {
	t := p.peek()
	return t.kind == sign && isComparator(t.text) || p.isKeyword("BETWEEN") || p.isKeyword("IN")
}

func isComparator(text string) bool {
	switch text {
	case "=", "<>", "<", "<=", ">", ">=":
		return true
	}
	return false
}

func (p *parser) comparison(op string, left operand) Condition {
	p.operator()
	right := p.operand()
	p.distinct(op, left, right)
	if op != "=" && op != "<>" {
		p.ordered(op, left, right)
	}
	return comparison{op, left, right}
}

// distinct refuses a path compared with itself.
func (p *parser) distinct(op string, left operand, others ...operand) {
	path, ok := left.(Path)
	if !ok {
		return
	}
	for _, other := range others {
		if q, ok := other.(Path); ok && clash(path, q) == "overlap" && len(path) == len(q) {
			p.reject("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %v", op, path)
		}
	}
}

// ordered refuses constants that have no order.
func (p *parser) ordered(op string, operands ...operand) {
	for _, o := range operands {
		if c, ok := o.(constant); ok && c.Exists() && !c.Ordered() {
			p.reject("Incorrect operand type for operator or function; operator: %s, operand type: %v", op, c.Kind())
		}
	}
}

func (p *parser) between(value operand) Condition {
	p.operator()
	low := p.operand()
	if !p.acceptKeyword("AND") {
		p.syntaxError()
	}
	high := p.operand()
	p.ordered("BETWEEN", value, low, high)
	l, lok := low.(constant)
	h, hok := high.(constant)
	if lok && hok && l.Ordered() && h.Ordered() {
		p.bounds(l.Value, h.Value)
	}
	return between{value, low, high}
}

func (p *parser) bounds(low, high attribute.Value) {
	switch {
	case low.Kind() != high.Kind():
		p.reject("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", shown(low), shown(high))
	case low.Compare(high) > 0:
		p.reject("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", shown(low), shown(high))
	}
}

func shown(v attribute.Value) string { return "{" + v.Kind().String() + ":" + v.Text() + "}" }

func (p *parser) in(value operand) Condition {
	p.operator()
	list := p.arguments()
	if len(list) > maxInOperands {
		p.reject("The IN operator is provided with too many operands; number of operands: %d", len(list))
	}
	p.distinct("IN", value, list...)
	return in{value, list}
}

// arguments reads ( operand, … ).
func (p *parser) arguments() []operand {
	p.expect("(")
	list := []operand{p.operand()}
	for p.accept(",") {
		list = append(list, p.operand())
	}
	p.expect(")")
	return list
}

// operand reads a path, a :value or size(path).
func (p *parser) operand() operand {
	switch {
	case p.isCall():
		return p.size(p.call())
	case p.peek().kind == valuePlace:
		return constant{p.constant()}
	}
	return p.path()
}
