package sns_test

import (
	"strings"
	"testing"

	"heliograph/simulator/sns"
)

// TestFilter proves which messages a filter policy lets pass. Each message has the attribute "a", if it
// has any.
func TestFilter(t *testing.T) {
	t.Parallel()
	text, number, list, none := "String", "Number", "String.Array", ""
	tests := []struct {
		policy   string
		dataType string
		value    string
		want     bool
	}{
		{``, none, "", true},
		{`{}`, none, "", true},

		{`{"a":["x","y"]}`, text, "y", true},
		{`{"a":["x","y"]}`, text, "z", false},
		{`{"a":["x"]}`, text, "X", false},
		{`{"a":["x"]}`, none, "", false},
		{`{"a":["x"]}`, "String.label", "x", true},
		{`{"a":["1"]}`, number, "1", false},
		{`{"a":[1]}`, number, "1.0", true},
		{`{"a":[1]}`, number, "2", false},
		{`{"a":[1]}`, text, "1", false},
		{`{"a":["x"]}`, list, `["w","x"]`, true},
		{`{"a":["x"]}`, list, `["w"]`, false},
		{`{"a":[2]}`, list, `[1,2]`, true},
		{`{"a":["x"]}`, "Binary", "x", false},

		{`{"a":[{"prefix":"On"}]}`, text, "Online", true},
		{`{"a":[{"prefix":"On"}]}`, text, "online", false},
		{`{"a":[{"prefix":"1"}]}`, number, "12", false},

		{`{"a":[{"anything-but":"x"}]}`, text, "y", true},
		{`{"a":[{"anything-but":"x"}]}`, text, "x", false},
		{`{"a":[{"anything-but":"x"}]}`, none, "", false},
		{`{"a":[{"anything-but":["x",1]}]}`, number, "1", false},
		{`{"a":[{"anything-but":["x"]}]}`, number, "1", true},
		{`{"a":[{"anything-but":{"prefix":"x"}}]}`, text, "xy", false},
		{`{"a":[{"anything-but":{"prefix":"x"}}]}`, text, "yx", true},

		{`{"a":[{"exists":true}]}`, text, "x", true},
		{`{"a":[{"exists":true}]}`, "Binary", "x", true},
		{`{"a":[{"exists":true}]}`, none, "", false},
		{`{"a":[{"exists":false}]}`, none, "", true},
		{`{"a":[{"exists":false}]}`, text, "x", false},

		{`{"a":[{"numeric":["=",1.5]}]}`, number, "15e-1", true},
		{`{"a":[{"numeric":["=",1]}]}`, text, "1", false},
		{`{"a":[{"numeric":[">",0]}]}`, number, "0", false},
		{`{"a":[{"numeric":[">=",0]}]}`, number, "0", true},
		{`{"a":[{"numeric":["<",0]}]}`, number, "0", false},
		{`{"a":[{"numeric":["<=",0]}]}`, number, "0", true},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, number, "5", true},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, number, "0", false},
		{`{"a":[{"numeric":["<=",5,">",0]}]}`, number, "6", false},

		{`{"a":["x",{"prefix":"y"},{"exists":false}]}`, text, "yy", true}, // one of the conditions is enough
		{`{"a":["x"],"b":[{"exists":false}]}`, text, "x", true},           // all of the attributes must match
		{`{"a":["x"],"b":["x"]}`, text, "x", false},
	}
	for _, tt := range tests {
		s, q := newServer()
		mustTopic(t, s)
		mustSubscribe(t, s, queueARN, map[string]string{"FilterPolicy": tt.policy})
		p := sns.Publication{Message: "x"}
		if tt.dataType != "" {
			a := sns.Attribute{DataType: tt.dataType, StringValue: tt.value}
			if tt.dataType == "Binary" {
				a = sns.Attribute{DataType: tt.dataType, BinaryValue: []byte(tt.value)}
			}
			p.Attributes = map[string]sns.Attribute{"a": a}
		}
		if _, err := s.Publish(t.Context(), topicARN, p); err != nil {
			t.Fatal(err)
		}
		if got := len(q.take()) == 1; got != tt.want {
			t.Errorf("%s, %s %s: passes %v", tt.policy, tt.dataType, tt.value, got)
		}
	}
}

// TestBadFilters proves that what is not known in a policy is refused.
func TestBadFilters(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{
		`x`, `[]`, `null`, `{"a":"x"}`, `{"a":[]}`, `{"a":{"b":["x"]}}`, `{"$or":[{"a":["x"]}]}`,
		`{"a":[true]}`, `{"a":[null]}`, `{"a":[["x"]]}`, `{"a":[{}]}`, `{"a":[{"prefix":"x","exists":true}]}`,
		`{"a":[{"suffix":"x"}]}`, `{"a":[{"equals-ignore-case":"x"}]}`, `{"a":[{"cidr":"10.0.0.0/8"}]}`, `{"a":[{"wildcard":"x*"}]}`,
		`{"a":[{"prefix":1}]}`, `{"a":[{"prefix":""}]}`, `{"a":[{"exists":"true"}]}`, `{"a":[{"exists":null}]}`,
		`{"a":[{"anything-but":[]}]}`, `{"a":[{"anything-but":true}]}`, `{"a":[{"anything-but":{"suffix":"x"}}]}`, `{"a":[{"anything-but":[["x"]]}]}`,
		`{"a":[{"numeric":[]}]}`, `{"a":[{"numeric":[">"]}]}`, `{"a":[{"numeric":["~",1]}]}`, `{"a":[{"numeric":[">","1"]}]}`,
		`{"a":[{"numeric":[">",1,">",2]}]}`, `{"a":[{"numeric":["=",1,"<",2]}]}`, `{"a":[{"numeric":[">",1000000001]}]}`, `{"a":[1e10]}`,
		`{"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],"f":["x"]}`,
		`{"a":[` + strings.Repeat(`"x",`, 12) + `"x"],"b":[` + strings.Repeat(`"x",`, 11) + `"x"]}`,
	} {
		s, _ := newServer()
		mustTopic(t, s)
		_, err := s.Subscribe(topicARN, "sqs", queueARN, map[string]string{"FilterPolicy": policy})
		if code(err) != "InvalidParameter" {
			t.Errorf("%s: %v", policy, err)
		}
	}
}
