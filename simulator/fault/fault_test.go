package fault

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// actions are the API actions of the services in these tests.
var actions = map[Service][]string{
	DynamoDB: {"GetItem", "PutItem", "Query"}, SNS: {"Publish"}, Lambda: {"Invoke"},
	Connections: {"PostToConnection", "GetConnection", "DeleteConnection"},
}

// put is a call by the function connect.
var put = Event{
	Service: DynamoDB, Action: "PutItem", Caller: "heliograph-local-connect",
	Resources: []string{"arn:aws:dynamodb:us-east-1:000000000000:table/t"},
}

func mustAdd(t *testing.T, s *Set, r Rule) ID {
	t.Helper()
	id, err := s.Add(r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestWhoIsStruck proves that a rule affects exactly the service, action, resource and caller that it names.
func TestWhoIsStruck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule Rule
		want bool
	}{
		"everything":              {Rule{Service: DynamoDB}, true},
		"every action":            {Rule{Service: DynamoDB, Action: "*"}, true},
		"this action":             {Rule{Service: DynamoDB, Action: "PutItem"}, true},
		"another action":          {Rule{Service: DynamoDB, Action: "GetItem"}, false},
		"another service":         {Rule{Service: SNS}, false},
		"this resource":           {Rule{Service: DynamoDB, Resource: "*:table/?"}, true},
		"another resource":        {Rule{Service: DynamoDB, Resource: "*:table/u"}, false},
		"this caller":             {Rule{Service: DynamoDB, Caller: "*-connect"}, true},
		"another caller":          {Rule{Service: DynamoDB, Caller: "*-send"}, false},
		"all, and another caller": {Rule{Service: DynamoDB, Action: "PutItem", Resource: "*", Caller: "connect"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := New(actions)
			test.rule.Down = true
			mustAdd(t, s, test.rule)
			if got := s.Meet(put).Error != nil; got != test.want {
				t.Errorf("struck: %t, want %t", got, test.want)
			}
		})
	}
	s := New(actions)
	mustAdd(t, s, Rule{Service: DynamoDB, Caller: "*", Down: true})
	if got := s.Meet(Event{Service: DynamoDB, Action: "PutItem"}); got.Error != nil {
		t.Error("a rule for a function struck somebody who is none")
	}
}

// TestEffects proves what each kind of rule does to an event.
func TestEffects(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule Rule
		want Outcome // only the error's code and status
		code string
	}{
		"an error":      {Rule{Service: DynamoDB, Error: "ThrottlingException"}, Outcome{}, "ThrottlingException 400"},
		"a late error":  {Rule{Service: SNS, Error: "InternalError", Latency: Fixed(time.Second)}, Outcome{Wait: time.Second}, "InternalError 500"},
		"down":          {Rule{Service: Connections, Down: true}, Outcome{}, "ServiceUnavailableException 503"},
		"no answer":     {Rule{Service: SNS, Error: NoAnswer}, Outcome{NoAnswer: true}, ""},
		"lost answer":   {Rule{Service: SNS, Error: LostAnswer}, Outcome{LostAnswer: true}, ""},
		"latency":       {Rule{Service: SSM, Latency: Fixed(time.Minute)}, Outcome{Wait: time.Minute}, ""},
		"lost":          {Rule{Service: Disconnect, Lost: true}, Outcome{Lost: true}, ""},
		"delayed":       {Rule{Service: Disconnect, Latency: Fixed(time.Second)}, Outcome{Wait: time.Second}, ""},
		"duplicate":     {Rule{Service: Delivery, Duplicate: true, Latency: Fixed(time.Second)}, Outcome{Wait: time.Second, Duplicate: true}, ""},
		"gone":          {Rule{Service: Connections, Error: "GoneException"}, Outcome{}, "GoneException 410"},
		"too many":      {Rule{Service: Connections, Error: "LimitExceededException"}, Outcome{}, "LimitExceededException 429"},
		"lambda's down": {Rule{Service: Lambda, Down: true}, Outcome{}, "ServiceException 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := New(actions)
			mustAdd(t, s, test.rule)
			got, code := s.Meet(Event{Service: test.rule.Service}), ""
			if got.Error != nil {
				code = fmt.Sprint(got.Error.Code, " ", got.Error.HTTPStatus())
			}
			got.Error = nil
			if diff := cmp.Diff(test.want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Kill" }, cmp.Ignore())); diff != "" || code != test.code {
				t.Errorf("the error is %q, want %q\n%s", code, test.code, diff)
			}
		})
	}
}

// TestKill proves that a function dies at some moment within its usual duration, or after the rule's latency.
func TestKill(t *testing.T) {
	t.Parallel()
	s := New(actions)
	mustAdd(t, s, Rule{Service: Lambda, Kill: true, Count: 100, Seed: 7})
	moments := map[time.Duration]bool{}
	for range 100 {
		at := s.Meet(Event{Service: Lambda}).Kill(time.Second)
		if at < 0 || at >= time.Second {
			t.Fatalf("killed after %v of 1 s", at)
		}
		moments[at.Round(100*time.Millisecond)] = true
	}
	if len(moments) < 10 {
		t.Errorf("only at %v", moments)
	}
	mustAdd(t, s, Rule{Service: Lambda, Kill: true, Latency: Fixed(time.Minute)})
	if o := s.Meet(Event{Service: Lambda}); o.Wait != 0 || o.Kill(time.Second) != time.Minute {
		t.Errorf("waits for %v and is killed after %v", o.Wait, o.Kill(time.Second))
	}
}

// TestHowOften proves counts and rates, and that a seed makes a rate reproducible.
func TestHowOften(t *testing.T) {
	t.Parallel()
	strikes := func(s *Set, n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("-x"[min(1, len(fmt.Sprint(s.Meet(put).Wait))-len("0s"))])
		}
		return b.String()
	}
	counted := New(actions)
	id := mustAdd(t, counted, Rule{Service: DynamoDB, Latency: Fixed(time.Minute), Count: 2})
	if got := strikes(counted, 4); got != "xx--" {
		t.Errorf("a count of 2 gives %s", got)
	}
	want := []Status{{Rule: Rule{ID: id, Service: DynamoDB, Latency: Fixed(time.Minute), Count: 2}, Hits: 2, Spent: true}}
	if diff := cmp.Diff(want, counted.List()); diff != "" {
		t.Error(diff)
	}
	var runs []string
	for range 2 {
		seeded := New(actions)
		mustAdd(t, seeded, Rule{Service: DynamoDB, Latency: Fixed(time.Minute), Rate: 0.3, Seed: 42})
		runs = append(runs, strikes(seeded, 1000))
	}
	if hits := strings.Count(runs[0], "x"); hits < 250 || hits > 350 || runs[0] != runs[1] {
		t.Errorf("a rate of 0.3 struck %d of 1000; the same again: %t", hits, runs[0] == runs[1])
	}
}

// TestOrder proves that waits add up, that the first error ends the search, and that later rules are not used up.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := New(actions)
	for _, r := range []Rule{
		{Latency: Fixed(time.Second)},
		{Latency: Fixed(time.Minute)},
		{Error: "ThrottlingException", Count: 1},
		{Error: "InternalServerError", Count: 1},
	} {
		r.Service = DynamoDB
		mustAdd(t, s, r)
	}
	var got []string
	for range 3 {
		o := s.Meet(put)
		if o.Wait != time.Minute+time.Second {
			t.Errorf("waits for %v", o.Wait)
		}
		if o.Error != nil {
			got = append(got, o.Error.Code)
		}
	}
	if diff := cmp.Diff([]string{"ThrottlingException", "InternalServerError"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestRemove proves that rules end one by one and all together.
func TestRemove(t *testing.T) {
	t.Parallel()
	s := New(actions)
	a, b := mustAdd(t, s, Rule{Service: SNS, Down: true}), mustAdd(t, s, Rule{Service: DynamoDB, Down: true})
	if err := s.Remove("fault-9"); err == nil || !strings.Contains(err.Error(), string(a)+", "+string(b)) {
		t.Errorf("removing what is not there: %v", err)
	}
	if err := s.Remove(a); err != nil {
		t.Fatal(err)
	}
	if list := s.List(); len(list) != 1 || list[0].ID != b || s.Meet(Event{Service: SNS}).Error != nil {
		t.Errorf("left: %+v", list)
	}
	s.Clear()
	if list := s.List(); len(list) != 0 || s.Meet(put).Error != nil {
		t.Errorf("left: %+v", list)
	}
}

// TestWrongRules proves that an invalid rule is refused with a message that says what would be valid.
func TestWrongRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule Rule
		want string
	}{
		{Rule{Service: "s3", Down: true}, `the service "s3" is not known; there are delivery, disconnect, dynamodb, execute-api, lambda, sns, sqs, ssm`},
		{Rule{Service: DynamoDB, Action: "Putitem", Down: true}, `the action "Putitem" of dynamodb is not known; there are *, GetItem, PutItem, Query`},
		{Rule{Service: Disconnect, Action: "x", Lost: true}, `disconnect has none`},
		{Rule{Service: DynamoDB}, `no effect; dynamodb may have one of error, down, latency`},
		{Rule{Service: DynamoDB, Down: true, Error: "ThrottlingException"}, `one effect, not error and down`},
		{Rule{Service: DynamoDB, Lost: true}, `the effect lost does not fit dynamodb, which may have error, down, latency`},
		{Rule{Service: DynamoDB, Error: "Throttled"}, `the error "Throttled" of dynamodb is not known; there are InternalServerError, ProvisionedThroughputExceededException`},
		{Rule{Service: Lambda, Error: NoAnswer}, `the error "NoAnswer" of lambda is not known; there are EC2ThrottledException`},
		{Rule{Service: Lambda, Error: LostAnswer}, `the error "LostAnswer" of lambda is not known; there are EC2ThrottledException`},
		{Rule{Service: Delivery, Latency: Fixed(1)}, `the effect latency does not fit delivery`},
		{Rule{Service: Lambda, Down: true, Caller: "x"}, `lambda has none`},
		{Rule{Service: SNS, Down: true, Rate: 1.5}, `the rate is 1.5`},
		{Rule{Service: SNS, Down: true, Rate: -1}, `the rate is -1`},
		{Rule{Service: SNS, Down: true, Count: -1}, `the count is -1`},
		{Rule{Service: SNS, Down: true, ID: "mine"}, `the id "mine" must not be given`},
	} {
		s := New(actions)
		_, err := s.Add(test.rule)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.rule, err, test.want)
		}
		if len(s.List()) != 0 {
			t.Errorf("%+v is in effect all the same", test.rule)
		}
	}
}

// TestLatencyText proves that latencies are parsed as they are written, and which texts are refused.
func TestLatencyText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Latency{
		`"200ms"`:              {200 * time.Millisecond, 200 * time.Millisecond},
		`"p50=4ms,p99=20ms"`:   {4 * time.Millisecond, 20 * time.Millisecond},
		`"p50=4ms, p99=1m10s"`: {4 * time.Millisecond, 70 * time.Second},
	} {
		var got Latency
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
		var again Latency
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%v is written as %s and read as %v, %v", got, got, again, err)
		}
	}
	for _, text := range []string{"", "fast", "0s", "-1s", "2h", "4ms,20ms", "p50=20ms,p99=4ms", "p99=1s,p50=1s", "p50=4ms,p99=20ms,p999=1s"} {
		if err := new(Latency).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDistribution proves that drawn latencies have the requested median and 99th percentile.
func TestDistribution(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := Latency{P50: time.Duration(rapid.IntRange(1e3, 1e9).Draw(t, "p50"))}
		l.P99 = l.P50 * time.Duration(rapid.IntRange(2, 50).Draw(t, "times"))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		drawn := make([]time.Duration, 4000)
		for i := range drawn {
			drawn[i] = l.Draw(random)
		}
		slices.Sort(drawn)
		if drawn[0] < 0 || drawn[len(drawn)-1] > 10*l.P99 {
			t.Fatalf("from %v to %v", drawn[0], drawn[len(drawn)-1])
		}
		// Ten standard errors: the share below the requested median is a half, within 8 %.
		under := func(d time.Duration) float64 {
			i, _ := slices.BinarySearch(drawn, d)
			return float64(i) / float64(len(drawn))
		}
		if m, n := under(l.P50), under(l.P99); m < 0.42 || m > 0.58 || n < 0.974 {
			t.Fatalf("%.3f are under the median, %.3f under the 99th percentile", m, n)
		}
	})
}

// TestCodes proves that each service has an error for being down, and that every status is an error status.
func TestCodes(t *testing.T) {
	t.Parallel()
	for service, effects := range effects {
		if !slices.Contains(effects, "error") {
			continue
		}
		if down := codes[service][unavailable[service]]; down == nil || down.HTTPStatus() < http.StatusInternalServerError {
			t.Errorf("%s has no error for being down", service)
		}
		for code, e := range codes[service] {
			if e.HTTPStatus() < http.StatusBadRequest || code != "GoneException" && e.Message == "" {
				t.Errorf("%s: %+v", service, e)
			}
		}
	}
}
