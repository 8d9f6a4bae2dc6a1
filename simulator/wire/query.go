package wire

import (
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// node is a part of a query request's parameters, whose names are paths such as "MessageAttribute.1.Value.StringValue".
type node struct {
	path  string
	value *string
	kids  map[string]*node
}

// decodeQuery decodes a query request's parameters into a struct. A parameter without a field is an error that names
// it. Action and Version must have been removed. Violated rules of the shape are an error of type violations.
func decodeQuery(form map[string][]string, into any, shape *Shape) error {
	root, err := tree(form)
	if err != nil {
		return err
	}
	var found violations
	err = root.read(reflect.ValueOf(into).Elem(), field{}, place{shape: shape, found: &found})
	if err == nil && len(found) > 0 {
		return found
	}
	return err
}

// tree splits the parameters' names at their dots. A duplicate name would give one member two values.
func tree(form map[string][]string) (*node, error) {
	root := &node{kids: map[string]*node{}}
	for name, values := range form {
		if len(values) != 1 {
			return nil, fmt.Errorf("parameter %s stands %d times", name, len(values))
		}
		at := root
		for part := range strings.SplitSeq(name, ".") {
			at = at.kid(part)
		}
		at.value = &values[0]
	}
	return root, nil
}

// kid returns the node one level down, creating it if necessary.
func (n *node) kid(name string) *node {
	if n.kids[name] == nil {
		n.kids[name] = &node{path: join(n.path, name), kids: map[string]*node{}}
	}
	return n.kids[name]
}

// read decodes a node into a Go value; f describes how its list or map is encoded.
func (n *node) read(into reflect.Value, f field, at place) error {
	switch {
	case into.Kind() == reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return n.read(into.Elem(), f, at)
	case into.Kind() == reflect.Struct && into.Type() != reflect.TypeFor[Time]():
		return n.readStruct(into, at)
	case into.Kind() == reflect.Map:
		return n.readMap(into, f, at)
	case into.Kind() == reflect.Slice && !isBytes(into.Type()):
		return n.readList(into, f, at)
	}
	if n.value == nil || len(n.kids) > 0 {
		return fmt.Errorf("parameter %s must be a single value", n.path)
	}
	if err := readScalar(*n.value, into); err != nil {
		return fmt.Errorf("parameter %s: %w", n.path, err)
	}
	at.check(into)
	return nil
}

// readStruct decodes the members that are present; one without a field is an error.
func (n *node) readStruct(into reflect.Value, at place) error {
	if n.value != nil {
		return fmt.Errorf("parameter %s must have members", n.path)
	}
	fields := fieldsOf(into.Type())
	// In order of name, so that the same one of several faults is always reported.
	for _, name := range slices.Sorted(maps.Keys(n.kids)) {
		f, ok := fields.byQuery[name]
		if !ok && n.kids[name].isEmptyList(fields.byJSON[name], into) {
			continue
		}
		if !ok {
			return at.unknown("parameter", name)
		}
		if err := n.kids[name].read(into.FieldByIndex(f.index), f, at.member(f.name)); err != nil {
			return err
		}
	}
	at.require(func(name string) bool { return n.kids[name] != nil || n.kids[fields.byJSON[name].queryName()] != nil })
	return nil
}

// isEmptyList reports whether the node is a flattened list without elements, which the AWS CLI sends under
// the member's own name: "Entries=".
func (n *node) isEmptyList(f field, of reflect.Value) bool {
	return f.flat != "" && of.FieldByIndex(f.index).Kind() == reflect.Slice && n.value != nil && *n.value == "" && len(n.kids) == 0
}

// readList decodes numbered elements.
func (n *node) readList(into reflect.Value, f field, at place) error {
	items, err := n.items(f, "member")
	if err != nil {
		return err
	}
	into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
	for i, item := range items {
		if err := item.read(into.Index(i), field{}, at.element(item.path)); err != nil {
			return err
		}
	}
	at.check(into)
	return nil
}

// readMap decodes numbered pairs of a key and a value.
func (n *node) readMap(into reflect.Value, f field, at place) error {
	items, err := n.items(f, "entry")
	if err != nil {
		return err
	}
	into.Set(reflect.MakeMap(into.Type()))
	for _, item := range items {
		if len(item.kids) != 2 || item.kids[f.key] == nil || item.kids[f.value] == nil {
			return fmt.Errorf("parameter %s must have the members %s and %s", item.path, f.key, f.value)
		}
		key, value := reflect.New(into.Type().Key()).Elem(), reflect.New(into.Type().Elem()).Elem()
		if err := item.kids[f.key].read(key, field{}, at.to(item.path, nil)); err != nil {
			return err
		}
		if into.MapIndex(key).IsValid() {
			return fmt.Errorf("parameter %s: %v stands twice", item.path, key)
		}
		if err := item.kids[f.value].read(value, field{}, at.element(item.path)); err != nil {
			return err
		}
		into.SetMapIndex(key, value)
	}
	at.check(into)
	return nil
}

// items returns the numbered parts of a list or map in order; unflattened ones are one level deeper, under "member" or
// "entry". An empty list is sent as an empty value.
func (n *node) items(f field, under string) ([]*node, error) {
	if n.value != nil {
		if *n.value != "" || len(n.kids) > 0 {
			return nil, fmt.Errorf("parameter %s must be numbered", n.path)
		}
		return nil, nil
	}
	at := n
	if f.flat == "" {
		if at = n.kids[under]; at == nil || len(n.kids) > 1 {
			return nil, fmt.Errorf("parameter %s must be written as %s.%s.1", n.path, n.path, under)
		}
	}
	byNumber := map[int]*node{}
	for name, kid := range at.kids {
		i, err := strconv.Atoi(name)
		if err != nil || i < 1 || strconv.Itoa(i) != name {
			return nil, fmt.Errorf("parameter %s: %q is no number from 1 on", at.path, name)
		}
		byNumber[i] = kid
	}
	var items []*node
	for _, i := range slices.Sorted(maps.Keys(byNumber)) {
		items = append(items, byNumber[i])
	}
	return items, nil
}

// readScalar decodes a text in AWS's encoding: binary as base64, booleans as true and false.
func readScalar(text string, into reflect.Value) (err error) {
	switch into.Kind() {
	case reflect.String:
		into.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		into.SetBool(text == "true")
	case reflect.Int, reflect.Int32, reflect.Int64:
		var i int64
		i, err = strconv.ParseInt(text, 10, into.Type().Bits())
		into.SetInt(i)
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		into.SetFloat(f)
	case reflect.Struct:
		err = into.Addr().Interface().(*Time).UnmarshalText([]byte(text))
	case reflect.Slice:
		var b []byte
		b, err = base64.StdEncoding.DecodeString(text)
		into.SetBytes(b)
	default:
		err = fmt.Errorf("a %s can't be read from a parameter", into.Type())
	}
	return err
}

// isBytes distinguishes binary values from lists, which share a Go kind.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}
