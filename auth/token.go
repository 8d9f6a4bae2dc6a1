package auth

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
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

// FindToken returns the token of a request, which must hold exactly one credential:
//
//   - Sec-WebSocket-Protocol: heliograph, bearer.<token> (browsers can set no other header on a WebSocket)
//   - Authorization: Bearer <token>
//   - ?Authorization=<token> or ?Authorization=Bearer <token>
//
// Two credentials are rejected, even if they are equal, empty, or of a scheme that is not Bearer: whatever stands in
// front of Heliograph could judge the one, and Heliograph the other. RFC 6750, section 2, forbids clients to send two. A
// request with none, or with one that holds no token, such as Authorization: Basic, gives "", which Verify rejects as
// missing.
//
// Header names and the words "Bearer" and "bearer." match regardless of case; the query's name is exact.
func FindToken(r Request) (Token, error) {
	switch found := r.credentials(); len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", reject(ReasonSeveral)
}

// credentials returns the token of each credential of a request; "" for one that holds none.
func (r Request) credentials() (found []Token) {
	for _, protocols := range valuesOf(r.MultiValueHeaders, r.Headers, "Sec-WebSocket-Protocol", strings.EqualFold) {
		for protocol := range strings.SplitSeq(protocols, ",") {
			if t, ok := cutPrefixFold(strings.TrimSpace(protocol), "bearer."); ok {
				found = append(found, Token(t))
			}
		}
	}
	for _, value := range valuesOf(r.MultiValueHeaders, r.Headers, "Authorization", strings.EqualFold) {
		t, ok := cutBearer(value)
		if !ok {
			t = ""
		}
		found = append(found, Token(t))
	}
	exact := func(a, b string) bool { return a == b }
	for _, value := range valuesOf(r.MultiValueQuery, r.Query, "Authorization", exact) {
		t, _ := cutBearer(value)
		found = append(found, Token(t))
	}
	return found
}

// valuesOf returns all values of a header or a query parameter. The map of single values holds the last one again; an
// HTTP API sends only that map.
func valuesOf(all map[string][]string, last map[string]string, name string, equal func(a, b string) bool) (values []string) {
	for k, v := range all {
		if equal(k, name) {
			values = append(values, v...)
		}
	}
	for k, v := range last {
		if equal(k, name) && !slices.Contains(values, v) {
			values = append(values, v)
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
