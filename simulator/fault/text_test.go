package fault

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRuleText proves how rules are described to users.
func TestRuleText(t *testing.T) {
	t.Parallel()
	for want, rule := range map[string]Rule{
		"dynamodb PutItem by *-connect: ThrottlingException, 30% of the time, 2 times": {Service: DynamoDB, Action: "PutItem", Caller: "*-connect", Error: "ThrottlingException", Rate: 0.3, Count: 2},
		"sns: down": {Service: SNS, Down: true, Rate: 1},
		"execute-api PostToConnection on *=: +p50=4ms,p99=20ms": {Service: Connections, Action: "PostToConnection", Resource: "*=", Latency: &Latency{4 * time.Millisecond, 20 * time.Millisecond}},
		"ssm: InternalServerError after 1s":                     {Service: SSM, Error: "InternalServerError", Latency: Fixed(time.Second)},
		"lambda on *-send: killed at a random moment, once":     {Service: Lambda, Resource: "*-send", Kill: true, Count: 1},
		"lambda: killed after 1s":                               {Service: Lambda, Kill: true, Latency: Fixed(time.Second)},
		"disconnect: lost":                                      {Service: Disconnect, Lost: true},
		"delivery: delivered once more after 1s":                {Service: Delivery, Duplicate: true, Latency: Fixed(time.Second)},
		"sqs: ":                                                 {Service: SQS}, // no rule, but quoted by a refusal
	} {
		if got := rule.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestParse proves that a rule is parsed as it is written, and strictly.
func TestParse(t *testing.T) {
	t.Parallel()
	want := Rule{
		Service: DynamoDB, Action: "PutItem", Resource: "*", Caller: "*-connect", Error: "ThrottlingException",
		Latency: &Latency{4 * time.Millisecond, 20 * time.Millisecond}, Rate: 0.3, Count: 2, Seed: 7,
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		`{"service":"sns","dwon":true}`:       `no member "dwon"; there are service, action, resource, caller, error, down, latency, lost, duplicate, kill, rate, count, seed`,
		`{"Service":"sns","down":true}`:       `no member "Service"`,
		`{"service":"sns","id":"x"}`:          `no member "id"`,
		`{"service":"sns","down":"yes"}`:      `read the rule`,
		`{"service":"sns","latency":"quick"}`: `the latency "quick" is not understood`,
		`{"service":"sns"} {}`:                `no JSON object`,
		`[]`:                                  `no JSON object`,
		``:                                    `no JSON object`,
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
