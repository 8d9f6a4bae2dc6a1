package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/observability"
	"heliograph/presence"
)

//go:embed testdata/online.json
var sample []byte

// fakeDirectory returns what it is given, and records the queries.
type fakeDirectory struct {
	users []heliograph.UserID // asked by name
	limit int
	cursor,
	asked string // the kind of query: names or page
	page presence.Page
	err  error
}

func (f *fakeDirectory) Statuses(_ context.Context, users []heliograph.UserID) ([]presence.Status, error) {
	f.asked, f.users = "names", users
	return f.page.Users, f.err
}

func (f *fakeDirectory) Online(_ context.Context, limit int, cursor string) (presence.Page, error) {
	f.asked, f.limit, f.cursor = "page", limit, cursor
	return f.page, f.err
}

// invoke calls the handler as Lambda does, with the sample event and the given query string.
func invoke(t *testing.T, d directory, rawQuery string) (events.APIGatewayV2HTTPResponse, string) {
	t.Helper()
	return invokeAs(t, d, rawQuery, heliograph.Anyone, client{})
}

// invokeAs is invoke for a configuration of onlineQuery and a client.
func invokeAs(t *testing.T, d directory, rawQuery, allowed string, c client) (events.APIGatewayV2HTTPResponse, string) {
	t.Helper()
	var e event
	if err := json.Unmarshal(sample, &e); err != nil {
		t.Fatal(err)
	}
	if want := (client{UserID: "1234"}); e.RequestContext.Authorizer.Lambda != want {
		t.Fatalf("the sample's client is %+v, want %+v", e.RequestContext.Authorizer.Lambda, want)
	}
	e.RawQueryString, e.RequestContext.Authorizer.Lambda = rawQuery, c
	var printed bytes.Buffer
	f := observability.New("online", observability.Settings{Stage: "dev"}, &printed)
	response, err := observability.Wrap(f, online(d, allowed))(t.Context(), e)
	if err != nil {
		t.Fatalf("the handler returned an error, and API Gateway answers in its own words: %v", err)
	}
	if response.Headers["Cache-Control"] != "no-store" {
		t.Errorf("headers: %v", response.Headers)
	}
	return response, printed.String()
}

var at = time.Date(2026, 1, 2, 4, 4, 5, 678_999_999, time.FixedZone("", 3600))

// TestAnswer proves that the response matches the contract byte for byte.
func TestAnswer(t *testing.T) {
	t.Parallel()
	d := &fakeDirectory{page: presence.Page{Users: []presence.Status{
		{User: "1234", Online: true, LastActivity: at},
		{User: "off", LastActivity: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{User: `<"ü"&>`},
	}}}
	var e event
	if err := json.Unmarshal(sample, &e); err != nil {
		t.Fatal(err)
	}
	response, printed := invoke(t, d, e.RawQueryString)
	want := `[{"UserId":"1234","IsOnline":true,"LastActivity":"2026-01-02T03:04:05.678Z"},` +
		`{"UserId":"off","IsOnline":false,"LastActivity":"2026-01-02T03:04:05.000Z"},` +
		`{"UserId":"<\"ü\"&>","IsOnline":false,"LastActivity":null}]`
	if response.StatusCode != 200 || response.Body != want || response.Headers["Content-Type"] != "application/json" {
		t.Errorf("answer: %d %v\n%s", response.StatusCode, response.Headers, response.Body)
	}
	if diff := cmp.Diff([]heliograph.UserID{"1234", "nobody"}, d.users); diff != "" {
		t.Errorf("users asked for (-want +got):\n%s", diff)
	}
	if !strings.Contains(printed, `"OnlineQueries":1`) || strings.Contains(printed, "c2VjcmV0") {
		t.Errorf("printed: %s", printed)
	}
}

// TestParameters proves that each parameter has its documented meaning.
func TestParameters(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query  string
		asked  string
		users  []heliograph.UserID
		limit  int
		cursor string
	}{
		"none":              {"", "page", nil, 0, ""},
		"limit":             {"limit=1000", "page", nil, 1000, ""},
		"cursor":            {"cursor=abc", "page", nil, 0, "abc"},
		"both":              {"limit=1&cursor=abc", "page", nil, 1, "abc"},
		"unknown":           {"page=2", "page", nil, 0, ""},
		"one user":          {"userIds=1234", "names", []heliograph.UserID{"1234"}, 0, ""},
		"order":             {"userIds=b,a", "names", []heliograph.UserID{"b", "a"}, 0, ""},
		"doubles":           {"userIds=b,a,b,b", "names", []heliograph.UserID{"b", "a"}, 0, ""},
		"blanks":            {"userIds=,+b,,a+,", "names", []heliograph.UserID{"b", "a"}, 0, ""},
		"only blanks":       {"userIds=+,", "names", nil, 0, ""},
		"empty":             {"userIds=", "names", nil, 0, ""},
		"users and a limit": {"userIds=a&limit=5", "names", []heliograph.UserID{"a"}, 0, ""},
		"comma in an id":    {"userId=a%2Cb&userId=+c", "names", []heliograph.UserID{"a,b", " c"}, 0, ""},
		"both forms":        {"userIds=a,b&userId=b&userId=c", "names", []heliograph.UserID{"a", "b", "c"}, 0, ""},
		"list, twice":       {"userIds=a&userIds=b,a", "names", []heliograph.UserID{"a", "b"}, 0, ""},
		"100 users":         {"userIds=" + list(100), "names", numbers(100), 0, ""},
		"100 users, twice":  {"userIds=" + list(100) + "," + list(100), "names", numbers(100), 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &fakeDirectory{}
			if response, _ := invoke(t, d, test.query); response.StatusCode != 200 || response.Body != "[]" {
				t.Errorf("answer: %d %s", response.StatusCode, response.Body)
			}
			if d.asked != test.asked || d.limit != test.limit || d.cursor != test.cursor {
				t.Errorf("asked for %s, limit %d, cursor %q", d.asked, d.limit, d.cursor)
			}
			if diff := cmp.Diff(test.users, d.users); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
		})
	}
}

func numbers(n int) []heliograph.UserID {
	users := make([]heliograph.UserID, n)
	for i := range users {
		users[i] = heliograph.UserID(fmt.Sprint(i))
	}
	return users
}

func list(n int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers(n)), " ", ","), "[]")
}

// TestBadQuestions proves that an invalid query gets 400, in the form of RFC 9457, and says what is allowed; it does
// not count as an answered query.
func TestBadQuestions(t *testing.T) {
	t.Parallel()
	const unreadable = "the query string can't be read: escape what is not a letter or digit as %XX, a semicolon as %3B"
	tests := map[string]struct {
		query  string
		detail string
	}{
		"101 users":     {"userIds=" + list(101), "userIds names 101 users; 100 are the limit"},
		"limit 0":       {"limit=0", "limit is not a whole number from 1 to 1000"},
		"limit 1001":    {"limit=1001", "limit is not a whole number from 1 to 1000"},
		"limit below 0": {"limit=-1", "limit is not a whole number from 1 to 1000"},
		"limit empty":   {"limit=", "limit is not a whole number from 1 to 1000"},
		"limit text":    {"limit=ten", "limit is not a whole number from 1 to 1000"},
		"limit twice":   {"limit=5&limit=5", "limit is not a whole number from 1 to 1000"},
		"limit, junk":   {"limit=5;x", unreadable},
		"half escape":   {"userIds=%4", unreadable},
		"other's junk":  {"limit=5&page=%zz", unreadable},
		"users, limit":  {"userIds=a&limit=x", "limit is not a whole number from 1 to 1000"},
		"cursor twice":  {"cursor=a&cursor=b", "cursor is given more than once"},
		"101 in both":   {"userIds=" + list(60) + "&userId=" + strings.Join(strings.Split(list(101), ",")[60:], "&userId="), "userIds names 101 users; 100 are the limit"},
		"limit 1e2":     {"limit=1e2", "limit is not a whole number from 1 to 1000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &fakeDirectory{}
			response, printed := invoke(t, d, test.query)
			want := fmt.Sprintf(`{"type":"about:blank","title":"Bad Request","status":400,"detail":%q}`, test.detail)
			if response.StatusCode != 400 || response.Body != want || response.Headers["Content-Type"] != "application/problem+json" {
				t.Errorf("answer: %d %v %s", response.StatusCode, response.Headers, response.Body)
			}
			if d.asked != "" || strings.Contains(printed, "OnlineQueries") || strings.Contains(printed, "HandlerErrors") {
				t.Errorf("asked for %q; printed %s", d.asked, printed)
			}
		})
	}
}

// TestDirectoryFails proves that a query that the directory finds invalid gets 400, too, and that a failure of the
// directory gets 500, is counted as the function's error, and reveals nothing to clients.
func TestDirectoryFails(t *testing.T) {
	t.Parallel()
	invalid := &fakeDirectory{err: &presence.InvalidError{Field: "cursor", Reason: "is not one that this service gave out"}}
	response, _ := invoke(t, invalid, "cursor=x")
	if response.StatusCode != 400 || !strings.Contains(response.Body, "cursor is not one that this service gave out") {
		t.Errorf("answer: %d %s", response.StatusCode, response.Body)
	}
	for _, query := range []string{"", "userIds=a"} {
		broken := &fakeDirectory{err: errors.New("the table heliograph-dev is down")}
		response, printed := invoke(t, broken, query)
		if response.StatusCode != 500 || strings.Contains(response.Body, "table") || response.Headers["Content-Type"] != "application/problem+json" {
			t.Errorf("answer: %d %v %s", response.StatusCode, response.Headers, response.Body)
		}
		if !strings.Contains(printed, `"HandlerErrors":1`) || !strings.Contains(printed, "heliograph-dev is down") {
			t.Errorf("printed: %s", printed)
		}
	}
}

// TestWhoMayAsk proves about whom a token may ask under each configuration, and that a refusal is a clear 403 that is
// counted and asks the directory nothing.
func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	ada, backend, unknown := client{UserID: "ada"}, client{UserID: "svc", MayQuery: "anyone"}, client{}
	tests := map[string]struct {
		allowed string
		client  client
		query   string
		may     bool
	}{
		"anyone, the list":             {"anyone", ada, "", true},
		"anyone, another":              {"anyone", ada, "userIds=bob", true},
		"self, the list":               {"self", ada, "", false},
		"self, a page":                 {"self", ada, "limit=1&cursor=abc", false},
		"self, itself":                 {"self", ada, "userIds=ada", true},
		"self, itself twice":           {"self", ada, "userIds=ada,ada&userId=ada", true},
		"self, another":                {"self", ada, "userIds=bob", false},
		"self, itself and another":     {"self", ada, "userIds=ada,bob", false},
		"self, another as single":      {"self", ada, "userIds=ada&userId=bob", false},
		"self, in another case":        {"self", ada, "userIds=Ada", false},
		"self, nobody":                 {"self", ada, "userIds=", true},
		"self, no client":              {"self", unknown, "", false},
		"self, no client, no user":     {"self", unknown, "userId=", false},
		"claim, with it, the list":     {"claim", backend, "", true},
		"claim, with it, another":      {"claim", backend, "userIds=ada,bob", true},
		"claim, without it, the list":  {"claim", ada, "", false},
		"claim, without it, another":   {"claim", ada, "userIds=bob", false},
		"claim, without it, itself":    {"claim", ada, "userIds=ada", true},
		"claim, another value":         {"claim", client{UserID: "ada", MayQuery: "Anyone"}, "", false},
		"an unknown value admits none": {"any", ada, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &fakeDirectory{}
			response, printed := invokeAs(t, d, test.query, test.allowed, test.client)
			const detail = `"status":403,"detail":"this token may ask about its own user only, by userIds or userId"`
			refused := response.StatusCode == 403 && strings.Contains(response.Body, detail) && d.asked == "" &&
				strings.Contains(printed, `"OnlineQueriesForbidden":1`)
			answered := response.StatusCode == 200 && d.asked != "" && !strings.Contains(printed, "OnlineQueriesForbidden")
			if refused == test.may || answered != test.may {
				t.Errorf("answer %d %s, asked %q, want allowed: %v; printed %s", response.StatusCode, response.Body, d.asked, test.may, printed)
			}
		})
	}
}

// TestLink proves that the next page is a link, relative to this one, and only if there is one.
func TestLink(t *testing.T) {
	t.Parallel()
	page := presence.Page{Users: []presence.Status{{User: "a", Online: true, LastActivity: at}}, Next: "Ab-_9"}
	tests := map[string]struct {
		query string
		want  string
	}{
		"with limit":    {"limit=7&cursor=old", `<?limit=7&cursor=Ab-_9>; rel="next"`},
		"without limit": {"", `<?cursor=Ab-_9>; rel="next"`},
		"by name":       {"userIds=a", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if response, _ := invoke(t, &fakeDirectory{page: page}, test.query); response.Headers["Link"] != test.want {
				t.Errorf("Link: %s", response.Headers["Link"])
			}
			last := presence.Page{Users: page.Users}
			if response, _ := invoke(t, &fakeDirectory{page: last}, test.query); response.Headers["Link"] != "" {
				t.Errorf("Link on the last page: %s", response.Headers["Link"])
			}
		})
	}
}

// variables is the environment set by the Pulumi program.
func variables() map[string]string {
	return map[string]string{"STAGE": "dev", "LOG_LEVEL": "INFO", "TRACE_SAMPLING": "1", "LOG_SAMPLING": "0", "TABLE_NAME": "heliograph-dev", "ONLINE_QUERY": "anyone"}
}

// TestBuild proves that the function starts with the environment set by the Pulumi program.
func TestBuild(t *testing.T) {
	t.Parallel()
	e, err := env.ParseAsWithOptions[environment](env.Options{Environment: variables()})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := build(t.Context(), aws.Config{Region: "eu-west-1"}, e); err != nil || h == nil {
		t.Errorf("build: %v", err)
	}
}
