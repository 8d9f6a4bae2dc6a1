package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestFindToken proves that a request's only credential gives its token, wherever it stands.
func TestFindToken(t *testing.T) {
	t.Parallel()
	one := func(name, value string) map[string]string { return map[string]string{name: value} }
	many := func(name string, values ...string) map[string][]string { return map[string][]string{name: values} }
	tests := map[string]struct {
		request Request
		want    Token
	}{
		"nothing":                      {Request{}, ""},
		"subprotocol":                  {Request{Headers: one("Sec-WebSocket-Protocol", "heliograph, bearer.a.b.c")}, "a.b.c"},
		"subprotocol, first":           {Request{Headers: one("sec-websocket-protocol", "Bearer.a.b.c,heliograph")}, "a.b.c"},
		"subprotocol, second header":   {Request{MultiValueHeaders: many("SEC-WEBSOCKET-PROTOCOL", "heliograph", "bearer.a.b.c")}, "a.b.c"},
		"subprotocol, empty":           {Request{Headers: one("Sec-WebSocket-Protocol", "heliograph, mqtt, bearer.")}, ""},
		"header":                       {Request{Headers: one("Authorization", "Bearer a.b.c")}, "a.b.c"},
		"header, any case, more space": {Request{Headers: one("aUTHORIZATION", " bEARER   a.b.c ")}, "a.b.c"},
		"header in both maps":          {Request{Headers: one("Authorization", "Bearer a.b.c"), MultiValueHeaders: many("Authorization", "Bearer a.b.c")}, "a.b.c"},
		"header without a scheme":      {Request{Headers: one("Authorization", "a.b.c")}, ""},
		"header of another scheme":     {Request{Headers: one("Authorization", "Basic a.b.c")}, ""},
		"header, word Bearer only":     {Request{Headers: one("Authorization", "Bearer")}, ""},
		"query":                        {Request{Query: one("Authorization", "a.b.c")}, "a.b.c"},
		"query with Bearer":            {Request{Query: one("Authorization", "bEARer a.b.c")}, "a.b.c"},
		"query in both maps":           {Request{Query: one("Authorization", "a.b.c"), MultiValueQuery: many("Authorization", "a.b.c")}, "a.b.c"},
		"query, word Bearer only":      {Request{Query: one("Authorization", "Bearer ")}, ""},
		"query of another name":        {Request{Query: map[string]string{"authorization": "a.b.c", "token": "a.b.c"}}, ""},
		"a token among other things": {Request{
			Headers: map[string]string{"Sec-WebSocket-Protocol": "heliograph", "Cookie": "a=b", "Proxy-Authorization": "Basic x"},
			Query:   map[string]string{"Authorization": "a.b.c", "v": "1"},
		}, "a.b.c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := FindToken(test.request); string(got) != string(test.want) || err != nil {
				t.Errorf("FindToken = %q, %v, want %q", string(got), err, test.want)
			}
		})
	}
}

// TestSeveralCredentials proves that any two credentials in one request are rejected: of two places, of one place, equal
// ones, empty ones, and those that hold no token.
func TestSeveralCredentials(t *testing.T) {
	t.Parallel()
	const header, protocol = "Authorization", "Sec-WebSocket-Protocol"
	credentials := []struct{ place, value string }{
		{header, "Bearer a.b.c"},
		{header, "Basic eA=="},
		{header, "Bearer"},
		{header, ""},
		{protocol, "bearer.a.b.c"},
		{protocol, "bearer."},
		{"query", "a.b.c"},
		{"query", "Bearer a.b.c"},
		{"query", ""},
	}
	for _, one := range credentials {
		for _, other := range credentials {
			r := Request{MultiValueHeaders: map[string][]string{}, MultiValueQuery: map[string][]string{}}
			for _, c := range []struct{ place, value string }{one, other} {
				if c.place == "query" {
					r.MultiValueQuery[header] = append(r.MultiValueQuery[header], c.value)
					continue
				}
				r.MultiValueHeaders[c.place] = append(r.MultiValueHeaders[c.place], c.value)
			}
			if token, err := FindToken(r); reasonOf(err) != ReasonSeveral || token != "" {
				t.Errorf("%v and %v: FindToken = %q, %v, want a rejection for %q", one, other, string(token), err, ReasonSeveral)
			}
		}
	}
	for name, r := range map[string]Request{
		"one header, two subprotocols": {Headers: map[string]string{protocol: "heliograph, bearer.a.b.c, bearer.d.e.f"}},
		"one name in two spellings":    {Headers: map[string]string{"authorization": "Bearer a.b.c", header: "Bearer d.e.f"}},
		"the last value of two": {
			Headers:           map[string]string{header: "Bearer d.e.f"},
			MultiValueHeaders: map[string][]string{header: {"Bearer a.b.c", "Bearer d.e.f"}},
		},
	} {
		if _, err := FindToken(r); reasonOf(err) != ReasonSeveral {
			t.Errorf("%s: FindToken = %v, want a rejection for %q", name, err, ReasonSeveral)
		}
	}
}

// TestTokenHidesItself proves that printing a token by mistake does not reveal it.
func TestTokenHidesItself(t *testing.T) {
	t.Parallel()
	token := Token(seedToken)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", token)
		fmt.Fprintf(&out, verb+"\n", struct{ T Token }{token})
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("message", "t", token, "in", map[string]Token{"t": token})
	slog.New(slog.NewTextHandler(&out, nil)).Info("message", "t", token)
	if err := json.NewEncoder(&out).Encode([]Token{token}); err != nil {
		t.Fatal(err)
	}
	for _, part := range append(strings.Split(seedToken, "."), fmt.Sprintf("%x", seedToken[:20]), fmt.Sprintf("%X", seedToken[:20])) {
		if strings.Contains(out.String(), part) {
			t.Errorf("the output holds a part of the token:\n%s", out.String())
		}
	}
}
