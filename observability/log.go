package observability

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

var discard = slog.New(slog.DiscardHandler)

// Log is the invocation's logger: JSON lines with AWS's own keys (timestamp, level, message,
// requestId), and traceId, coldStart, function, stage and the properties set so far. Outside of a
// wrapped handler it discards.
func Log(ctx context.Context) *slog.Logger {
	if inv := from(ctx); inv != nil {
		return inv.log()
	}
	return discard
}

// newLogger writes JSON lines as the log handler of aws-lambda-go does, which the Lambda console
// understands.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: logAttr}))
}

// log makes the logger when it is first asked for: most invocations write no line.
func (inv *invocation) log() *slog.Logger {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.logger == nil {
		inv.logger = inv.f.log.With(inv.logAttrs()...)
	}
	return inv.logger
}

func (inv *invocation) logAttrs() []any {
	attrs := make([]any, 0, 5+len(inv.properties))
	for _, id := range inv.ids() {
		attrs = append(attrs, slog.String(id.key, id.value))
	}
	attrs = append(attrs, slog.Bool("coldStart", inv.cold),
		slog.String("function", inv.f.name), slog.String("stage", inv.f.settings.Stage))
	for _, p := range inv.properties {
		attrs = append(attrs, slog.String(p.key, p.value))
	}
	return attrs
}

// logAttr gives the attributes their names, and is the last guard before a line: whoever logs a user
// id by mistake logs its hash, and whoever logs a token logs nothing.
func logAttr(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindString {
		a.Value = slog.StringValue(guard(a.Key, a.Value.String()))
	}
	return lambdacontext.ReplaceAttr(groups, a)
}

// guard hides what must never be written under this key.
func guard(key, value string) string {
	switch strings.ToLower(key) {
	case "user", "userid":
		if !isHash(value) {
			return HashUser(value)
		}
	case "token", "authorization", "secret", "jwtsecret", "body":
		return "[hidden]"
	}
	return value
}

const (
	hashPrefix = "u-"
	hashDigits = 12
)

// HashUser is the only form in which a user id is logged: the same short hash for the same id, so that
// lines can be found, but not the id itself. It hides ids from a reader of logs; it is no protection
// against someone who tries all ids.
func HashUser(userID string) string {
	sum := sha256.Sum256([]byte(userID))
	return hashPrefix + hex.EncodeToString(sum[:])[:hashDigits]
}

// isHash says whether s is what HashUser returns.
func isHash(s string) bool {
	digits, ok := strings.CutPrefix(s, hashPrefix)
	return ok && len(digits) == hashDigits && strings.Trim(digits, "0123456789abcdef") == ""
}
