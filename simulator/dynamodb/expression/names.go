package expression

// NamesIn returns the top-level attributes that a condition refers to.
func NamesIn(c Condition) map[string]bool {
	names := map[string]bool{}
	for _, path := range PathsIn(c) {
		names[path[0].Name] = true
	}
	return names
}

// PathsIn returns all paths of a condition, including those inside size(…). The nil Condition has none.
func PathsIn(c Condition) []Path {
	var paths []Path
	walk(c, func(o operand) {
		if s, ok := o.(sizeOf); ok {
			o = s.path
		}
		if path, ok := o.(Path); ok {
			paths = append(paths, path)
		}
	})
	return paths
}

// Sources returns the paths that an update reads; Paths returns those that it changes.
func (u *Update) Sources() []Path {
	var paths []Path
	for _, c := range u.sets {
		paths = append(paths, pathsOf(c.value)...)
	}
	return paths
}

// pathsOf collects the paths in one right side of a SET.
func pathsOf(s source) []Path {
	switch s := s.(type) {
	case Path:
		return []Path{s}
	case ifNotExists:
		return append(pathsOf(s.other), s.path)
	case listAppend:
		return append(pathsOf(s.first), pathsOf(s.second)...)
	case arithmetic:
		return append(pathsOf(s.left), pathsOf(s.right)...)
	}
	return nil
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
