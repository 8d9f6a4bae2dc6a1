package auth

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"heliograph"
)

// TestSignHS256 proves that a token passes a verifier with the same secret and the rules that it was made for, until it
// expires.
func TestSignHS256(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]Rules{
		"none":       {},
		"claim":      {UserIDClaim: "sub"},
		"issuer":     {Issuer: "https://issuer.example.com/"},
		"audience":   {Audience: "push"},
		"everything": RulesOf(heliograph.Outputs{UserIDClaim: "uid", JWTIssuer: "us", JWTAudience: "them", JWTAudienceClaim: "client_id"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := SignHS256([]byte(secret), rules, "ada", time.Hour, start)
			if err != nil {
				t.Fatal(err)
			}
			got, err := secretVerifier(rules).Verify(context.Background(), Token(token))
			if err != nil || got.UserID != "ada" || !got.Expires.Equal(start.Add(time.Hour)) {
				t.Errorf("Verify = %+v, %v", got, err)
			}
		})
	}
}

func TestSignHS256Expired(t *testing.T) {
	t.Parallel()
	for _, ttl := range []time.Duration{0, -time.Hour} {
		token, err := SignHS256([]byte(secret), Rules{}, "ada", ttl, start)
		if err != nil {
			t.Fatal(err)
		}
		_, err = secretVerifier(Rules{}).Verify(context.Background(), Token(token))
		if got := reasonOf(err); got != ReasonExpired {
			t.Errorf("ttl %v: rejected for %q, want %q", ttl, got, ReasonExpired)
		}
	}
}

func TestSignHS256Refuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		secret string
		user   heliograph.UserID
		want   string
	}{
		"short secret":    {secret[:MinSecretBytes-1], "ada", "the secret has 31 bytes"},
		"repeated secret": {strings.Repeat("s", 2*MinSecretBytes), "ada", "the secret repeats 1 bytes"},
		"no user":         {secret, "", "1 to 256 bytes"},
		"long user":       {secret, heliograph.UserID(strings.Repeat("x", 257)), "1 to 256 bytes"},
		"user of no text": {secret, "a\xff", "1 to 256 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := SignHS256([]byte(test.secret), Rules{}, test.user, time.Hour, start)
			if token != "" || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("SignHS256 = %q, %v, want an error with %q", token, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), test.secret) {
				t.Errorf("the error quotes the secret: %v", err)
			}
		})
	}
}

func ExampleSignHS256() {
	issued := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token, err := SignHS256([]byte("a-secret-of-at-least-32-bytes-please"), Rules{}, "1234", time.Hour, issued)
	fmt.Println(token, err)
	// Output: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3NjczMjY2NDUsImlhdCI6MTc2NzMyMzA0NSwidXNlcklkIjoiMTIzNCJ9.DS2v54gliEvzBDeuuMQ7UqLmPksfhRN-VOhYd7a94f8 <nil>
}

func ExampleFindToken() {
	// A browser: new WebSocket(url, ["heliograph", "bearer." + token])
	request := Request{Headers: map[string]string{"Sec-WebSocket-Protocol": "heliograph, bearer.header.claims.signature"}}
	token, err := FindToken(request)
	fmt.Println(token, err)
	fmt.Println(string(token))
	// Output:
	// [token] <nil>
	// header.claims.signature
}
