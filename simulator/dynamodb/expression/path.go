package expression

import (
	"fmt"
	"strings"

	"heliograph/simulator/dynamodb/attribute"
)

// Step is one step of a document path: to a map's member Name or, if Name is empty, to a list's element at Index.
type Step struct {
	Name  string
	Index int
}

// Path leads to a value inside an item: first the attribute's name, then steps inwards.
type Path []Step

// Get returns the value at the path, or the zero Value if there is none.
func (p Path) Get(item attribute.Item) attribute.Value {
	v := item[p[0].Name]
	for _, step := range p[1:] {
		v = step.into(v)
	}
	return v
}

// into returns the member or element that the step leads to, or the zero Value if v has no such thing.
func (s Step) into(v attribute.Value) attribute.Value {
	switch {
	case s.Name != "":
		return v.Fields()[s.Name] // nil unless v is a map
	case v.Kind() == attribute.List && s.Index < len(v.Elems()):
		return v.Elems()[s.Index]
	}
	return attribute.Value{}
}

// String shows the path as AWS's errors do: [a, b, [0]].
func (p Path) String() string {
	steps := make([]string, len(p))
	for i, step := range p {
		if steps[i] = step.Name; step.Name == "" {
			steps[i] = fmt.Sprintf("[%d]", step.Index)
		}
	}
	return "[" + strings.Join(steps, ", ") + "]"
}

// checkDisjoint refuses two paths if one leads through the other, or if one takes a value for a map and the other takes
// it for a list: together, they would be ambiguous.
func checkDisjoint(paths []Path) error {
	for i, p := range paths {
		for _, q := range paths[:i] {
			if how := clash(q, p); how != "" {
				return attribute.Errorf("Two document paths %s with each other; must remove or rewrite one of these paths; path one: %v, path two: %v", how, q, p)
			}
		}
	}
	return nil
}

// clash returns how two paths collide, in AWS's word ("overlap" or "conflict"), or "" if they do not.
func clash(p, q Path) string {
	for i := range min(len(p), len(q)) {
		if p[i] == q[i] {
			continue
		}
		if (p[i].Name == "") != (q[i].Name == "") {
			return "conflict"
		}
		return ""
	}
	return "overlap"
}
