package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// badTokens returns tokens that must be refused, keyed by their fault.
func badTokens(t *testing.T) map[string]string {
	t.Helper()
	key, err := secret()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	valid := jwt.MapClaims{"userId": "mallory", "exp": time.Now().Add(time.Hour).Unix()}
	other := make([]byte, 32)
	if _, err := rand.Read(other); err != nil {
		t.Fatal(err)
	}
	good := sign(jwt.SigningMethodHS256, key, valid)
	signed := good[:strings.LastIndex(good, ".")]
	return map[string]string{
		"no token at all":  "",
		"not a token":      "abc",
		"expired":          sign(jwt.SigningMethodHS256, key, jwt.MapClaims{"userId": "mallory", "exp": time.Now().Add(-time.Hour).Unix()}),
		"never expires":    sign(jwt.SigningMethodHS256, key, jwt.MapClaims{"userId": "mallory"}),
		"not valid yet":    sign(jwt.SigningMethodHS256, key, jwt.MapClaims{"userId": "mallory", "exp": time.Now().Add(2 * time.Hour).Unix(), "nbf": time.Now().Add(time.Hour).Unix()}),
		"names no user":    sign(jwt.SigningMethodHS256, key, jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix()}),
		"unsigned":         signed + ".",
		"alg none":         sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, valid),
		"another's key":    sign(jwt.SigningMethodHS256, other, valid),
		"tampered payload": strings.Replace(good, ".", "."+base64.RawURLEncoding.EncodeToString([]byte(`{"userId":"admin"}`)), 1),
	}
}

// TestBadTokensAreRefused proves that an invalid token opens neither the WebSocket API, where the handshake answers
// 403, nor the HTTP API.
func TestBadTokensAreRefused(t *testing.T) {
	t.Parallel()
	for name, token := range badTokens(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket, response, err := dial(within(t), token)
			if err == nil {
				socket.CloseNow()
				t.Fatal("the connection was opened")
			}
			if response == nil || response.StatusCode != http.StatusForbidden {
				t.Errorf("the handshake answered %v (%v), want 403", response, err)
			}
			if a := get(t, "/user/online", "Bearer "+token); a.status != http.StatusForbidden {
				t.Errorf("GET /user/online answered %d %s, want 403", a.status, a.body)
			}
		})
	}
}

// TestNoHeaderIsUnauthorized proves that without an Authorization header the HTTP API answers 401.
func TestNoHeaderIsUnauthorized(t *testing.T) {
	t.Parallel()
	if a := get(t, "/user/online", ""); a.status != http.StatusUnauthorized {
		t.Errorf("answered %d %s, want 401", a.status, a.body)
	}
}

// TestWaysToCarryAToken proves that a token is found in each of its places, and that a subprotocol is chosen only if
// it was offered: otherwise a browser closes the connection.
func TestWaysToCarryAToken(t *testing.T) {
	t.Parallel()
	token := tokenFor(t, newUser())
	header := func(value string) *websocket.DialOptions {
		return &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {value}}}
	}
	for _, way := range []struct {
		name, query, subprotocol string
		options                  *websocket.DialOptions
	}{
		{name: "query", query: "?Authorization=" + token},
		{name: "query with Bearer", query: "?Authorization=Bearer%20" + token},
		{name: "header", options: header("Bearer " + token)},
		{name: "subprotocol", subprotocol: "heliograph", options: &websocket.DialOptions{Subprotocols: []string{"heliograph", "bearer." + token}}},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			socket, response, err := websocket.Dial(within(t), target.WebSocketURL+way.query, way.options)
			if err != nil {
				t.Fatalf("connect: %v (%v)", err, response)
			}
			defer socket.CloseNow()
			if got := socket.Subprotocol(); got != way.subprotocol {
				t.Errorf("the subprotocol is %q, want %q", got, way.subprotocol)
			}
		})
	}
}
