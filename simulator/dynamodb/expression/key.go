package expression

import (
	"heliograph/simulator/dynamodb/attribute"
)

// KeyCondition restricts one key attribute in a Query.
type KeyCondition struct {
	Name string
	// Op is "=", "<", "<=", ">", ">=", "BETWEEN" or "begins_with".
	Op string
	// Values are the operands: two for BETWEEN, otherwise one.
	Values []attribute.Value
}

const keyExpression = "KeyConditionExpression"

// KeyConditions reads a KeyConditionExpression: one or more conditions joined by AND, each comparing an attribute, by
// its name, with constants. Whether the names form a table's key is for the table to check.
func (s *Scope) KeyConditions(text string) ([]KeyCondition, error) {
	c, err := s.Condition(keyExpression, text)
	if err != nil {
		return nil, err
	}
	var keys []KeyCondition
	return keys, collect(c, &keys)
}

// collect flattens a parsed condition into key conditions, and refuses everything that a key condition can't contain.
// Key conditions share the grammar of conditions, so the restriction comes after parsing.
func collect(c Condition, keys *[]KeyCondition) error {
	switch c := c.(type) {
	case and:
		if err := collect(c.left, keys); err != nil {
			return err
		}
		return collect(c.right, keys)
	case comparison:
		if c.op == "<>" {
			return invalidKeyOperator("<>")
		}
		if _, flipped := c.left.(constant); flipped {
			c = comparison{flip[c.op], c.right, c.left}
		}
		return add(keys, c.op, c.left, c.right)
	case between:
		return add(keys, "BETWEEN", c.value, c.low, c.high)
	case beginsWith:
		return add(keys, "begins_with", c.value, c.prefix)
	}
	return invalidKeyOperator(operatorName(c))
}

// flip turns :v < name into name > :v, so that callers always find the attribute on the left.
var flip = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// operatorName names an operator that is not allowed in a key condition, as AWS's error does.
func operatorName(c Condition) string {
	switch c := c.(type) {
	case or:
		return "OR"
	case in:
		return "IN"
	case contains:
		return "contains"
	case hasType:
		return "attribute_type"
	case exists:
		return "attribute_exists"
	case not:
		if _, ok := c.of.(exists); ok {
			return "attribute_not_exists"
		}
	}
	return "NOT"
}

func invalidKeyOperator(name string) error {
	return attribute.Errorf("Invalid operator used in %s: %s", keyExpression, name)
}

// add appends one key condition. Its left side must be a top-level attribute, and its operands constants.
func add(keys *[]KeyCondition, op string, left operand, right ...operand) error {
	path, ok := left.(Path)
	if !ok {
		return badKeyOperand(left, "No key attribute specified")
	}
	if len(path) > 1 {
		return attribute.Errorf("%ss cannot have conditions on nested attributes", keyExpression)
	}
	key := KeyCondition{Name: path[0].Name, Op: op}
	for _, o := range right {
		c, ok := o.(constant)
		if !ok {
			return badKeyOperand(o, "Multiple attribute names used in one condition")
		}
		key.Values = append(key.Values, c.Value)
	}
	*keys = append(*keys, key)
	return nil
}

// badKeyOperand returns the error of a wrong operand. For a function, AWS has a text of its own.
func badKeyOperand(o operand, otherwise string) error {
	if _, ok := o.(sizeOf); ok {
		return attribute.Errorf("%ss cannot contain nested operations", keyExpression)
	}
	return attribute.Errorf("Invalid condition in %s: %s", keyExpression, otherwise)
}
