package expression

import (
	"cmp"
	"maps"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
)

// The errors of an update that the item does not bear, as AWS words them.
var (
	errNoAttribute   = attribute.Errorf("The provided expression refers to an attribute that does not exist in the item")
	errOperandType   = attribute.Errorf("An operand in the update expression has an incorrect data type")
	errInvalidTarget = attribute.Errorf("The document path provided in the update expression is invalid for update")
)

// Update is an UpdateExpression that was read.
type Update struct {
	sets    []change
	removes []Path
	adds    []change
	deletes []change
}

// change gives a path a new value.
type change struct {
	path  Path
	value source
}

// source is the right side of a SET: evaluated against the item as it was.
type source interface {
	from(item attribute.Item) (attribute.Value, error)
}

func (p Path) from(item attribute.Item) (attribute.Value, error) {
	if v := p.Get(item); v.Exists() {
		return v, nil
	}
	return attribute.Value{}, errNoAttribute
}

func (c constant) from(attribute.Item) (attribute.Value, error) { return c.Value, nil }

type (
	ifNotExists struct {
		path  Path
		other source
	}
	listAppend struct{ first, second source }
	arithmetic struct {
		op          string
		left, right source
	}
)

func (s ifNotExists) from(item attribute.Item) (attribute.Value, error) {
	if v := s.path.Get(item); v.Exists() {
		return v, nil
	}
	return s.other.from(item)
}

func (s listAppend) from(item attribute.Item) (attribute.Value, error) {
	first, second, err := both(item, s.first, s.second, attribute.List)
	if err != nil {
		return attribute.Value{}, err
	}
	return attribute.ListOf(slices.Concat(first.Elems(), second.Elems())), nil
}

func (s arithmetic) from(item attribute.Item) (attribute.Value, error) {
	left, right, err := both(item, s.left, s.right, attribute.Number)
	if err != nil {
		return attribute.Value{}, err
	}
	operation := attribute.Decimal.Add
	if s.op == "-" {
		operation = attribute.Decimal.Sub
	}
	result, err := operation(left.Decimal(), right.Decimal())
	return attribute.NumberOf(result), err
}

// both evaluates two operands that must have this type.
func both(item attribute.Item, a, b source, kind attribute.Kind) (attribute.Value, attribute.Value, error) {
	left, err := a.from(item)
	if err != nil {
		return left, left, err
	}
	right, err := b.from(item)
	if err == nil && (left.Kind() != kind || right.Kind() != kind) {
		err = errOperandType
	}
	return left, right, err
}

// Paths are all document paths that the update changes.
func (u *Update) Paths() []Path {
	var paths []Path
	for _, c := range slices.Concat(u.sets, u.adds, u.deletes) {
		paths = append(paths, c.path)
	}
	return append(paths, u.removes...)
}

// OnlyTakesAway reports whether the update has REMOVE and DELETE sections and no others.
func (u *Update) OnlyTakesAway() bool {
	return len(u.sets)+len(u.adds) == 0 && len(u.removes)+len(u.deletes) > 0
}

// Apply gives the changed item; the old one stays as it is. Each right side sees the old item.
func (u *Update) Apply(old attribute.Item) (attribute.Item, error) {
	item := attribute.MapOf(maps.Clone(old))
	edits, err := u.edits(old)
	if err != nil {
		return nil, err
	}
	for _, e := range edits {
		if item, err = edit(item, e.path, e.to); err != nil {
			return nil, err
		}
	}
	if item.Fields() == nil {
		return attribute.Item{}, nil
	}
	return item.Fields(), nil
}

// assignment is an edit with its value known; the zero Value removes.
type assignment struct {
	path Path
	to   attribute.Value
}

// edits puts assignments first, in the order of their list indexes, so that values past a list's end
// are appended in that order; then removals, the highest index first, so that the indexes before it
// keep their meaning.
func (u *Update) edits(old attribute.Item) ([]assignment, error) {
	var edits []assignment
	for _, c := range u.sets {
		v, err := c.value.from(old)
		if err != nil {
			return nil, err
		}
		edits = append(edits, assignment{c.path, v})
	}
	for _, c := range u.adds {
		v, err := added(c.path.Get(old), c.value.(constant).Value)
		if err != nil {
			return nil, err
		}
		edits = append(edits, assignment{c.path, v})
	}
	slices.SortStableFunc(edits, func(a, b assignment) int { return comparePaths(a.path, b.path) })
	removals, err := u.removals(old)
	return append(edits, removals...), err
}

func (u *Update) removals(old attribute.Item) ([]assignment, error) {
	var edits []assignment
	for _, path := range u.removes {
		edits = append(edits, assignment{path: path})
	}
	for _, c := range u.deletes {
		v, err := subtracted(c.path.Get(old), c.value.(constant).Value)
		if err != nil {
			return nil, err
		}
		edits = append(edits, assignment{c.path, v})
	}
	slices.SortStableFunc(edits, func(a, b assignment) int { return comparePaths(b.path, a.path) })
	return edits, nil
}

func comparePaths(p, q Path) int {
	return slices.CompareFunc(p, q, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Index, b.Index))
	})
}

// added is what ADD makes of the old value.
func added(old, more attribute.Value) (attribute.Value, error) {
	switch {
	case !old.Exists():
		return more, nil
	case old.Kind() != more.Kind():
		return attribute.Value{}, errOperandType
	case old.Kind() == attribute.Number:
		sum, err := old.Decimal().Add(more.Decimal())
		return attribute.NumberOf(sum), err
	}
	return old.Union(more), nil
}

// subtracted is what DELETE makes of the old value.
func subtracted(old, less attribute.Value) (attribute.Value, error) {
	switch {
	case !old.Exists():
		return old, nil
	case old.Kind() != less.Kind():
		return attribute.Value{}, errOperandType
	}
	return old.Minus(less), nil
}

// edit gives the value with what is at the path replaced, or removed. Values on the way are copied.
func edit(v attribute.Value, path Path, to attribute.Value) (attribute.Value, error) {
	if len(path) == 0 {
		return to, nil
	}
	step := path[0]
	child := step.into(v)
	child, err := edit(child, path[1:], to)
	switch {
	case err != nil:
		return v, err
	case step.Name != "" && v.Kind() == attribute.Map:
		return editMap(v, step.Name, child), nil
	case step.Name == "" && v.Kind() == attribute.List:
		return editList(v, step.Index, child), nil
	}
	return v, errInvalidTarget
}

func editMap(v attribute.Value, name string, child attribute.Value) attribute.Value {
	m := maps.Clone(v.Fields())
	switch {
	case !child.Exists():
		delete(m, name)
	case m == nil:
		m = attribute.Item{name: child}
	default:
		m[name] = child
	}
	return attribute.MapOf(m)
}

func editList(v attribute.Value, i int, child attribute.Value) attribute.Value {
	list := slices.Clone(v.Elems())
	switch {
	case i >= len(list) && !child.Exists():
	case i >= len(list):
		list = append(list, child)
	case !child.Exists():
		list = slices.Delete(list, i, i+1)
	default:
		list[i] = child
	}
	return attribute.ListOf(list)
}
