package auth

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"heliograph"
)

// RulesOf are the rules of a running stack, as its outputs state them.
func RulesOf(stack heliograph.Outputs) Rules {
	return Rules{
		UserIDClaim: stack.UserIDClaim, Issuer: stack.JWTIssuer, Audience: stack.JWTAudience, AudienceClaim: stack.JWTAudienceClaim,
	}
}

// SignHS256 makes a token for trials, as an issuer would: `heliograph token` prints it. Services that issue tokens sign
// for themselves; Heliograph's functions only verify.
//
// The token satisfies the rules: it has the claims that they require, and the user id in their UserIDClaim. Its iat is
// now and its exp is now + ttl, in whole seconds. A ttl of zero or less makes an expired token, to see it refused. It
// returns an error for a secret that SecretKeys would refuse, and for a user id that no verifier would accept.
func SignHS256(secret []byte, rules Rules, user heliograph.UserID, ttl time.Duration, now time.Time) (string, error) {
	if err := checkSecret(secret); err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	if !usable(user) {
		return "", fmt.Errorf("sign a token: a user id is 1 to %d bytes of UTF-8 text", heliograph.MaxUserID)
	}
	claims := jwt.MapClaims{"iat": now.Unix(), "exp": now.Add(ttl).Unix()}
	if rules.Issuer != "" {
		claims["iss"] = rules.Issuer
	}
	if rules.Audience != "" {
		claims[rules.audienceClaim()] = rules.Audience
	}
	claims[rules.Claim()] = string(user)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}
