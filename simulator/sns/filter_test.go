package sns_test

import (
	"strings"
	"testing"

	"heliograph/simulator/sns"
)

// TestFilter proves which messages a filter policy passes. Each message has at most the attribute "a".
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
		{`{"a":[true]}`, list, `[true]`, true},
		{`{"a":[true]}`, text, "true", false},
		{`{"a":[{"anything-but":"x"}]}`, "Binary", "y", false},
		{`{"a":["x"]}`, "Binary", "x", false},

		{`{"a":[{"prefix":"On"}]}`, text, "Online", true},
		{`{"a":[{"prefix":"On"}]}`, text, "online", false},
		{`{"a":[{"prefix":"1"}]}`, number, "12", false},

		{`{"a":[{"anything-but":"x"}]}`, text, "y", true},
		{`{"a":[{"anything-but":"x"}]}`, text, "x", false},
		{`{"a":[{"anything-but":"x"}]}`, none, "", false},
		{`{"a":[{"anything-but":[2,1]}]}`, number, "1", false},
		{`{"a":[{"anything-but":["x"]}]}`, number, "1", true},
		{`{"a":[{"anything-but":{"prefix":"x"}}]}`, text, "xy", false},
		{`{"a":[{"anything-but":{"prefix":"x"}}]}`, text, "yx", true},

		{`{"a":[{"exists":true}]}`, text, "x", true},
		{`{"a":[{"exists":true}]}`, "Binary", "x", true},
		{`{"a":[{"exists":true}]}`, none, "", false},
		{`{"a":[{"exists":false}]}`, none, "", false}, // a message without attributes passes no policy
		{`{"b":[{"exists":false}]}`, text, "x", true},
		{`{"a":[{"exists":false}]}`, text, "x", false},

		{`{"a":[{"numeric":["=",1.5]}]}`, number, "15e-1", true},
		{`{"a":[{"numeric":["=",1]}]}`, text, "1", false},
		{`{"a":[{"numeric":[">",0]}]}`, number, "0", false},
		{`{"a":[{"numeric":[">=",0]}]}`, number, "0", true},
		{`{"a":[{"numeric":["<",0]}]}`, number, "0", false},
		{`{"a":[{"numeric":["<=",0]}]}`, number, "0", true},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, number, "5", true},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, number, "0", false},

		{`{"a":[{"suffix":"y"}]}`, text, "xy", true},
		{`{"a":[{"equals-ignore-case":"X"}]}`, text, "x", true},
		{`{"a":[{"cidr":"10.0.0.0/8"}]}`, text, "10.1.2.3", true},
		{`{"a":[{"wildcard":"x*z"}]}`, text, "xyz", true},
		{`{"a":[{"anything-but":{"wildcard":"x*"}}]}`, text, "xyz", false},
		{`{"$or":[{"a":["x"]},{"b":["x"]}]}`, text, "x", true},
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

// TestBodyFilter proves that a policy of scope MessageBody examines the body, nested objects included, and that a body
// that is not a JSON object with members passes none.
func TestBodyFilter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		policy, body string
		want         bool
	}{
		{`{"a":{"b":["x"]}}`, `{"a":{"b":"x"}}`, true},
		{`{"a":{"b":["x"]}}`, `{"a":{"b":"y"}}`, false},
		{`{"a":{"b":["x"]}}`, `{"a":[{"b":"x"}]}`, true},
		{`{"a":[1]}`, `{"a":1.0}`, true},
		{`{"a":[{"exists":true}]}`, `{"a":null}`, false},
		{`{"a":[{"exists":false}]}`, `{"b":1}`, true},
		{`{"a":[{"exists":false}]}`, `{}`, false},
		{`{"a":[{"exists":false}]}`, `text`, false},
	} {
		s, q := newServer()
		mustTopic(t, s)
		mustSubscribe(t, s, queueARN, map[string]string{"FilterPolicy": tt.policy, "FilterPolicyScope": "MessageBody"})
		if _, err := s.Publish(t.Context(), topicARN, sns.Publication{Message: tt.body}); err != nil {
			t.Fatal(err)
		}
		if got := len(q.take()) == 1; got != tt.want {
			t.Errorf("%s, %s: passes %v", tt.policy, tt.body, got)
		}
	}
}

// TestScopeBindsPolicy proves that a scope and a policy are checked against each other, whichever is set last.
func TestScopeBindsPolicy(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	mustTopic(t, s)
	arn := mustSubscribe(t, s, queueARN, map[string]string{"FilterPolicyScope": "MessageBody", "FilterPolicy": `{"a":{"b":["x"]}}`})
	if err := s.SetSubscriptionAttribute(arn, "FilterPolicyScope", "MessageAttributes"); code(err) != "InvalidParameter" {
		t.Errorf("a nested policy got the scope MessageAttributes: %v", err)
	}
	shown, err := s.SubscriptionAttributes(arn)
	if err != nil || shown["FilterPolicyScope"] != "MessageBody" {
		t.Errorf("after the refusal the scope is %q (%v)", shown["FilterPolicyScope"], err)
	}
}

// TestBadFilters proves that a policy that AWS does not accept is refused.
func TestBadFilters(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{
		`x`, `[]`, `null`, `{"a":"x"}`, `{"a":[]}`, `{"a":{"b":["x"]}}`, `{"$or":[{"a":["x"]}]}`,
		`{"a":[["x"]]}`, `{"a":[{"contains":"x"}]}`, `{"a":[{"anything-but":{"suffix":"x"}}]}`,
		`{"a":[{"numeric":[">",1000000001]}]}`, `{"a":[1e10]}`,
		`{"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],"f":["x"]}`,
		`{"a":[` + strings.Repeat(`"x",`, 12) + `"x"],"b":[` + strings.Repeat(`"x",`, 11) + `"x"]}`,
		`{"a":[` + strings.Repeat(`{"wildcard":"*"},`, 10) + `{"wildcard":"*"}]}`,
	} {
		s, _ := newServer()
		mustTopic(t, s)
		_, err := s.Subscribe(topicARN, "sqs", queueARN, map[string]string{"FilterPolicy": policy})
		if code(err) != "InvalidParameter" {
			t.Errorf("%s: %v", policy, err)
		}
	}
}
