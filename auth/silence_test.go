package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// confidential is everything that the scenarios below put in and that must not come out: secrets, parts of tokens,
// claims, an address's query.
func confidential(tokens []Token) []string {
	out := []string{secret, otherSecret, "shortsecret", "hunter2", "confidential-user", "confidential-issuer", "confidential-audience"}
	for _, s := range []string{secret, "shortsecret"} {
		out = append(out, fmt.Sprintf("%x", s), strings.Trim(fmt.Sprint([]byte(s)), "[]"))
	}
	for _, t := range tokens {
		for part := range strings.SplitSeq(string(t), ".") {
			if len(part) >= 8 {
				out = append(out, part[:8], part[len(part)-8:])
			}
		}
	}
	return out
}

// TestNothingConfidentialGetsOut proves that no error and no log line at any level contains a token, a claim or a
// secret, whatever fails.
func TestNothingConfidentialGetsOut(t *testing.T) {
	t.Parallel()
	named := jwt.MapClaims{"userId": "confidential-user", "iss": "confidential-issuer", "aud": "confidential-audience"}
	tokens := []Token{
		seedToken,
		hs256(t, otherSecret, with(named)),
		hs256(t, secret, with(named)),
		hs256(t, secret, with(jwt.MapClaims{"exp": "confidential-user"})),
		hs256(t, secret, with(jwt.MapClaims{"exp": 1, "userId": "confidential-user"})),
		hs256(t, secret, with(jwt.MapClaims{"userId": []string{"confidential-user"}})),
		hs256(t, secret, with(jwt.MapClaims{"nbf": start.Add(time.Hour).Unix(), "userId": "confidential-user"})),
		assemble(t, `{"alg":"confidential-user"}`, `{"userId":"confidential-user"}`),
		assemble(t, `{"alg":"HS256"}`, `"confidential-user`),
		sign(t, jwt.SigningMethodEdDSA, edKey(), with(named), map[string]any{"kid": "ed"}),
		"confidential-user.hunter2hunter2.shortsecret",
	}
	server := httptest.NewServer(&issuer{status: 200, body: `{"keys":["hunter2"]}`})
	server.Close() // the server no longer answers
	live := httptest.NewServer(&issuer{status: 200, body: `hunter2`})
	t.Cleanup(live.Close)
	refusing := httptest.NewServer(&issuer{status: 500})
	t.Cleanup(refusing.Close)
	clock := newClock()
	failing := newStore(map[string]string{parameter: secret})
	failing.Fail(errors.New("away"))
	sources := map[string]*Keys{
		"issuer refuses": must(PublishedKeys(refusing.URL+"/?key=hunter2", nil, DefaultGrace, clock.Now)),
		"good secret":    SecretKeys(newStore(map[string]string{parameter: secret}), parameter, "", DefaultGrace, clock.Now),
		"short secret":   SecretKeys(newStore(map[string]string{parameter: "shortsecret"}), parameter, "", DefaultGrace, clock.Now),
		"store away":     SecretKeys(failing, parameter, "", DefaultGrace, clock.Now),
		"issuer away":    must(PublishedKeys(server.URL+"/?key=hunter2", nil, DefaultGrace, clock.Now)),
		"issuer wrong":   must(PublishedKeys(live.URL+"/?key=hunter2", nil, DefaultGrace, clock.Now)),
	}
	for name, keys := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			out.WriteString(invoke(t, func(ctx context.Context) {
				for _, rules := range []Rules{{Now: clock.Now}, {Now: clock.Now, Issuer: "a", Audience: "b", UserIDClaim: "c"}} {
					v := NewVerifier(keys, rules)
					for _, token := range tokens {
						_, err := v.Verify(ctx, token)
						for e := err; e != nil; e = errors.Unwrap(e) {
							fmt.Fprintf(&out, "%v %+v %#v\n", e, e, e)
						}
					}
					fmt.Fprintf(&out, "%v %+v %#v\n", v, v, keys)
				}
			}))
			for _, s := range confidential(tokens) {
				if strings.Contains(out.String(), s) {
					t.Errorf("%q got out:\n%s", s, out.String())
				}
			}
		})
	}
}
