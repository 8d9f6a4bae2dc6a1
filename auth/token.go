package auth

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
)

// MaxTokenBytes is the longest token that is parsed. API Gateway accepts at most 10,240 bytes of request line and
// headers together, so a longer token could hardly arrive, and should not cost any parsing.
const MaxTokenBytes = 8192

// Token is a JSON Web Token as the client sent it. It prints and logs as "[token]"; revealing the text takes an
// explicit string(t).
type Token string

const redacted = "[token]"

// Format hides the token from fmt, for every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the token from encoding/json.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the token from slog.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// wellFormed is the check that needs no key: three parts of base64url, the first two holding one JSON object each. It
// is stricter than the parser, whose base64 decoder skips line breaks, so that one token could be written in many ways,
// and whose JSON decoder ignores everything after the first value.
func (t Token) wellFormed() error {
	switch {
	case t == "":
		return reject(ReasonMissing)
	case len(t) > MaxTokenBytes:
		return reject(ReasonTooLong)
	case strings.ContainsFunc(string(t), notInToken):
		return reject(ReasonMalformed)
	}
	if parts := strings.Split(string(t), "."); len(parts) != 3 || !isObject(parts[0]) || !isObject(parts[1]) {
		return reject(ReasonMalformed)
	}
	return nil
}

// isObject reports whether a part of a token is exactly one JSON object in UTF-8, without duplicate members: RFC 7515,
// section 4, and RFC 7519, section 4, require unique names, since two readers of such a token could see two users.
// Nested members are not checked, since nothing here reads them. The decoder is go-jose's, because encoding/json
// silently takes the last of two members.
func isObject(part string) bool {
	document, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || !utf8.Valid(document) {
		return false
	}
	var members map[string]json.RawMessage
	return json.Unmarshal(document, &members) == nil && members != nil
}

// notInToken reports whether a character is neither in the base64url alphabet (RFC 4648, section 5) nor the dot.
func notInToken(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}

// Request is the part of an API Gateway event that can hold a token. The fields are those of a REQUEST
// authorizer's event, and decode from it; any of them may be nil.
type Request struct {
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Query             map[string]string   `json:"queryStringParameters"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters"`
}

// FindToken returns the token of a request, or "" if there is none. It looks, in this order, at
//
//   - Sec-WebSocket-Protocol: heliograph, bearer.<token> (browsers can set no other header on a WebSocket)
//   - Authorization: Bearer <token>
//   - ?Authorization=<token> or ?Authorization=Bearer <token>
//
// Header names and the words "Bearer" and "bearer." match regardless of case; the query's name is exact. An
// Authorization header with another scheme, such as Basic, counts as absent.
func FindToken(r Request) Token {
	for _, protocols := range r.header("Sec-WebSocket-Protocol") {
		for protocol := range strings.SplitSeq(protocols, ",") {
			if t, ok := cutPrefixFold(strings.TrimSpace(protocol), "bearer."); ok && t != "" {
				return Token(t)
			}
		}
	}
	for _, value := range r.header("Authorization") {
		if t, ok := cutBearer(value); ok && t != "" {
			return Token(t)
		}
	}
	for _, value := range append(slices.Clone(r.MultiValueQuery["Authorization"]), r.Query["Authorization"]) {
		if t, _ := cutBearer(value); t != "" {
			return Token(t)
		}
	}
	return ""
}

// header returns all values of a header. It reads both maps: an HTTP API sends only the first, in which a repeated
// header has lost a value.
func (r Request) header(name string) []string {
	var values []string
	// Sorted, so that the same request always gives the same token, even if it spells a name in two ways.
	for _, k := range slices.Sorted(maps.Keys(r.MultiValueHeaders)) {
		if strings.EqualFold(k, name) {
			values = append(values, r.MultiValueHeaders[k]...)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(r.Headers)) {
		if strings.EqualFold(k, name) {
			values = append(values, r.Headers[k])
		}
	}
	return values
}

// cutBearer removes the scheme from a value, and reports whether it was there. The scheme's name is case-insensitive
// (RFC 9110, section 11.1), and at least one space follows it.
func cutBearer(value string) (string, bool) {
	value = strings.TrimSpace(value)
	scheme, token, found := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return value, false
	}
	if !found {
		return "", true
	}
	return strings.TrimSpace(token), true
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
