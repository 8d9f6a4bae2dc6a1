package auth

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"heliograph"
)

// SignHS256 makes a token for trials, as an issuer would: `heliograph token` prints it. Services that issue tokens sign
// for themselves; Heliograph's functions only verify.
//
// The token holds the user id in claim ("" means DefaultUserIDClaim), iat = now and exp = now + ttl, in whole seconds.
// A ttl of zero or less makes an expired token, to see it refused. It returns an error for a secret under
// MinSecretBytes, and for a user id that no verifier would accept.
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
