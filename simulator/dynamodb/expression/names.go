package expression

// NamesIn gives the attributes that a condition looks at, by the first step of its paths.
func NamesIn(c Condition) map[string]bool {
	names := map[string]bool{}
	walk(c, func(o operand) {
		if s, ok := o.(sizeOf); ok {
			o = s.path
		}
		if path, ok := o.(Path); ok {
			names[path[0].Name] = true
		}
	})
	return names
}

// walk visits all operands of a condition.
func walk(c Condition, visit func(operand)) {
	var operands []operand
	switch c := c.(type) {
	case and:
		walk(c.left, visit)
		walk(c.right, visit)
	case or:
		walk(c.left, visit)
		walk(c.right, visit)
	case not:
		walk(c.of, visit)
	case comparison:
		operands = []operand{c.left, c.right}
	case between:
		operands = []operand{c.value, c.low, c.high}
	case in:
		operands = append([]operand{c.value}, c.list...)
	case exists:
		operands = []operand{c.path}
	case hasType:
		operands = []operand{c.value}
	case beginsWith:
		operands = []operand{c.value, c.prefix}
	case contains:
		operands = []operand{c.value, c.part}
	}
	for _, o := range operands {
		visit(o)
	}
}
