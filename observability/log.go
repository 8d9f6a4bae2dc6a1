package observability

import (
	"context"
	"io"
	"log/slog"

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
	attrs := make([]any, 0, 3+len(inv.properties))
	for _, id := range inv.ids() {
		attrs = append(attrs, slog.String(id.key, id.value))
	}
	attrs = append(attrs, slog.Bool("coldStart", inv.cold))
	for _, p := range inv.properties {
		attrs = append(attrs, slog.String(p.key, p.value))
	}
	return attrs
}

// logAttr gives an attribute its name, and hides what must not be written. User ids are often of a
// named string type, which slog holds as any value.
func logAttr(groups []string, a slog.Attr) slog.Attr {
	if guarded(a.Key) {
		a.Value = slog.StringValue(guard(a.Key, a.Value.String()))
	}
	return lambdacontext.ReplaceAttr(groups, a)
}
