package observability

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	hashPrefix = "u-"
	hashDigits = 12
	hidden     = "[hidden]"
)

// HashUser is the only form in which a user id is logged: a short hash that is the same for the same
// id, so that lines can be found, such as "u-03ac674216f3". It hides ids from who reads logs; it is no
// protection against somebody who tries all ids.
func HashUser(userID string) string {
	sum := sha256.Sum256([]byte(userID))
	return hashPrefix + hex.EncodeToString(sum[:])[:hashDigits]
}

// guarded says whether a key may name something that must not be written as it is.
func guarded(key string) bool {
	switch strings.ToLower(key) {
	case "user", "userid", "token", "authorization", "secret", "jwtsecret", "body":
		return true
	}
	return false
}

// guard is the last gate before a line or a trace: whoever writes a user id by mistake writes its
// hash, and whoever writes a token, a secret or a message body writes nothing.
func guard(key, value string) string {
	if !guarded(key) || value == "" || isHash(value) {
		return value
	}
	if strings.HasPrefix(strings.ToLower(key), "user") {
		return HashUser(value)
	}
	return hidden
}

// isHash says whether s looks like what HashUser returns.
func isHash(s string) bool {
	digits, ok := strings.CutPrefix(s, hashPrefix)
	return ok && len(digits) == hashDigits && strings.Trim(digits, "0123456789abcdef") == ""
}
