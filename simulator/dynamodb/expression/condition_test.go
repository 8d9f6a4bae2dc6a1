package expression_test

import (
	"encoding/json"
	"strings"
	"testing"

	"heliograph/simulator/dynamodb/attribute"
	"heliograph/simulator/dynamodb/expression"
)

// document is the item that the tests of this package evaluate expressions against.
const document = `{
	"pk": {"S":"k"}, "a": {"S":"text"}, "n": {"N":"5"}, "t": {"BOOL":true}, "nul": {"NULL":true}, "b": {"B":"AQID"},
	"l": {"L":[{"N":"1"},{"N":"2"},{"N":"3"}]}, "s": {"SS":["a","b"]}, "ns": {"NS":["1","2"]},
	"m": {"M":{"x":{"S":"y"},"d":{"M":{"e":{"N":"1"}}}}}, "dotted.name": {"N":"7"}
}`

func item(t testing.TB, text string) attribute.Item {
	t.Helper()
	var i attribute.Item
	if err := json.Unmarshal([]byte(text), &i); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return i
}

// Placeholders for all tests. scope never calls Finish, so a test need not use them all.
const values = `{
	":text": {"S":"text"}, ":te": {"S":"te"}, ":x": {"S":"x"}, ":z": {"S":"z"}, ":empty": {"S":""}, ":ab": {"S":"a"},
	":0": {"N":"0"}, ":1": {"N":"1.0"}, ":2": {"N":"2"}, ":3": {"N":"3"}, ":4": {"N":"4"}, ":5": {"N":"5"}, ":9": {"N":"9"},
	":true": {"BOOL":true}, ":null": {"NULL":true}, ":bin": {"B":"AQ=="}, ":list": {"L":[{"N":"4"}]}, ":nolist": {"L":[]},
	":map": {"M":{}}, ":ss": {"SS":["a","c"]}, ":ns": {"NS":["2","1"]}, ":typeS": {"S":"S"}, ":typeX": {"S":"X"}
}`

var names = map[string]string{"#a": "a", "#dot": "dotted.name", "#name": "name", "#m": "m", "#x": "x", "#n": "n"}

func scope(t testing.TB) *expression.Scope {
	t.Helper()
	s, err := expression.NewScope(names, item(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConditions proves the outcome of conditions on the document and, for those that refer to nothing in it, on a
// missing item.
func TestConditions(t *testing.T) {
	t.Parallel()
	holds := []string{
		"a = :text", ":text = a", "a <> :x", "a <> n", "n <> :text", "nope <> :text", "nope <> nope2", "NOT a = :x", "not (a = :x)", "NOT NOT a = :text",
		"n = :5", "n >= :5", "n <= :5", "n < :9", "n > :4", ":9 > n", "l[0] = :1", "l[0] < l[1]", "m.d.e = :1", "m . x <> :x", "#dot > :5", "#m.#x <> :x", "l [ 0 ] = :1",
		"n BETWEEN :4 AND :9", "n between :5 and :5", "NOT n BETWEEN :0 AND :4", ":5 BETWEEN l[0] AND n", "n BETWEEN :4 AND :9 AND a = :text",
		"a IN (:x, :text)", "a IN (n, l, :text)", "NOT a IN (:x)", "ns IN (:ns)", "ns = :ns", "nul = :null", "t = :true",
		"attribute_exists(a)", "attribute_exists(m.d.e)", "attribute_exists(l[2])", "attribute_not_exists(nope)", "attribute_not_exists(l[3])", "attribute_not_exists(m[0])", "attribute_not_exists(s[0])", "attribute_not_exists(a.x)",
		"attribute_type(a, :typeS)", "attribute_type(:text, :typeS)", "NOT attribute_type(n, :typeS)",
		"begins_with(a, :te)", "begins_with(a, :empty)", "begins_with(b, :bin)", "begins_with(:text, a)", "NOT begins_with(n, :te)",
		"contains(a, :x)", "contains(s, :ab)", "contains(ns, :1)", "contains(l, :1)", "contains(b, :bin)", "NOT contains(a, :1)", "NOT contains(m, :x)", "NOT contains(nope, :x)",
		"size(a) = :4", "size(b) = :3", "size(l) = :3", "size(s) = :2", "size(m) = :2", "size(:text) = :4", "size(a) > size(b)", "size(a) IN (:4)", "size(a) BETWEEN :3 AND :5",
		"NOT size(n) < :9", "NOT size(n) >= :0", "NOT size(nope) < :9", "size(nope) <> :9",
		"a = :x OR n = :5", "a = :text OR a = :x AND n = :0", "(a = :text OR a = :x) AND n = :5", "(a = :text) AND (n = :5)", "((a = :text) AND (n = :5))", "NOT (a = :x) AND n = :5", "a=:text AnD n=:5 oR a=:x",
		"t <> :1", "NOT n < a", "NOT n > a", "NOT l < n", "NOT nope = nope2", "NOT nope < nope2",
	}
	doc := item(t, document)
	for _, text := range holds {
		for _, one := range []struct {
			text string
			want bool
		}{{text, true}, {"NOT " + wrapped(text), false}} {
			c, err := scope(t).Condition("ConditionExpression", one.text)
			if err != nil {
				t.Errorf("%s: %v", one.text, err)
			} else if got := c.Holds(doc); got != one.want {
				t.Errorf("%s is %v", one.text, got)
			}
		}
	}
	for text, want := range map[string]bool{"attribute_exists(pk)": false, "attribute_not_exists(pk)": true, "a = :text": false, "a <> :text": true, "size(a) < :9": false} {
		c, err := scope(t).Condition("ConditionExpression", text)
		if err != nil || c.Holds(nil) != want {
			t.Errorf("of no item, %s is not %v, %v", text, want, err)
		}
	}
}

// wrapped encloses a condition in parentheses, unless that would make them redundant.
func wrapped(text string) string {
	if strings.HasPrefix(text, "((") {
		return text
	}
	return "(" + text + ")"
}

// TestRefusedConditions proves that conditions that AWS refuses are refused in its words.
func TestRefusedConditions(t *testing.T) {
	t.Parallel()
	const (
		twice   = "The first operand must be distinct from the remaining operands for this operator or function; operator: "
		typ     = "Incorrect operand type for operator or function; operator"
		thisWay = "The function is not allowed to be used this way in an expression; function: "
		count   = "Incorrect number of operands for operator or function; operator or function: "
		path    = "Operator or function requires a document path; operator or function: "
	)
	tests := map[string]string{
		"":                                       "The expression can not be empty;",
		" \t\n":                                  "The expression can not be empty;",
		strings.Repeat(" ", 4097) + "a":          "Expression size has exceeded the maximum allowed size; expression size: 4098",
		"a":                                      `Syntax error; token: "<EOF>", near: "a"`,
		"a =":                                    `Syntax error; token: "<EOF>", near: "="`,
		"a == :1":                                `Syntax error; token: "=", near: "== :1"`,
		"a != :1":                                `Syntax error; token: "!", near: "a !="`,
		"a = :1 :2":                              `Syntax error; token: ":2", near: ":1 :2"`,
		"(a = :1":                                `Syntax error; token: "<EOF>", near: ":1"`,
		"a = :1)":                                `Syntax error; token: ")", near: ":1)"`,
		"()":                                     `Syntax error; token: ")", near: "()"`,
		"a = 5":                                  `Syntax error; token: "5", near: "= 5"`,
		"a = 'x'":                                `Syntax error; token: "'", near: "= 'x"`,
		"_a = :1":                                `Syntax error; token: "_", near: "_a"`,
		"1a = :1":                                `Syntax error; token: "1", near: "1a"`,
		"a-b = :1":                               `Syntax error; token: "-", near: "a-b"`,
		"l[x] = :1":                              `Syntax error; token: "x", near: "[x]"`,
		"l[-1] = :1":                             `Syntax error; token: "-", near: "[-1"`,
		"l[1 = :1":                               `Syntax error; token: "=", near: "1 = :1"`,
		"# = :1":                                 `Syntax error; token: "#", near: "# ="`,
		"a IN ()":                                `Syntax error; token: ")", near: "()"`,
		"a IN :1":                                `Syntax error; token: ":1", near: "IN :1"`,
		"a BETWEEN :1":                           `Syntax error; token: "<EOF>", near: ":1"`,
		"NOT":                                    `Syntax error; token: "<EOF>", near: "NOT"`,
		"a AND n = :1":                           `Syntax error; token: "AND", near: "a AND n"`,
		"attribute_exists(a":                     `Syntax error; token: "<EOF>", near: "a"`,
		"name = :1":                              "Attribute name is a reserved keyword; reserved keyword: name",
		"m.Status = :1":                          "Attribute name is a reserved keyword; reserved keyword: Status",
		"a = :nope":                              "An expression attribute value used in expression is not defined; attribute value: :nope",
		"#nope = :1":                             "An expression attribute name used in the document path is not defined; attribute name: #nope",
		"name = :nope AND":                       `Syntax error; token: "<EOF>", near: "AND"`, // syntax comes first
		"a = a":                                  twice + "=, first operand: [a]",
		"m.x <> #m.#x":                           twice + "<>, first operand: [m, x]",
		"contains(l[0], l[0])":                   twice + "contains, first operand: [l, [0]]",
		"a < :true":                              typ + ": <, operand type: BOOL",
		":list >= a":                             typ + ": >=, operand type: L",
		"a BETWEEN :null AND :1":                 typ + ": BETWEEN, operand type: NULL",
		"a BETWEEN :2 AND :1":                    "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
		"a BETWEEN :2 AND :x":                    "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {S:x}",
		"begins_with(a, :1)":                     typ + " or function: begins_with, operand type: N",
		"size(:1) = :1":                          typ + " or function: size, operand type: N",
		"attribute_type(a, :1)":                  typ + " or function: attribute_type, operand type: N",
		"attribute_type(a, :typeX)":              "Invalid attribute type name found; type: X, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
		"size(a)":                                thisWay + "size",
		"size(a) AND a = :1":                     thisWay + "size",
		"size(size(a)) = :1":                     thisWay + "size",
		"contains(a, :x) = :true":                thisWay + "contains",
		"if_not_exists(a, n) = :1":               thisWay + "if_not_exists",
		"list_append(l, l)":                      thisWay + "list_append",
		"dog(a)":                                 "Invalid function name; function: dog",
		"dog(a) = :1":                            "Invalid function name; function: dog",
		"BEGINS_WITH(a, :x)":                     "Invalid function name; function: BEGINS_WITH",
		"begins_with(a)":                         count + "begins_with, number of operands: 1",
		"size(a, n) = :1":                        count + "size, number of operands: 2",
		"attribute_exists(a, n)":                 count + "attribute_exists, number of operands: 2",
		"attribute_exists(:1)":                   path + "attribute_exists",
		"attribute_not_exists(:1)":               path + "attribute_not_exists",
		"((a = :1))":                             "The expression has redundant parentheses;",
		"(a = :1) AND ((n = :1))":                "The expression has redundant parentheses;",
		"l[99999999999999999999] = :1":           "List index is not within the allowable range; index: [99999999999999999999]",
		"a" + strings.Repeat(".x", 32) + " = :1": "The document path has too many nesting levels; nesting levels: 33",
		"a = :1" + strings.Repeat(" OR a = :1", 150):  "The expression contains too many operators; operator count: 301",
		"a IN (:1" + strings.Repeat(",:1", 100) + ")": "The IN operator is provided with too many operands; number of operands: 101",
	}
	for text, want := range tests {
		_, err := scope(t).Condition("ConditionExpression", text)
		if want = "Invalid ConditionExpression: " + want; err == nil || err.Error() != want {
			t.Errorf("%s\ngives %v\nwant  %s", text, err, want)
		}
	}
}

// TestPlaceholders proves that placeholders must be well formed and used, and their maps not empty.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		names  map[string]string
		values string
		want   string
	}{
		{map[string]string{}, `null`, "ExpressionAttributeNames must not be empty"},
		{nil, `{}`, "ExpressionAttributeValues must not be empty"},
		{map[string]string{"a": "a"}, `null`, `ExpressionAttributeNames contains invalid key: Syntax error; key: "a"`},
		{map[string]string{"#": "a"}, `null`, `ExpressionAttributeNames contains invalid key: Syntax error; key: "#"`},
		{map[string]string{"#a-b": "a"}, `null`, `ExpressionAttributeNames contains invalid key: Syntax error; key: "#a-b"`},
		{map[string]string{"#a": ""}, `null`, "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"},
		{nil, `{"v":{"S":"x"}}`, `ExpressionAttributeValues contains invalid key: Syntax error; key: "v"`},
		{nil, `{":v":{"N":"x"}}`, "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :v"},
		{map[string]string{"#a": "a", "#c": "c", "#b": "b"}, `{":v":{"S":"x"}}`, "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b, #c}"},
		{map[string]string{"#a": "a"}, `{":v":{"S":"x"},":w":{"S":"x"}}`, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"},
		{map[string]string{"#a": "a", "#_1": "b"}, `{":v":{"S":"x"},":_":{"S":"x"}}`, ""},
	}
	for _, test := range tests {
		s, err := expression.NewScope(test.names, item(t, test.values))
		if err == nil {
			if _, err = s.Condition("ConditionExpression", "#a = :v OR attribute_exists(a)"); err == nil && test.want == "" {
				_, err = s.Condition("FilterExpression", "#_1 = :_")
			}
			if err == nil {
				err = s.Finish()
			}
		}
		if got := text(err); got != test.want {
			t.Errorf("%v, %s\ngives %s\nwant  %s", test.names, test.values, got, test.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestReserved proves that the list of reserved words is complete, and that case does not matter.
func TestReserved(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"ABORT", "abort", "Name", "ttl", "online", "connection", "FLATTERN", "zone"} {
		if !expression.Reserved(word) {
			t.Errorf("%s is not reserved", word)
		}
	}
	for _, word := range []string{"pk", "sk", "gsk", "epoch", "announced", "presence", "lease", "user_id", ""} {
		if expression.Reserved(word) {
			t.Errorf("%s is reserved", word)
		}
	}
}
