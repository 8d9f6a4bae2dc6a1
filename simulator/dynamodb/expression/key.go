package expression

import (
	"heliograph/simulator/dynamodb/attribute"
)

// KeyCondition is what a Query asks of one key attribute.
type KeyCondition struct {
	Name string
	// Op is "=", "<", "<=", ">", ">=", "BETWEEN" or "begins_with".
	Op string
	// Values are the operands: two for BETWEEN, else one.
	Values []attribute.Value
}

const keyExpression = "KeyConditionExpression"

// KeyConditions reads a KeyConditionExpression: one or more conditions joined by AND, each of a key
// attribute by its name against constants. Whether they fit a table's key, the table says.
func (s *Scope) KeyConditions(text string) ([]KeyCondition, error) {
	c, err := s.Condition(keyExpression, text)
	if err != nil {
		return nil, err
	}
	var keys []KeyCondition
	return keys, collect(c, &keys)
}

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

// flip turns :v < name into name > :v.
var flip = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

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

func badKeyOperand(o operand, otherwise string) error {
	if _, ok := o.(sizeOf); ok {
		return attribute.Errorf("%ss cannot contain nested operations", keyExpression)
	}
	return attribute.Errorf("Invalid condition in %s: %s", keyExpression, otherwise)
}
