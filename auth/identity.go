package auth

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"heliograph"
)

// DefaultUserIDClaim is the claim that holds the user id unless configured otherwise.
const DefaultUserIDClaim = "userId"

// DefaultAudienceClaim is the claim of the audience in RFC 7519.
const DefaultAudienceClaim = "aud"

// lastSecond is the end of the year 9999. A later date is a mistake, most often milliseconds in place of seconds, and
// would make a token that never expires.
const lastSecond = 253402300799

// usable reports whether a token may name this user. Beyond the rule that all processes share, it refuses U+FFFD:
// encoding/json substitutes that for invalid UTF-8 and for half a surrogate pair, so two ids that differ only there
// would become one user.
func usable(u heliograph.UserID) bool {
	return u.Check() == nil && !strings.ContainsRune(string(u), utf8.RuneError)
}

// identity reads the claims of a token whose signature, issuer and audience have been verified.
func (v *Verifier) identity(claims jwt.MapClaims) (Identity, error) {
	expires, ok := instant(claims["exp"])
	if !ok {
		return Identity{}, reject(ReasonClaims)
	}
	if nbf, there := claims["nbf"]; there {
		if _, ok := instant(nbf); !ok {
			return Identity{}, reject(ReasonClaims)
		}
	}
	if err := v.checkAudience(claims); err != nil {
		return Identity{}, err
	}
	// Checked again, without the parser's leeway.
	if !v.rules.Now().Before(expires) {
		return Identity{}, reject(ReasonExpired)
	}
	id, ok := userID(claims[v.rules.UserIDClaim])
	if !ok {
		return Identity{}, reject(ReasonUserID)
	}
	return Identity{UserID: id, Expires: expires, Scoped: v.rules.scoped(claims)}, nil
}

// checkAudience compares the audience, if the rules demand one: a text, or a list that holds it (RFC 7519, section
// 4.1.3). golang-jwt would look at aud alone.
func (v *Verifier) checkAudience(claims jwt.MapClaims) error {
	if v.rules.Audience == "" {
		return nil
	}
	switch c := claims[v.rules.AudienceClaim].(type) {
	case string:
		if c == v.rules.Audience {
			return nil
		}
	case []any:
		if slices.Contains(c, any(v.rules.Audience)) {
			return nil
		}
	default:
		return reject(ReasonClaims)
	}
	return reject(ReasonAudience)
}

// scoped reports whether a token has the scope: as a word of a text, as RFC 8693, section 4.2, writes it, or as a text of
// a list, as many issuers write roles and permissions.
func (r Rules) scoped(claims jwt.MapClaims) bool {
	if r.Scope == "" {
		return false
	}
	switch c := claims[r.ScopeClaim].(type) {
	case string:
		return slices.Contains(strings.Split(c, " "), r.Scope)
	case []any:
		return slices.Contains(c, any(r.Scope))
	}
	return false
}

// userID reads the user id claim: a string, or a whole number in plain digits, whose id is its text in the token. So
// 1234 and "1234" are the same user, and a twenty-digit number is not rounded. A number with a fraction or an exponent
// is refused, since one number could then be several users.
func userID(claim any) (heliograph.UserID, bool) {
	var id heliograph.UserID
	switch c := claim.(type) {
	case string:
		id = heliograph.UserID(c)
	case json.Number:
		if strings.ContainsAny(c.String(), ".eE") {
			return "", false
		}
		id = heliograph.UserID(c.String())
	}
	return id, usable(id)
}

// instant reads a NumericDate (RFC 7519, section 2): seconds since 1970, with an optional fraction, which is truncated.
func instant(claim any) (time.Time, bool) {
	number, ok := claim.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds > lastSecond {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}
