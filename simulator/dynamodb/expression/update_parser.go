package expression

import (
	"strings"

	"heliograph/simulator/dynamodb/attribute"
)

// update reads the sections SET, REMOVE, ADD and DELETE, each at most once, in any order. Colliding paths are looked
// for only in an update without other errors.
func (p *parser) update() *Update {
	u, seen := &Update{}, map[string]bool{}
	sections := map[string]func(*Update){
		"SET": p.setAction, "REMOVE": p.removeAction, "ADD": p.addAction, "DELETE": p.deleteAction,
	}
	for p.peek().kind != end {
		keyword := strings.ToUpper(p.peek().text)
		action, ok := sections[keyword]
		if !ok {
			p.syntaxError()
			break
		}
		p.at++
		if seen[keyword] {
			p.reject("The %q section can only be used once in an update expression;", keyword)
		}
		seen[keyword] = true
		for action(u); p.accept(","); {
			action(u)
		}
	}
	if p.err() == nil {
		p.check(checkDisjoint(u.Paths()))
	}
	return u
}

// setAction reads: path = sum.
func (p *parser) setAction(u *Update) {
	path := p.path()
	p.expect("=")
	u.sets = append(u.sets, change{path, p.sum()})
}

// removeAction reads: path.
func (p *parser) removeAction(u *Update) { u.removes = append(u.removes, p.path()) }

// addAction reads: path :value, where the value is a number or a set.
func (p *parser) addAction(u *Update) {
	u.adds = append(u.adds, p.constantChange("ADD", "ALLOWED_FOR_ADD_OPERAND", func(k attribute.Kind) bool {
		return k == attribute.Number || k.IsSet()
	}))
}

// deleteAction reads: path :value, where the value is a set.
func (p *parser) deleteAction(u *Update) {
	u.deletes = append(u.deletes, p.constantChange("DELETE", "ALLOWED_FOR_DELETE_OPERAND", attribute.Kind.IsSet))
}

// constantChange reads: path :value, the form of ADD and DELETE.
func (p *parser) constantChange(operator, typeSet string, allowed func(attribute.Kind) bool) change {
	p.operator()
	path := p.path()
	if p.peek().kind != valuePlace {
		p.syntaxError()
		return change{path, constant{}}
	}
	v := p.constant()
	if v.Exists() && !allowed(v.Kind()) {
		p.reject("Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: %s", operator, longTypeNames[v.Kind()], typeSet)
	}
	return change{path, constant{v}}
}

// longTypeNames are type names that AWS uses in the errors of ADD and DELETE only.
var longTypeNames = map[attribute.Kind]string{
	attribute.String: "STRING", attribute.Number: "NUMBER", attribute.Binary: "BINARY",
	attribute.StringSet: "STRING_SET", attribute.NumberSet: "NUMBER_SET", attribute.BinarySet: "BINARY_SET",
	attribute.List: "LIST", attribute.Map: "MAP", attribute.Bool: "BOOLEAN", attribute.Null: "NULL",
}

// sum reads: source, or source ( + | - ) source. Longer sums are a syntax error on AWS, too.
func (p *parser) sum() source {
	left := p.source()
	op := p.peek().text
	if !p.accept("+") && !p.accept("-") {
		return left
	}
	p.operator()
	right := p.source()
	p.sourceTypes(op, attribute.Number, left, right)
	return arithmetic{op, left, right}
}

// sourceTypes refuses constants of any other type. Paths are checked when the update is applied.
func (p *parser) sourceTypes(operator string, kind attribute.Kind, sources ...source) {
	for _, s := range sources {
		if c, ok := s.(constant); ok && c.Exists() && c.Kind() != kind {
			p.reject("Incorrect operand type for operator or function; operator or function: %s, operand type: %v", operator, c.Kind())
		}
	}
}

// source reads a path, a :value, a function or a sum in parentheses.
func (p *parser) source() source {
	switch {
	case p.isCall():
		return p.sourceFunction()
	case p.peek().kind == valuePlace:
		return constant{p.constant()}
	case p.accept("("):
		inner := p.sum()
		p.expect(")")
		return inner
	}
	return p.path()
}

// sourceFunction reads if_not_exists or list_append. The latter can't be nested; an if_not_exists can, as in
// list_append(if_not_exists(list, :empty), :more).
func (p *parser) sourceFunction() source {
	p.operator()
	name := p.take().text
	p.expect("(")
	args := []source{p.source()}
	for p.accept(",") {
		args = append(args, p.source())
	}
	p.expect(")")
	for _, arg := range args {
		if _, nested := arg.(listAppend); nested {
			p.reject("The function is not allowed to be used this way in an expression; function: list_append")
		}
	}
	if !p.checkCall(name, len(args), updateFunctions) {
		return constant{}
	}
	if name == "list_append" {
		p.sourceTypes(name, attribute.List, args...)
		return listAppend{args[0], args[1]}
	}
	path, ok := args[0].(Path)
	if !ok {
		p.reject("Operator or function requires a document path; operator or function: %s", name)
	}
	return ifNotExists{path, args[1]}
}
