package expression_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// TestUpdates proves that each update of the document changes just these attributes; null stands for a removed one.
func TestUpdates(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"SET q = :1":                                     `{"q":{"N":"1"}}`,
		"set q = :1, a = :x remove n":                    `{"q":{"N":"1"},"a":{"S":"x"},"n":null}`,
		"SET #name = :1":                                 `{"name":{"N":"1"}}`,
		"SET #dot = :1":                                  `{"dotted.name":{"N":"1"}}`,
		"SET q = a":                                      `{"q":{"S":"text"}}`,
		"SET a = n, n = a":                               `{"a":{"N":"5"},"n":{"S":"text"}}`,
		"SET q = m.d":                                    `{"q":{"M":{"e":{"N":"1"}}}}`,
		"SET m.x = :1":                                   `{"m":{"M":{"x":{"N":"1"},"d":{"M":{"e":{"N":"1"}}}}}}`,
		"SET m.d.f = :2, m.y = :1":                       `{"m":{"M":{"x":{"S":"y"},"y":{"N":"1"},"d":{"M":{"e":{"N":"1"},"f":{"N":"2"}}}}}}`,
		"SET l[1] = :9":                                  `{"l":{"L":[{"N":"1"},{"N":"9"},{"N":"3"}]}}`,
		"SET l[9] = :9, l[5] = :5":                       `{"l":{"L":[{"N":"1"},{"N":"2"},{"N":"3"},{"N":"5"},{"N":"9"}]}}`,
		"REMOVE l[0] SET l[1] = :9":                      `{"l":{"L":[{"N":"9"},{"N":"3"}]}}`,
		"SET l[1] = :9 REMOVE l[0]":                      `{"l":{"L":[{"N":"9"},{"N":"3"}]}}`,
		"REMOVE l[0], l[2]":                              `{"l":{"L":[{"N":"2"}]}}`,
		"REMOVE l[0], l[1], l[2]":                        `{"l":{"L":[]}}`,
		"REMOVE l[7], nope, m.nope":                      `{}`,
		"REMOVE m.d.e":                                   `{"m":{"M":{"x":{"S":"y"},"d":{"M":{}}}}}`,
		"SET n = n + :1":                                 `{"n":{"N":"6"}}`,
		"SET n = :9 - n":                                 `{"n":{"N":"4"}}`,
		"SET n = n-:9":                                   `{"n":{"N":"-4"}}`,
		"SET q = l[1] + l[2]":                            `{"q":{"N":"5"}}`,
		"SET n = (n + :1)":                               `{"n":{"N":"6"}}`,
		"SET q = if_not_exists(q, :1)":                   `{"q":{"N":"1"}}`,
		"SET n = if_not_exists(n, :1)":                   `{}`,
		"SET n = if_not_exists(n, nope)":                 `{}`,
		"SET q = if_not_exists(q, :4) + :1":              `{"q":{"N":"5"}}`,
		"SET q = if_not_exists(q, if_not_exists(p, :4))": `{"q":{"N":"4"}}`,
		"SET l = list_append(l, :list)":                  `{"l":{"L":[{"N":"1"},{"N":"2"},{"N":"3"},{"N":"4"}]}}`,
		"SET l = list_append(:list, l)":                  `{"l":{"L":[{"N":"4"},{"N":"1"},{"N":"2"},{"N":"3"}]}}`,
		"SET q = list_append(if_not_exists(q, :nolist), :list)": `{"q":{"L":[{"N":"4"}]}}`,
		"ADD n :2, q :2":        `{"n":{"N":"7"},"q":{"N":"2"}}`,
		"ADD m.d.e :2, l[0] :2": `{"m":{"M":{"x":{"S":"y"},"d":{"M":{"e":{"N":"3"}}}}},"l":{"L":[{"N":"3"},{"N":"2"},{"N":"3"}]}}`,
		"ADD s :ss, q :ns":      `{"s":{"SS":["a","b","c"]},"q":{"NS":["1","2"]}}`,
		"DELETE s :ss":          `{"s":{"SS":["b"]}}`,
		"DELETE ns :ns":         `{"ns":null}`,
		"DELETE nope :ss":       `{}`,
		"SET q = :1 REMOVE a ADD n :1 DELETE s :ss": `{"q":{"N":"1"},"a":null,"n":{"N":"6"},"s":{"SS":["b"]}}`,
		"REMOVE a SET q = a":                        `{"a":null,"q":{"S":"text"}}`,
	}
	for text, changes := range tests {
		old := item(t, document)
		u, err := scope(t).Update(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := u.Apply(old)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(changed(t, old, changes), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if diff := cmp.Diff(item(t, document), old); diff != "" {
			t.Errorf("%s changed the old item (-want +got):\n%s", text, diff)
		}
	}
}

func changed(t *testing.T, old attribute.Item, changes string) attribute.Item {
	t.Helper()
	var parts map[string]*json.RawMessage
	if err := json.Unmarshal([]byte(changes), &parts); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(old)
	for name, part := range parts {
		if part == nil {
			delete(want, name)
			continue
		}
		want[name] = item(t, `{"v":`+string(*part)+`}`)["v"]
	}
	return want
}

// TestRefusedUpdates proves that updates that are wrong for any item are refused before one is known.
func TestRefusedUpdates(t *testing.T) {
	t.Parallel()
	const (
		typ     = "Incorrect operand type for operator or function; operator"
		thisWay = "The function is not allowed to be used this way in an expression; function: "
		remove  = "; must remove or rewrite one of these paths; path one: "
	)
	tests := map[string]string{
		"":                                  "The expression can not be empty;",
		"SET":                               `Syntax error; token: "<EOF>", near: "SET"`,
		"INVALID SYNTAX HERE":               `Syntax error; token: "INVALID", near: "INVALID SYNTAX"`,
		"SET a":                             `Syntax error; token: "<EOF>", near: "a"`,
		"SET a = :1,":                       `Syntax error; token: "<EOF>", near: ","`,
		"SET a = :1, REMOVE n":              `Syntax error; token: "n", near: "REMOVE n"`,
		"SET :1 = a":                        `Syntax error; token: ":1", near: "SET :1 ="`,
		"SET a = n + :1 + :1":               `Syntax error; token: "+", near: ":1 + :1"`,
		"SET a = if_not_exists(a, :1 + :1)": `Syntax error; token: "+", near: ":1 + :1"`,
		"ADD n n":                           `Syntax error; token: "n", near: "n n"`,
		"ADD n = :1":                        `Syntax error; token: "=", near: "n = :1"`,
		"SET a = :1 SET n = :1":             `The "SET" section can only be used once in an update expression;`,
		"SET name = :1":                     "Attribute name is a reserved keyword; reserved keyword: name",
		"SET a = :nope":                     "An expression attribute value used in expression is not defined; attribute value: :nope",
		"SET a = :1, a = :2":                "Two document paths overlap with each other" + remove + "[a], path two: [a]",
		"SET m.x = :1 REMOVE m":             "Two document paths overlap with each other" + remove + "[m, x], path two: [m]",
		"SET m = :1 ADD m.d.e :1":           "Two document paths overlap with each other" + remove + "[m], path two: [m, d, e]",
		"SET m.x = :1, m[0] = :1":           "Two document paths conflict with each other" + remove + "[m, x], path two: [m, [0]]",
		"SET n = n + :x":                    typ + " or function: +, operand type: S",
		"SET n = :list - n":                 typ + " or function: -, operand type: L",
		"SET l = list_append(l, :1)":        typ + " or function: list_append, operand type: N",
		"ADD n :x":                          typ + ": ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
		"ADD n :list":                       typ + ": ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND",
		"DELETE s :1":                       typ + ": DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
		"SET a = size(l)":                   thisWay + "size",
		"SET a = attribute_exists(l)":       thisWay + "attribute_exists",
		"SET a = list_append(list_append(l, l), l)": thisWay + "list_append",
		"SET a = dog(l)":               "Invalid function name; function: dog",
		"SET a = if_not_exists(a)":     "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1",
		"SET a = if_not_exists(:1, a)": "Operator or function requires a document path; operator or function: if_not_exists",
	}
	for text, want := range tests {
		_, err := scope(t).Update(text)
		if want = "Invalid UpdateExpression: " + want; err == nil || err.Error() != want {
			t.Errorf("%s\ngives %v\nwant  %s", text, err, want)
		}
	}
}

// TestUpdatesThatTheItemDoesNotBear proves that valid updates fail on an item that they do not fit.
func TestUpdatesThatTheItemDoesNotBear(t *testing.T) {
	t.Parallel()
	const (
		missing  = "The provided expression refers to an attribute that does not exist in the item"
		typ      = "An operand in the update expression has an incorrect data type"
		path     = "The document path provided in the update expression is invalid for update"
		overflow = "Number overflow. Attempting to store a number with magnitude larger than supported range"
	)
	tests := map[string]string{
		"SET q = nope": missing, "SET q = nope + :1": missing, "SET q = list_append(nope, :list)": missing, "SET q = if_not_exists(nope, nope2)": missing, "SET q = l[3]": missing,
		"SET n = a + :1": typ, "SET n = n + l": typ, "SET l = list_append(l, a)": typ, "ADD a :1": typ, "ADD s :1": typ, "ADD s :ns": typ, "ADD l :1": typ, "DELETE s :ns": typ, "DELETE n :ns": typ,
		"SET q.x = :1": path, "SET a.x = :1": path, "SET q[0] = :1": path, "SET a[0] = :1": path, "SET m[0] = :1": path, "SET l.x = :1": path, "SET m.q.x = :1": path, "SET l[9].x = :1": path,
		"REMOVE q.x": path, "REMOVE a.x": path, "REMOVE a[0]": path, "REMOVE m[0]": path, "ADD q.x :1": path,
		"SET n = n + :huge": overflow, "SET n = :huge - :1": overflow,
	}
	given := item(t, values)
	given[":huge"] = item(t, `{"v":{"N":"1e125"}}`)["v"]
	for text, want := range tests {
		s, err := expression.NewScope(names, given)
		if err != nil {
			t.Fatal(err)
		}
		u, err := s.Update(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, err := u.Apply(item(t, document)); err == nil || err.Error() != want {
			t.Errorf("%s\ngives %v\nwant  %s", text, err, want)
		}
	}
}

// TestProjections proves that a projection keeps the documents that enclose the picked parts.
func TestProjections(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"a":                            `{"a":{"S":"text"}}`,
		"a, n, nope":                   `{"a":{"S":"text"},"n":{"N":"5"}}`,
		"m.x":                          `{"m":{"M":{"x":{"S":"y"}}}}`,
		"m.d.e, #m.#x":                 `{"m":{"M":{"x":{"S":"y"},"d":{"M":{"e":{"N":"1"}}}}}}`,
		"m.d":                          `{"m":{"M":{"d":{"M":{"e":{"N":"1"}}}}}}`,
		"l[2], l[0]":                   `{"l":{"L":[{"N":"1"},{"N":"3"}]}}`,
		"l[1], l[9]":                   `{"l":{"L":[{"N":"2"}]}}`,
		"#dot":                         `{"dotted.name":{"N":"7"}}`,
		"nope":                         `{}`,
		"l[9]":                         `{}`,
		"a.x, n[0], m[0], l.x, nope.x": `{}`,
	}
	for text, want := range tests {
		p, err := scope(t).Projection(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(item(t, want), p.Of(item(t, document))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	const remove = "; must remove or rewrite one of these paths; path one: "
	refused := map[string]string{
		"":            "The expression can not be empty;",
		"a,":          `Syntax error; token: "<EOF>", near: ","`,
		",a":          `Syntax error; token: ",", near: ",a"`,
		"a n":         `Syntax error; token: "n", near: "a n"`,
		"!!! INVALID": `Syntax error; token: "!", near: "!!"`,
		"a[]":         `Syntax error; token: "]", near: "[]"`,
		"size(a)":     `Syntax error; token: "(", near: "size(a"`,
		"size":        "Attribute name is a reserved keyword; reserved keyword: size",
		"a, a":        "Two document paths overlap with each other" + remove + "[a], path two: [a]",
		"a, a.b[0]":   "Two document paths overlap with each other" + remove + "[a], path two: [a, b, [0]]",
		"a.b, a[1]":   "Two document paths conflict with each other" + remove + "[a, b], path two: [a, [1]]",
		"#nope":       "An expression attribute name used in the document path is not defined; attribute name: #nope",
	}
	for text, want := range refused {
		_, err := scope(t).Projection(text)
		if want = "Invalid ProjectionExpression: " + want; err == nil || err.Error() != want {
			t.Errorf("%s\ngives %v\nwant  %s", text, err, want)
		}
	}
}

// TestKeyConditions proves that key conditions compare names with constants. Whether a name is a key is not known here.
func TestKeyConditions(t *testing.T) {
	t.Parallel()
	v := item(t, values)
	tests := map[string][]expression.KeyCondition{
		"pk = :x":                              {{Name: "pk", Op: "=", Values: []attribute.Value{v[":x"]}}},
		":9 < #n":                              {{Name: "n", Op: ">", Values: []attribute.Value{v[":9"]}}},
		"((pk = :x) AND (sk >= :text))":        {{Name: "pk", Op: "=", Values: []attribute.Value{v[":x"]}}, {Name: "sk", Op: ">=", Values: []attribute.Value{v[":text"]}}},
		"sk BETWEEN :te AND :text AnD pk = :x": {{Name: "sk", Op: "BETWEEN", Values: []attribute.Value{v[":te"], v[":text"]}}, {Name: "pk", Op: "=", Values: []attribute.Value{v[":x"]}}},
		":9 <= n":                              {{Name: "n", Op: ">=", Values: []attribute.Value{v[":9"]}}},
		":9 > n":                               {{Name: "n", Op: "<", Values: []attribute.Value{v[":9"]}}},
		":9 >= n":                              {{Name: "n", Op: "<=", Values: []attribute.Value{v[":9"]}}},
		":9 = n":                               {{Name: "n", Op: "=", Values: []attribute.Value{v[":9"]}}},
		"begins_with(sk, :te)":                 {{Name: "sk", Op: "begins_with", Values: []attribute.Value{v[":te"]}}},
	}
	for text, want := range tests {
		got, err := scope(t).KeyConditions(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	refused := map[string]string{
		"":                             "Invalid KeyConditionExpression: The expression can not be empty;",
		"pk":                           `Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: "pk"`,
		"pk = :x OR sk = :x":           "Invalid operator used in KeyConditionExpression: OR",
		"NOT pk = :x":                  "Invalid operator used in KeyConditionExpression: NOT",
		"pk <> :x":                     "Invalid operator used in KeyConditionExpression: <>",
		"pk IN (:x)":                   "Invalid operator used in KeyConditionExpression: IN",
		"pk = :x AND contains(sk, :x)": "Invalid operator used in KeyConditionExpression: contains",
		"attribute_exists(pk)":         "Invalid operator used in KeyConditionExpression: attribute_exists",
		"attribute_not_exists(pk)":     "Invalid operator used in KeyConditionExpression: attribute_not_exists",
		"attribute_type(pk, :typeS)":   "Invalid operator used in KeyConditionExpression: attribute_type",
		"pk = sk":                      "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
		":x = :te":                     "Invalid condition in KeyConditionExpression: No key attribute specified",
		"size(pk) = :1":                "KeyConditionExpressions cannot contain nested operations",
		"pk = size(sk)":                "KeyConditionExpressions cannot contain nested operations",
		"m.x = :x":                     "KeyConditionExpressions cannot have conditions on nested attributes",
	}
	for text, want := range refused {
		if _, err := scope(t).KeyConditions(text); err == nil || err.Error() != want {
			t.Errorf("%s\ngives %v\nwant  %s", text, err, want)
		}
	}
}
