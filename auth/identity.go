package auth

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"heliograph"
)

// DefaultUserIDClaim is the claim that holds the user id unless configured otherwise.
const DefaultUserIDClaim = "userId"

// lastSecond is the end of the year 9999. A date beyond it is a mistake, most often milliseconds where seconds
// belong, and would make a token that never ends.
const lastSecond = 253402300799

// usable reports whether a token may name this user. Beyond the rule that all processes share it refuses U+FFFD:
// encoding/json puts that in place of broken UTF-8 and of half a surrogate pair, so two ids that differ only there
// would be one user.
func usable(u heliograph.UserID) bool {
	return u.Check() == nil && !strings.ContainsRune(string(u), utf8.RuneError)
}

// identity reads the claims of a token whose signature is good and whose issuer and audience are right.
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
	// Again, without the leeway that the parser gives.
	if !v.now().Before(expires) {
		return Identity{}, reject(ReasonExpired)
	}
	id, ok := userID(claims[v.claim])
	if !ok {
		return Identity{}, reject(ReasonUserID)
	}
	return Identity{UserID: id, Expires: expires}, nil
}

// userID reads the user id claim: a string, or a whole number in plain digits, whose id is the text as it
// stands in the token. So 1234 and "1234" are the same user, and a number of twenty digits is not rounded. A
// number with a fraction or an exponent is refused, since the same number could then be several users.
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

// instant reads a NumericDate (RFC 7519, section 2): seconds since 1970, perhaps with a fraction, which is cut.
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
