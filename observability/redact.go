package observability

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

const (
	hashPrefix = "u-"
	hashDigits = 12
	hidden     = "[hidden]"
)

// Secret is a text that shows as "[hidden]" wherever it is printed, logged, formatted or marshalled, whatever the key
// beside it. A struct's field of this type can be read from the environment.
type Secret struct{ text string } // a struct, because encoding/json would write a string type as a map's key as it is

var (
	_ fmt.Formatter            = Secret{}
	_ slog.LogValuer           = Secret{}
	_ encoding.TextMarshaler   = Secret{}
	_ encoding.TextUnmarshaler = (*Secret)(nil)
)

// NewSecret makes a secret of a text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal is the text itself, for the one call that needs it.
func (s Secret) Reveal() string { return s.text }

// Format keeps the text out of every verb of package fmt.
func (Secret) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(hidden)) }

// LogValue keeps the text out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText keeps the text out of JSON and other encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	s.text = string(text)
	return nil
}

// HashUser is the only form in which a user id is logged: a short hash that is the same for the same id, so that lines
// can be found, such as "u-03ac674216f3". It keeps ids from readers of the logs, not from anybody who tries all ids.
func HashUser(userID string) string {
	sum := sha256.Sum256([]byte(userID))
	return hashPrefix + hex.EncodeToString(sum[:])[:hashDigits]
}

// isHash reports whether s looks like what HashUser returns.
func isHash(s string) bool {
	digits, ok := strings.CutPrefix(s, hashPrefix)
	return ok && len(digits) == hashDigits && strings.Trim(digits, "0123456789abcdef") == ""
}

// verdict is what may be written of the value of a key.
type verdict int

const (
	free   verdict = iota // the value itself
	hashed                // the hash of a user id
	denied                // nothing
)

// deniedParts are what a key must not contain. Keys are compared without regard to case, and by letters and digits
// alone, so that jwtSecret, JWT_SECRET and X-Jwt-Secret are one key.
var deniedParts = []string{"password", "passwd", "token", "authorization", "cookie", "jwt", "secret", "credential", "apikey"}

// judge decides by a key what may be written of its value. It is the last gate before a line or a trace, for values that
// are written by mistake.
func judge(key string) verdict {
	var space [64]byte
	plain := space[:0]
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'A' && c <= 'Z':
			plain = append(plain, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
			plain = append(plain, c)
		}
	}
	for _, part := range deniedParts {
		if strings.Contains(string(plain), part) {
			return denied
		}
	}
	switch k := string(plain); {
	case strings.HasSuffix(k, "body"), strings.HasSuffix(k, "bodies"):
		return denied
	case k == "user", k == "users", strings.Contains(k, "userid"):
		return hashed
	}
	return free
}

// guard is what may be written of a text, by its key and by what it looks like.
func guard(key, value string) string { return judge(key).of(value) }

func (v verdict) of(value string) string {
	switch {
	case v == free:
		return scrub(value)
	case value == "" || value == hidden:
		return value
	case v == denied:
		return hidden
	case isHash(value):
		return value
	}
	return HashUser(value)
}

// inText finds tokens in the middle of texts: an error often quotes what it could not read.
var inText = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+(\.[\w-]*)?|(?i:\bbearer\s+)[\w.~+/=-]+`)

// scrub hides what looks like a token, under whatever key. The quick looks before the pattern keep it off most lines.
func scrub(text string) string {
	if strings.Contains(text, "eyJ") || strings.Contains(text, "earer ") || strings.Contains(text, "EARER ") {
		return inText.ReplaceAllString(text, hidden)
	}
	return text
}
