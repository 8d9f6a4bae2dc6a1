package differential_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// reserved are those names of attributes that need a placeholder in an expression.
var reserved = []string{"size", "name", "a.b", "Ünï"}

// named returns an attribute's name as it appears in an expression: mostly plain, if that is possible.
func (d draw) named(name string) string {
	if slices.Contains(reserved, name) == d.often(40) && !d.often(4) {
		return name
	}
	for placeholder, known := range d.names {
		if known == name {
			return placeholder
		}
	}
	placeholder := fmt.Sprintf("#n%d", len(d.names))
	d.names[placeholder] = name
	return placeholder
}

// path draws a document path, more often than not just an attribute's name.
func (d draw) path() string {
	name := one(d, attributes...)
	if d.often(6) {
		name = one(d, d.def.Attributes...).Name
	}
	return d.into(name)
}

// separate draws a path that seldom shares anything with the others of an update or projection: overlapping paths are
// refused.
func (d draw) separate() string {
	name := d.unused(append(attributes, "gpk", "gsk", "score", "tag")...)
	if d.often(20) {
		name = one(d, d.def.HashKey, cmp.Or(d.def.RangeKey, "n"))
	}
	return d.into(name)
}

// unused draws one of the names that no other path of the expression begins with, if there is one.
func (d draw) unused(names ...string) string {
	free := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return d.used[name] })
	if len(free) == 0 || d.often(30) {
		free = names
	}
	name := one(d, free...)
	d.used[name] = true
	return name
}

// into sometimes extends a name into a longer path, which need not fit the attribute's type.
func (d draw) into(name string) string {
	path := d.named(name)
	deep := d.often(4) || name == "m" && d.often(2)
	for deep {
		if name == "l" && !d.often(5) || d.often(5) {
			path += fmt.Sprintf("[%d]", one(d, 0, 1, 2, 5, 0))
		} else {
			name = one(d, "n", "s", "l", "m", "x", "size")
			path += "." + d.named(name)
		}
		deep = d.often(4)
	}
	return path
}

// onto draws a path to one of these names, mostly to the attribute itself, and a value that mostly fits.
func (d draw) onto(names ...string) string {
	name := d.unused(names...)
	path := d.named(name)
	if d.often(6) {
		path = d.into(name)
	}
	if d.often(15) {
		name = one(d, "n", "s", "m", "strings")
	}
	return path + " " + d.place(d.attribute(name))
}

// constant draws a :value, mostly one that an item may well have.
func (d draw) constant() string {
	switch d.upTo(4) {
	case 0:
		return d.place(n(one(d, "0", "1", "2", "10", "-1", "1.0")))
	case 1:
		return d.place(s(one(d, texts...)))
	}
	return d.place(d.attribute(one(d, attributes...)))
}

func (d draw) operand() string {
	switch {
	case d.often(8):
		return "size(" + d.path() + ")"
	case d.often(2):
		return d.constant()
	}
	return d.path()
}

// condition draws a condition or filter.
func (d draw) condition(depth int) string {
	if depth == 0 || d.often(3) {
		return d.predicate()
	}
	switch d.upTo(4) {
	case 0:
		return d.condition(depth-1) + " AND " + d.condition(depth-1)
	case 1:
		return d.condition(depth-1) + " OR " + d.condition(depth-1)
	case 2:
		return "NOT " + d.condition(depth-1)
	}
	return "( " + d.condition(depth-1) + " )"
}

func (d draw) predicate() string {
	switch d.upTo(9) {
	case 0:
		return d.operand() + " BETWEEN " + d.operand() + " AND " + d.operand()
	case 1:
		list := []string{}
		for range d.upTo(3) + 1 {
			list = append(list, d.operand())
		}
		return d.operand() + " IN ( " + strings.Join(list, " , ") + " )"
	case 2:
		return one(d, "attribute_exists", "attribute_not_exists") + " ( " + d.path() + " )"
	case 3:
		kind := d.place(s(one(d, "S", "N", "B", "SS", "NS", "BS", "L", "M", "BOOL", "NULL", "S", "N", "X")))
		return "attribute_type ( " + d.path() + " , " + kind + " )"
	case 4:
		return "begins_with ( " + d.operand() + " , " + d.constant() + " )"
	case 5:
		return "contains ( " + d.operand() + " , " + d.operand() + " )"
	}
	return d.operand() + " " + one(d, "=", "<>", "<", "<=", ">", ">=") + " " + d.operand()
}

// update draws an update expression of one to three sections.
func (d draw) update() string {
	sections := []string{"SET", "REMOVE", "SET", "ADD", "DELETE"}
	text := ""
	clear(d.used)
	for range d.upTo(3) + 1 {
		i := d.upTo(len(sections))
		section := sections[i]
		sections = slices.DeleteFunc(sections, func(s string) bool { return s == section && !d.often(40) })
		actions := []string{d.action(section)}
		for range d.upTo(3) {
			actions = append(actions, d.action(section))
		}
		text += " " + section + " " + strings.Join(actions, " , ")
		if len(sections) == 0 {
			break
		}
	}
	return text[1:]
}

func (d draw) action(section string) string {
	switch section {
	case "REMOVE":
		return d.separate()
	case "SET":
		// See "a new element past the end".
		return listIndex.ReplaceAllString(d.separate(), "[0]") + " = " + d.sum()
	case "DELETE":
		return d.onto("strings", "numbers", "blobs")
	}
	return d.onto("n", "size", "numbers", "strings", "blobs")
}

func (d draw) sum() string {
	switch d.upTo(5) {
	case 0:
		return d.addend() + " " + one(d, "+", "-") + " " + d.addend()
	case 1:
		return "list_append ( " + d.source("l") + " , " + d.source("l") + " )"
	}
	return d.source(one(d, append(attributes, "gpk", "gsk", "score")...))
}

func (d draw) addend() string {
	if d.often(2) {
		return d.place(n(d.number()))
	}
	return d.source(one(d, "n", "size"))
}

// source draws a value of the type that fits the name, or a path to one.
func (d draw) source(name string) string {
	switch d.upTo(4) {
	case 0:
		return d.into(name)
	case 1:
		return "if_not_exists ( " + d.path() + " , " + d.place(d.attribute(name)) + " )"
	}
	return d.place(d.attribute(name))
}

func (d draw) projection() string {
	clear(d.used)
	paths := []string{d.separate()}
	for range d.upTo(4) {
		paths = append(paths, d.separate())
	}
	return strings.Join(paths, " , ")
}

// keyCondition draws a condition on the hash key, mostly joined with one on the range key.
func (d draw) keyCondition(hash, rng string) string {
	of := func(name string) string { return d.place(d.attribute(name)) }
	text := d.named(hash) + " = " + of(hash)
	if d.often(20) {
		text = of(hash) + " = " + d.named(hash)
	}
	if rng != "" && !d.often(3) {
		parts := []string{text, d.rangeCondition(rng, of)}
		// See "the order of key conditions".
		if !strings.Contains(parts[1], " = ") && d.often(4) {
			slices.Reverse(parts)
		}
		text = strings.Join(parts, " AND ")
	}
	if d.often(30) {
		text += " AND " + d.predicate()
	}
	return text
}

func (d draw) rangeCondition(name string, of func(string) string) string {
	kind := typeOf(d.def, name)
	switch d.upTo(4) {
	case 0:
		low, high := of(name), of(name)
		if kind != "N" && shown(d.values[low]) > shown(d.values[high]) && !d.often(10) {
			low, high = high, low
		}
		return d.named(name) + " BETWEEN " + low + " AND " + high
	case 1:
		if kind != "N" || d.often(10) {
			return "begins_with ( " + d.named(name) + " , " + of(name) + " )"
		}
	}
	return d.named(name) + " " + one(d, "=", "<", "<=", ">", ">=", "<", "<=", ">", ">=", "<>") + " " + of(name)
}

var listIndex = regexp.MustCompile(`\[[0-9]+\]`)

// broken are tokens that break an expression or change its meaning.
var broken = []string{
	"(", ")", ",", "=", "<>", "<", ".", "[", "]", "[0]", "AND", "OR", "NOT", "BETWEEN", "IN", "and", "set", "SET", "+", "-",
	":nope", "#nope", "size", "n", "s", "0", "1", "!", "*", "'a'", "contains", "attribute_exists ( n )", "list_append", "_x", "x-y", "n.", ".n", "n[-1]", "n[x]",
}

// written returns the expression to send: mostly as it is, sometimes broken.
func (d draw) written(text string) *string {
	if !d.often(12) {
		return &text
	}
	tokens := strings.Split(text, " ")
	at := d.upTo(len(tokens))
	switch d.upTo(6) {
	case 0:
		tokens = slices.Delete(tokens, at, at+1)
	case 1:
		tokens = slices.Insert(tokens, at, one(d, broken...))
	case 2:
		tokens[at] = one(d, broken...)
	case 3:
		other := d.upTo(len(tokens))
		tokens[at], tokens[other] = tokens[other], tokens[at]
	case 4:
		tokens = []string{"( (", text, ") )"}
	case 5:
		tokens = one(d, []string{""}, []string{" "}, []string{text, strings.Repeat(" ", 4096)}, []string{strings.ToLower(text)}, []string{strings.ReplaceAll(text, " ", "")})
	}
	text = strings.Join(tokens, " ")
	return &text
}

// placeholders returns the request's names and values: nil if there are none, occasionally with unused or malformed
// ones.
func (d draw) placeholders() (map[string]string, item) {
	names, values := d.names, d.values
	if d.often(120) {
		names[one(d, "#unused", "unused", "#", "#a-b")] = one(d, "n", "")
	}
	if d.often(120) {
		values[one(d, ":unused", "unused", ":", ":a-b")] = one(d, n("1"), d.bad())
	}
	if len(names) == 0 && !d.often(120) {
		names = nil
	}
	if len(values) == 0 && !d.often(120) {
		values = nil
	}
	return names, values
}
