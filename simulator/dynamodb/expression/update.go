package expression

import (
	"cmp"
	"maps"
	"slices"

	"heliograph/simulator/dynamodb/attribute"
)

// Errors of a valid update that does not fit the item, in AWS's words.
var (
	errNoAttribute   = attribute.Errorf("The provided expression refers to an attribute that does not exist in the item")
	errOperandType   = attribute.Errorf("An operand in the update expression has an incorrect data type")
	errInvalidTarget = attribute.Errorf("The document path provided in the update expression is invalid for update")
)

// Update is a parsed UpdateExpression. The zero Update changes nothing.
type Update struct {
	sets    []change
	removes []Path
	adds    []change
	deletes []change
}

// change is one action: SET with any source, ADD or DELETE with a constant.
type change struct {
	path  Path
	value source
}

// source is the right side of a SET. It is evaluated against the item as it was before the update.
type source interface {
	from(item attribute.Item) (attribute.Value, error)
}

// from fails if the item has no value at the path: unlike a condition, an update can't assign a missing value.
func (p Path) from(item attribute.Item) (attribute.Value, error) {
	if v := p.Get(item); v.Exists() {
		return v, nil
	}
	return attribute.Value{}, errNoAttribute
}

func (c constant) from(attribute.Item) (attribute.Value, error) { return c.Value, nil }

// The other right sides: if_not_exists(path, other), list_append(first, second), and left + right or left - right.
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

// from fails, like DynamoDB, if the result leaves the range or precision of numbers.
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

// both evaluates two operands, which must have this type.
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

// Paths returns all document paths that the update changes.
func (u *Update) Paths() []Path {
	var paths []Path
	for _, c := range slices.Concat(u.sets, u.adds, u.deletes) {
		paths = append(paths, c.path)
	}
	return append(paths, u.removes...)
}

// OnlyTakesAway reports whether the update consists of REMOVE and DELETE sections only: on AWS, such an update creates
// no item.
func (u *Update) OnlyTakesAway() bool {
	return len(u.sets)+len(u.adds) == 0 && len(u.removes)+len(u.deletes) > 0
}

// Apply returns the changed item and leaves the old one as it is. All right sides are evaluated against the old item,
// so SET a = b, b = a swaps the two.
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

// assignment is an action with its value computed; the zero Value removes.
type assignment struct {
	path Path
	to   attribute.Value
}

// edits returns the assignments in the order in which to apply them. Those of SET and ADD come first, in the order of
// their list indexes, so that elements past a list's end are appended in that order. Removals follow, the highest index
// first, so that the indexes before it stay valid.
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

// removals are the assignments of REMOVE and DELETE. A DELETE that leaves a set empty removes the attribute.
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

// comparePaths orders paths step by step, by name or by index.
func comparePaths(p, q Path) int {
	return slices.CompareFunc(p, q, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Index, b.Index))
	})
}

// added returns the value after an ADD: a sum, a union or, without an old value, the operand itself.
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

// subtracted returns the value after a DELETE: the rest of the set, or the zero Value if nothing is left.
func subtracted(old, less attribute.Value) (attribute.Value, error) {
	switch {
	case !old.Exists():
		return old, nil
	case old.Kind() != less.Kind():
		return attribute.Value{}, errOperandType
	}
	return old.Minus(less), nil
}

// edit returns v with the value at the path replaced, or removed if to is the zero Value. Documents along the path are
// copied, because values are shared with indexes and stream records. If the path leads through something that is
// missing or of the wrong type, the error is errInvalidTarget.
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

// editMap replaces, adds or removes one member in a copy of the map.
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

// editList replaces or removes one element in a copy of the list. An index past the end appends, without a gap, and
// removes nothing.
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
