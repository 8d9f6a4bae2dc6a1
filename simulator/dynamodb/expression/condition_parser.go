package expression

import (
	"heliograph/simulator/dynamodb/attribute"
)

// condition reads: conjunction ( OR conjunction )*.
//
// Precedence follows from the nesting of the methods: condition (OR) binds least, then conjunction (AND), then negation
// (NOT), then predicate.
func (p *parser) condition() Condition {
	left := p.conjunction()
	for p.acceptKeyword("OR") {
		p.operator()
		left = or{left, p.conjunction()}
	}
	return left
}

// conjunction reads: negation ( AND negation )*.
func (p *parser) conjunction() Condition {
	left := p.negation()
	for p.acceptKeyword("AND") {
		p.operator()
		left = and{left, p.negation()}
	}
	return left
}

// negation reads: NOT negation, or ( condition ), or a predicate.
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

// parenthesis reads: ( condition ).
func (p *parser) parenthesis() Condition {
	p.expect("(")
	redundant := p.isSign("(")
	inner := p.at
	c := p.condition()
	// Like AWS, it refuses ((a)), but not ((a) AND (b)): that outer pair encloses more than the inner one.
	if redundant && p.closes(inner) {
		p.reject("The expression has redundant parentheses;")
	}
	p.expect(")")
	return c
}

// closes reports whether the parenthesis opened at this token is closed by the token just read, and so encloses all
// that was read since.
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

// predicate reads a function that yields a truth value, a comparison, BETWEEN or IN. A call can begin either kind; the
// token after it decides.
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

// comesComparison reports whether a comparator, BETWEEN or IN comes next, so that the call just read is an operand
// rather than a condition.
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

// comparison reads the right side of a comparison. Any types may be equal or not; the other operators need ordered
// ones.
//
// Constants are checked here, not on evaluation: AWS refuses a wrong type even where evaluation would never reach it.
func (p *parser) comparison(op string, left operand) Condition {
	p.operator()
	right := p.operand()
	p.distinct(op, left, right)
	if op != "=" && op != "<>" {
		p.ordered(op, left, right)
	}
	return comparison{op, left, right}
}

// distinct refuses to compare a path with itself, as AWS does.
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

// ordered refuses constants of types without an order. Paths are known only with the item; there, a wrong type makes
// the comparison false.
func (p *parser) ordered(op string, operands ...operand) {
	for _, o := range operands {
		if c, ok := o.(constant); ok && c.Exists() && !c.Ordered() {
			p.reject("Incorrect operand type for operator or function; operator: %s, operand type: %v", op, c.Kind())
		}
	}
}

// between reads: low AND high. The AND is taken here, so it never reaches conjunction.
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

// bounds refuses constant bounds that no value can lie between.
func (p *parser) bounds(low, high attribute.Value) {
	switch {
	case low.Kind() != high.Kind():
		p.reject("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", shown(low), shown(high))
	case low.Compare(high) > 0:
		p.reject("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", shown(low), shown(high))
	}
}

// shown returns a value as AWS's errors show it: {S:text}.
func shown(v attribute.Value) string { return "{" + v.Kind().String() + ":" + v.Text() + "}" }

// in reads the list of candidates of an IN.
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
