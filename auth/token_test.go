package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestFindToken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		request Request
		want    Token
	}{
		"nothing": {Request{}, ""},
		"subprotocol": {
			Request{Headers: map[string]string{"Sec-WebSocket-Protocol": "heliograph, bearer.a.b.c"}}, "a.b.c",
		},
		"subprotocol, first and without spaces": {
			Request{Headers: map[string]string{"sec-websocket-protocol": "Bearer.a.b.c,heliograph"}}, "a.b.c",
		},
		"subprotocol, in the second of two headers": {
			Request{MultiValueHeaders: map[string][]string{"SEC-WEBSOCKET-PROTOCOL": {"heliograph", "bearer.a.b.c"}}}, "a.b.c",
		},
		"other subprotocols only": {
			Request{Headers: map[string]string{"Sec-WebSocket-Protocol": "heliograph, mqtt, bearer."}}, "",
		},
		"header": {
			Request{Headers: map[string]string{"Authorization": "Bearer a.b.c"}}, "a.b.c",
		},
		"header, any case, more spaces": {
			Request{Headers: map[string]string{"aUTHORIZATION": " bEARER   a.b.c "}}, "a.b.c",
		},
		"header with several values": {
			Request{MultiValueHeaders: map[string][]string{"Authorization": {"Basic eA==", "Bearer a.b.c"}}}, "a.b.c",
		},
		"header without a scheme": {
			Request{Headers: map[string]string{"Authorization": "a.b.c"}}, "",
		},
		"header with another scheme, then the query": {
			Request{
				Headers: map[string]string{"Authorization": "Basic eA=="},
				Query:   map[string]string{"Authorization": "a.b.c"},
			}, "a.b.c",
		},
		"empty bearer, then the query": {
			Request{
				Headers: map[string]string{"Authorization": "Bearer"},
				Query:   map[string]string{"Authorization": "a.b.c"},
			}, "a.b.c",
		},
		"query": {
			Request{Query: map[string]string{"Authorization": "a.b.c"}}, "a.b.c",
		},
		"query with bearer": {
			Request{Query: map[string]string{"Authorization": "bEARer a.b.c"}}, "a.b.c",
		},
		"query with several values": {
			Request{MultiValueQuery: map[string][]string{"Authorization": {"", "a.b.c"}}}, "a.b.c",
		},
		"query, word bearer only": {
			Request{Query: map[string]string{"Authorization": "Bearer "}}, "",
		},
		"query of another name": {
			Request{Query: map[string]string{"authorization": "a.b.c", "token": "a.b.c"}}, "",
		},
		"subprotocol before header before query": {
			Request{
				Headers: map[string]string{"Sec-WebSocket-Protocol": "bearer.1.1.1", "Authorization": "Bearer 2.2.2"},
				Query:   map[string]string{"Authorization": "3.3.3"},
			}, "1.1.1",
		},
		"header before query": {
			Request{
				Headers: map[string]string{"Authorization": "Bearer 2.2.2"},
				Query:   map[string]string{"Authorization": "3.3.3"},
			}, "2.2.2",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := FindToken(test.request); string(got) != string(test.want) {
				t.Errorf("FindToken = %q, want %q", string(got), string(test.want))
			}
		})
	}
}

// TestFindTokenIsDeterministic proves that a header name spelled in two ways always gives the same token.
func TestFindTokenIsDeterministic(t *testing.T) {
	t.Parallel()
	r := Request{Headers: map[string]string{
		"authorization": "Bearer c.c.c", "Authorization": "Bearer b.b.b", "AUTHORIZATION": "Bearer a.a.a",
	}}
	for range 50 {
		if got := FindToken(r); string(got) != "a.a.a" {
			t.Fatalf("FindToken = %q, want the first name's in byte order", string(got))
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
