package observability

import (
	"context"
	"log/slog"
	"time"
)

var discard = slog.New(slog.DiscardHandler)

// Log is the invocation's logger: JSON lines with AWS's own keys (timestamp, level, message, requestId), and correlationId
// and the properties; traceId only if X-Ray has the trace, and coldStart only if it was one. The function and the stage
// are in the name of the log group. Outside of a wrapped handler it discards.
//
// Lines below the configured level are kept, up to 20 KB, and written only if the invocation fails or is about to time
// out, so that a failure comes with its debug lines and a success costs nothing.
func Log(ctx context.Context) *slog.Logger {
	if inv := from(ctx); inv != nil {
		return inv.log()
	}
	return discard
}

// log makes the logger when it is first asked for: most invocations write no line.
func (inv *invocation) log() *slog.Logger {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.logger == nil {
		inv.logger = slog.New(&logHandler{f: inv.f, inv: inv})
	}
	return inv.logger
}

// logHandler writes lines as the log handler of aws-lambda-go does, which the Lambda console understands. Unlike slog's
// own JSON handler it writes no key twice, hides what must not be written at any depth, and keeps a line's size within
// bounds.
type logHandler struct {
	f      *Function
	inv    *invocation // nil: that of each line's context, or the only one that runs
	attrs  []slog.Attr
	groups []string // open ones: where the next attributes go
}

var _ slog.Handler = (*logHandler)(nil)

// Enabled reports true for lines below the level, too, where an invocation may keep them.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.f.settings.LogLevel || h.invocation(ctx) != nil
}

func (h *logHandler) invocation(ctx context.Context) *invocation {
	if h.inv != nil {
		return h.inv
	}
	if inv := from(ctx); inv != nil {
		return inv
	}
	return h.f.only()
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = addBelow(h.attrs, h.groups, attrs)
	return &with
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.groups = append(h.groups[:len(h.groups):len(h.groups)], name)
	return &with
}

// addBelow adds attributes to the group that the path leads to, and leaves the slices that it is given as they are.
func addBelow(attrs []slog.Attr, path []string, added []slog.Attr) []slog.Attr {
	attrs = attrs[:len(attrs):len(attrs)]
	if len(path) == 0 || len(added) == 0 {
		return append(attrs, added...)
	}
	for i := len(attrs) - 1; i >= 0; i-- {
		if attrs[i].Key == path[0] && attrs[i].Value.Kind() == slog.KindGroup {
			below := slog.GroupValue(addBelow(attrs[i].Value.Group(), path[1:], added)...)
			return append(attrs, slog.Attr{Key: path[0], Value: below}) // the last of a key counts
		}
	}
	return append(attrs, slog.Attr{Key: path[0], Value: slog.GroupValue(addBelow(nil, path[1:], added)...)})
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	added := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		added = append(added, a)
		return true
	})
	l := logLine{
		f: h.f, inv: h.invocation(ctx), at: r.Time, level: r.Level, message: r.Message,
		attrs: addBelow(h.attrs, h.groups, added),
	}
	if l.inv == nil {
		_, err := h.f.out.Write(l.bytes())
		return err
	}
	return l.inv.write(r.Level, l.bytes())
}

// logLine is one line before it is encoded.
type logLine struct {
	f       *Function
	inv     *invocation // nil: outside of one
	at      time.Time
	level   slog.Level
	message string
	attrs   []slog.Attr
}

// maxLogLine is under the 256 KB of a log event, with room for what Lambda's own log format wraps around it.
const maxLogLine = 200 << 10

// bytes is the line as JSON. What is too long is cut inside its values, so that it stays JSON.
func (l *logLine) bytes() []byte {
	for _, limits := range []bounds{{16 << 10, 1000, 10}, {2 << 10, 50, 6}, {200, 10, 3}} {
		if b := l.encode(limits); len(b) <= maxLogLine {
			return b
		}
	}
	l.attrs = []slog.Attr{slog.Bool("truncated", true)}
	return l.encode(bounds{200, 10, 3})
}

func (l *logLine) encode(limits bounds) []byte {
	e := encoder{b: make([]byte, 0, 512), limits: limits}
	e.b = append(e.b, `{"timestamp":"`...)
	e.b = l.at.AppendFormat(e.b, time.RFC3339Nano)
	e.b = append(e.b, `","level":"`...)
	e.b = append(e.b, l.level.String()...)
	e.b = append(e.b, `","message":`...)
	e.text(scrub(l.message))
	attrs := flatten(l.attrs)
	if l.inv != nil {
		l.inv.appendIDs(&e, attrs)
	}
	e.attrs(attrs, true)
	return append(e.b, "}\n"...)
}

// appendIDs writes what is known of the invocation. A property that the line sets itself is left to the line.
func (inv *invocation) appendIDs(e *encoder, attrs []slog.Attr) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for _, id := range inv.ids() {
		e.member(id.key, id.value)
	}
	if inv.cold {
		e.b = append(e.b, `,"coldStart":true`...)
	}
	if id := inv.correlationID(); id != "" {
		e.member("correlationId", id)
	}
	for _, p := range inv.properties {
		if !has(attrs, p.key) {
			e.member(p.key, p.value)
		}
	}
}

// maxKept bounds the lines below the level that an invocation keeps, in bytes.
const maxKept = 20 << 10

// write writes a line, or keeps it for the case that the invocation fails.
func (inv *invocation) write(level slog.Level, line []byte) error {
	if level >= inv.level {
		_, err := inv.f.out.Write(line)
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.kept = append(inv.kept, line)
	inv.keptBytes += len(line)
	for inv.keptBytes > maxKept { // the newest lines are the nearest to the failure
		inv.keptBytes -= len(inv.kept[0])
		inv.kept = inv.kept[1:]
	}
	return nil
}

// writeKept writes the lines that were kept, oldest first.
func (inv *invocation) writeKept() {
	inv.mu.Lock()
	kept := inv.kept
	inv.kept, inv.keptBytes = nil, 0
	inv.mu.Unlock()
	for _, line := range kept {
		_, _ = inv.f.out.Write(line) // there is nowhere to report a closed stdout to
	}
}
