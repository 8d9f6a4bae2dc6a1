package expression

import (
	"slices"

	"heliograph/simulator/dynamodb/attribute"
)

// Functions by the place where they are allowed, with the number of their operands. size is missing: it is allowed in
// conditions, but as an operand, and has a parsing method of its own.
var (
	conditionFunctions = map[string]int{
		"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2,
	}
	updateFunctions = map[string]int{"if_not_exists": 2, "list_append": 2}
)

// allTypes is the list of types, in the order in which AWS's error has them.
const allTypes = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"

// call reads a function's name and its operands. An operand must not be a function itself.
func (p *parser) call() (name string, args []operand) {
	p.operator()
	name = p.take().text
	args = p.arguments()
	for _, arg := range args {
		if _, nested := arg.(sizeOf); nested {
			p.reject("The function is not allowed to be used this way in an expression; function: size")
		}
	}
	return name, args
}

// test builds the condition of a function that yields a truth value.
func (p *parser) test(name string, args []operand) Condition {
	if !p.checkCall(name, len(args), conditionFunctions) {
		return exists{}
	}
	switch name {
	case "attribute_exists":
		return exists{p.pathOnly(name, args[0])}
	case "attribute_not_exists":
		return not{exists{p.pathOnly(name, args[0])}}
	case "attribute_type":
		return hasType{args[0], p.typeName(args[1])}
	case "begins_with":
		p.distinctCall(name, args)
		p.operandTypes(name, args, attribute.String, attribute.Binary)
		return beginsWith{args[0], args[1]}
	default:
		p.distinctCall(name, args)
		return contains{args[0], args[1]}
	}
}

// checkCall refuses an unknown function, a misplaced one, and one with too few or too many operands. It reports whether
// the call is fine, so that callers can index the operands.
func (p *parser) checkCall(name string, operands int, allowed map[string]int) bool {
	want, ok := allowed[name]
	switch {
	case !ok && known(name):
		p.reject("The function is not allowed to be used this way in an expression; function: %s", name)
	case !ok:
		p.reject("Invalid function name; function: %s", name)
	case operands != want:
		p.reject("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", name, operands)
	default:
		return true
	}
	return false
}

// known reports whether the function exists in any place: AWS's error for a misplaced function differs from that for an
// unknown one.
func known(name string) bool {
	_, condition := conditionFunctions[name]
	_, update := updateFunctions[name]
	return condition || update || name == "size"
}

// pathOnly returns the operand of a function that takes nothing but a path.
func (p *parser) pathOnly(function string, arg operand) Path {
	path, ok := arg.(Path)
	if !ok {
		p.reject("Operator or function requires a document path; operator or function: %s", function)
	}
	return path
}

// typeName returns the Kind that the second operand of attribute_type names; it must be a constant such as "SS".
func (p *parser) typeName(arg operand) attribute.Kind {
	c, ok := arg.(constant)
	switch {
	case !ok || c.Exists() && c.Kind() != attribute.String:
		p.reject("Incorrect operand type for operator or function; operator or function: attribute_type, operand type: %s", operandType(arg))
	case c.Exists() && attribute.ParseKind(c.Text()) == attribute.None:
		p.reject("Invalid attribute type name found; type: %s, valid types: %s", c.Text(), allTypes)
	}
	return attribute.ParseKind(c.Text())
}

// operandType returns an operand's type for an error, or "?" for a path, whose type depends on the item.
func operandType(o operand) string {
	if c, ok := o.(constant); ok {
		return c.Kind().String()
	}
	return "?"
}

// distinctCall refuses a function of the same path twice, such as contains(a, a).
func (p *parser) distinctCall(name string, args []operand) {
	a, aok := args[0].(Path)
	b, bok := args[1].(Path)
	if aok && bok && slices.Equal(a, b) {
		p.reject("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %v", name, a)
	}
}

// operandTypes refuses constants of any type but these.
func (p *parser) operandTypes(function string, args []operand, kinds ...attribute.Kind) {
	for _, arg := range args {
		if c, ok := arg.(constant); ok && c.Exists() && !slices.Contains(kinds, c.Kind()) {
			p.reject("Incorrect operand type for operator or function; operator or function: %s, operand type: %v", function, c.Kind())
		}
	}
}

// size builds the operand size(…), the only function that is an operand. A constant of a type without a size is
// refused.
func (p *parser) size(name string, args []operand) operand {
	if !p.checkCall(name, len(args), map[string]int{"size": 1}) {
		return constant{}
	}
	if c, ok := args[0].(constant); ok {
		p.operandTypes(name, []operand{c}, attribute.String, attribute.Binary, attribute.StringSet,
			attribute.NumberSet, attribute.BinarySet, attribute.List, attribute.Map)
	}
	return sizeOf{args[0]}
}
