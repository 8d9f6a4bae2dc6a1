package auth

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"heliograph"
)

// SignHS256 makes a token for trying things out, as an issuer would: `heliograph token` prints it. Services
// that issue tokens do so by themselves; Heliograph's functions only verify.
//
// The token holds the user id in claim ("" means DefaultUserIDClaim), iat = now and exp = now + ttl, in whole
// seconds. A ttl that is not positive makes a token that has expired, to see it refused. The errors are a
// secret under MinSecretBytes, and a user id that no verifier would take.
func SignHS256(secret []byte, claim string, user heliograph.UserID, ttl time.Duration, now time.Time) (string, error) {
	if err := checkSecret(secret); err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	if !usable(user) {
		return "", fmt.Errorf("sign a token: a user id is 1 to %d bytes of UTF-8 text", heliograph.MaxUserID)
	}
	if claim == "" {
		claim = DefaultUserIDClaim
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		claim: string(user),
		"iat": now.Unix(),
		"exp": now.Add(ttl).Unix(),
	})
	signed, err := token.SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}
