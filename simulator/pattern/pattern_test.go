package pattern_test

import (
	"strings"
	"testing"

	"heliograph/simulator/pattern"
)

// all supports everything that the package knows.
var all = pattern.Dialect{
	Operators:   []string{"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"},
	AnythingBut: []string{"prefix", "suffix", "wildcard"},
}

// TestMatch proves what each operator matches.
func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, event string
		want           bool
	}{
		{`{"a":["x","y"]}`, `{"a":"y"}`, true},
		{`{"a":["x","y"]}`, `{"a":"z"}`, false},
		{`{"a":["x"]}`, `{}`, false},
		{`{"a":["x"]}`, `{"a":{"x":"x"}}`, false},
		{`{"a":["x"]}`, `{"a":["w",["x"]]}`, true},
		{`{"a":["x"],"b":["y"]}`, `{"a":"x","b":"z"}`, false},
		{`{"a":[1]}`, `{"a":1.0}`, true},
		{`{"a":[1]}`, `{"a":"1"}`, false},
		{`{"a":["1"]}`, `{"a":1}`, false},
		{`{"a":[true]}`, `{"a":true}`, true},
		{`{"a":[true]}`, `{"a":false}`, false},
		{`{"a":[null]}`, `{"a":null}`, true},
		{`{"a":[null]}`, `{}`, false},
		{`{"a":[""]}`, `{"a":""}`, true},

		{`{"a":[{"prefix":"on"}]}`, `{"a":"online"}`, true},
		{`{"a":[{"prefix":"on"}]}`, `{"a":"On"}`, false},
		{`{"a":[{"suffix":"ne"}]}`, `{"a":"online"}`, true},
		{`{"a":[{"suffix":"ne"}]}`, `{"a":"online "}`, false},
		{`{"a":[{"equals-ignore-case":"oNe"}]}`, `{"a":"OnE"}`, true},
		{`{"a":[{"equals-ignore-case":"one"}]}`, `{"a":"ones"}`, false},
		{`{"a":[{"cidr":"10.1.0.0/16"}]}`, `{"a":"10.1.2.3"}`, true},
		{`{"a":[{"cidr":"10.1.0.0/16"}]}`, `{"a":"10.2.2.3"}`, false},
		{`{"a":[{"cidr":"10.1.0.0/16"}]}`, `{"a":"no address"}`, false},
		{`{"a":[{"cidr":"2001:db8::/32"}]}`, `{"a":"2001:db8::1"}`, true},

		{`{"a":[{"wildcard":"*/src/*.js"}]}`, `{"a":"/home/src/x.js"}`, true},
		{`{"a":[{"wildcard":"*/src/*.js"}]}`, `{"a":"/home/src/x.jsx"}`, false},
		{`{"a":[{"wildcard":"a*a"}]}`, `{"a":"a"}`, false},
		{`{"a":[{"wildcard":"a*b*c"}]}`, `{"a":"abbc"}`, true},
		{`{"a":[{"wildcard":"a*b*c"}]}`, `{"a":"acb"}`, false},
		{`{"a":[{"wildcard":"a\\*b"}]}`, `{"a":"a*b"}`, true},
		{`{"a":[{"wildcard":"a\\*b"}]}`, `{"a":"axb"}`, false},
		{`{"a":[{"wildcard":"ab"}]}`, `{"a":"ab"}`, true},

		{`{"a":[{"exists":true}]}`, `{"a":"x"}`, true},
		{`{"a":[{"exists":true}]}`, `{"a":null}`, true},
		{`{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, false},
		{`{"a":[{"exists":false}]}`, `{"b":1}`, true},
		{`{"a":[{"exists":false}]}`, `{"a":1}`, false},
		{`{"a":{"b":[{"exists":false}]}}`, `{}`, true},
		{`{"a":{"b":[{"exists":false}]}}`, `{"a":{"b":1}}`, false},

		{`{"a":[{"anything-but":"x"}]}`, `{"a":"y"}`, true},
		{`{"a":[{"anything-but":"x"}]}`, `{"a":"x"}`, false},
		{`{"a":[{"anything-but":"x"}]}`, `{}`, false},
		{`{"a":[{"anything-but":"x"}]}`, `{"a":{"b":1}}`, false},
		{`{"a":[{"anything-but":["x","y"]}]}`, `{"a":["x","y"]}`, false},
		{`{"a":[{"anything-but":["x","y"]}]}`, `{"a":["x","z"]}`, true},
		{`{"a":[{"anything-but":[1,2]}]}`, `{"a":2}`, false},
		{`{"a":[{"anything-but":{"prefix":"x"}}]}`, `{"a":"xy"}`, false},
		{`{"a":[{"anything-but":{"suffix":"y"}}]}`, `{"a":"yx"}`, true},
		{`{"a":[{"anything-but":{"wildcard":"*y*"}}]}`, `{"a":"xyz"}`, false},

		{`{"a":[{"numeric":["=",1.5]}]}`, `{"a":15e-1}`, true},
		{`{"a":[{"numeric":["=",1]}]}`, `{"a":"1"}`, false},
		{`{"a":[{"numeric":[">",0]}]}`, `{"a":0}`, false},
		{`{"a":[{"numeric":[">=",0]}]}`, `{"a":0}`, true},
		{`{"a":[{"numeric":["<",0]}]}`, `{"a":0}`, false},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":5}`, true},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":6}`, false},

		{`{"$or":[{"a":["x"]},{"b":["y"]}],"c":["z"]}`, `{"b":"y","c":"z"}`, true},
		{`{"$or":[{"a":["x"]},{"b":["y"]}],"c":["z"]}`, `{"b":"y"}`, false},
		{`{"$or":[{"a":["x"]},{"b":["y"]}],"c":["z"]}`, `{"c":"z"}`, false},
		{`{"a":{"$or":[{"b":["x"]},{"c":["y"]}]}}`, `{"a":{"c":"y"}}`, true},

		{`{"a":{"b":["x"],"c":["y"]}}`, `{"a":[{"b":"x","c":"n"},{"b":"x","c":"y"}]}`, true},
		{`{"a":{"b":["x"],"c":["y"]}}`, `{"a":[{"b":"x","c":"n"},{"b":"n","c":"y"}]}`, false}, // not within one element
	} {
		p, err := all.Parse(tt.pattern)
		if err != nil {
			t.Fatalf("%s: %v", tt.pattern, err)
		}
		event, err := pattern.Decode[map[string]any]([]byte(tt.event))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(event); got != tt.want {
			t.Errorf("%s matches %s: %v", tt.pattern, tt.event, got)
		}
	}
}

// TestRefused proves that anything outside the language is refused in AWS's wording.
func TestRefused(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`[]`:                                       "cannot unmarshal",
		`null`:                                     "neither an object nor a list",
		`{"a":["b"]} x`:                            "more than one value",
		`{}`:                                       "Empty objects are not allowed",
		`{"a":{}}`:                                 "Empty objects are not allowed",
		`{"a":"b"}`:                                `"a" must be an object or an array`,
		`{"a":[]}`:                                 "Empty arrays are not allowed",
		`{"a":[["b"]]}`:                            "Match value must be String, number, true, false, or null",
		`{"a":[{"contains":"x"}]}`:                 "Unrecognized match type contains",
		`{"a":[{}]}`:                               "Only one key allowed in match expression",
		`{"a":[{"prefix":"x","exists":true}]}`:     "Only one key allowed in match expression",
		`{"a":[{"prefix":1}]}`:                     "prefix match pattern must be a string",
		`{"a":[{"suffix":true}]}`:                  "suffix match pattern must be a string",
		`{"a":[{"exists":"yes"}]}`:                 "exists match pattern must be either true or false",
		`{"a":[{"exists":null}]}`:                  "exists match pattern must be either true or false",
		`{"a":[{"cidr":"10.0.0.1"}]}`:              "Malformed CIDR, one '/' required",
		`{"a":[{"cidr":"10.0.0/8"}]}`:              "Malformed CIDR",
		`{"a":[{"wildcard":"a**"}]}`:               "Consecutive wildcard characters at pos 1",
		`{"a":[{"wildcard":"**"}]}`:                "Consecutive wildcard characters at pos 0",
		`{"a":[{"wildcard":"a\\b"}]}`:              "Invalid escape character at pos 1",
		`{"a":[{"wildcard":"*a*b*c*"}]}`:           "at most 3 stars",
		`{"a":[{"numeric":[]}]}`:                   "Invalid member in numeric match",
		`{"a":[{"numeric":[">"]}]}`:                "Invalid member in numeric match",
		`{"a":[{"numeric":["!",1]}]}`:              "Unrecognized numeric range operator: !",
		`{"a":[{"numeric":[">","1"]}]}`:            "Value of > must be numeric",
		`{"a":[{"numeric":["=",1,"<",2]}]}`:        "Too many elements in numeric expression",
		`{"a":[{"numeric":["<",2,">",1]}]}`:        "Too many elements in numeric expression",
		`{"a":[{"numeric":[">",1,">",2]}]}`:        "Bad numeric range operator: >",
		`{"a":[{"numeric":[">",2,"<",2]}]}`:        "Bottom must be less than top",
		`{"a":[{"anything-but":[]}]}`:              "Empty arrays are not allowed",
		`{"a":[{"anything-but":true}]}`:            "boolean is not supported",
		`{"a":[{"anything-but":[["x"]]}]}`:         "is not supported",
		`{"a":[{"anything-but":["x",1]}]}`:         "mixed type is not supported",
		`{"a":[{"anything-but":{"exists":true}}]}`: "Unsupported anything-but pattern: exists",
		`{"a":[{"anything-but":{"prefix":""}}]}`:   "Null prefix/suffix not allowed",
		`{"a":[{"anything-but":{"prefix":1}}]}`:    "prefix match pattern must be a string",
		`{"$or":[{"a":["x"]}]}`:                    "at least 2 Objects in $or",
		`{"$or":["x","y"]}`:                        "Only Object is allowed in array of $or",
		`{"$or":[{"a":["x"]},{"a":[]}]}`:           "$or: a: Empty arrays",
		`{"a":{"b":[[]]}}`:                         "a: b: Match value",
	} {
		if _, err := all.Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q in it", text, err, says)
		}
	}
}

// TestDialect proves that each option of a dialect removes what it says, and nothing otherwise.
func TestDialect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pattern, event string
		restrict       func(*pattern.Dialect)
		says           string // empty: the pattern is valid, and no longer matches
	}{
		"operators":       {`{"a":[{"suffix":"x"}]}`, `{"a":"x"}`, func(d *pattern.Dialect) { d.Operators = []string{"prefix"} }, "Unrecognized match type suffix; prefix are taken"},
		"anything-but":    {`{"a":[{"anything-but":{"suffix":"x"}}]}`, `{"a":"y"}`, func(d *pattern.Dialect) { d.AnythingBut = nil }, "Unsupported anything-but pattern: suffix"},
		"flat":            {`{"a":{"b":["x"]}}`, `{"a":{"b":"x"}}`, func(d *pattern.Dialect) { d.Flat = "no nesting" }, "no nesting"},
		"numbers":         {`{"a":[{"numeric":[">",11]}]}`, `{"a":12}`, func(d *pattern.Dialect) { d.MaxNumber = 10 }, "from -10 to 10"},
		"literal numbers": {`{"a":[11]}`, `{"a":11}`, func(d *pattern.Dialect) { d.MaxNumber = 10 }, "from -10 to 10"},
		"numbers as text": {`{"a":[300]}`, `{"a":3e2}`, func(d *pattern.Dialect) { d.NumbersAsText = true }, ""},
		"null exists":     {`{"a":[{"exists":true}]}`, `{"a":null}`, func(d *pattern.Dialect) { d.ExistsNeedsValue = true }, ""},
		"keys":            {`{"a":["x"],"b":{"c":["x"],"d":["x"]}}`, `{"a":"x","b":{"c":"x","d":"x"}}`, func(d *pattern.Dialect) { d.MaxKeys = 2 }, "more than 2 keys"},
		"combinations":    {`{"a":["x","y"],"b":{"c":["x","y"]}}`, `{"a":"x","b":{"c":"x"}}`, func(d *pattern.Dialect) { d.MaxCombinations = 7 }, "it has 8 combinations"},
		"$or combines":    {`{"$or":[{"a":["x","y"]},{"a":["z"]}],"b":["x","y"]}`, `{"a":"x","b":"x"}`, func(d *pattern.Dialect) { d.MaxCombinations = 5 }, "it has 6 combinations"},
		"wildcards":       {`{"a":[{"wildcard":"*x"},{"anything-but":{"wildcard":"*x*"}}]}`, `{"a":"y"}`, func(d *pattern.Dialect) { d.MaxWildcards = 13 }, "cost 14 points"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event, _ := pattern.Decode[map[string]any]([]byte(tt.event))
			if p, err := all.Parse(tt.pattern); err != nil || !p.Match(event) {
				t.Fatalf("without the option: %v", err)
			}
			restricted := all
			tt.restrict(&restricted)
			p, err := restricted.Parse(tt.pattern)
			if tt.says == "" {
				if err != nil || p.Match(event) {
					t.Errorf("%v; it still matches", err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q in it", err, tt.says)
			}
		})
	}
}

// TestOpaque proves that a value that can't be compared matches only exists.
func TestOpaque(t *testing.T) {
	t.Parallel()
	event := map[string]any{"a": pattern.Opaque{}}
	for text, want := range map[string]bool{
		`{"a":[{"exists":true}]}`: true, `{"a":[{"exists":false}]}`: false, `{"a":[{"anything-but":"x"}]}`: false,
		`{"a":["x"]}`: false, `{"a":[{"prefix":""}]}`: false,
	} {
		p, err := all.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(event); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
