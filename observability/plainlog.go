package observability

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"strings"
)

// plainLog takes the lines of Go's plain logger, which has no levels. A library that still uses it mostly complains.
type plainLog struct{ f *Function }

var _ io.Writer = plainLog{}

func (l plainLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	// aws-lambda-go prints each failed invocation's error as JSON, without its request id. Ours has
	// been written.
	if strings.HasPrefix(text, `{"errorMessage"`) {
		return len(line), nil
	}
	level, text := levelOf(text)
	dying := fatal()
	if dying {
		level = slog.LevelError
	}
	l.f.log.Log(context.Background(), level, text)
	if dying {
		l.f.abandon() // nothing runs after this: no deferred function, no end of the invocation
	}
	return len(line), nil
}

// levelOf reads the level that a line begins with, as "ERROR: ", "[warn] " or "debug ", and takes it off.
func levelOf(text string) (slog.Level, string) {
	word, rest, found := strings.Cut(text, " ")
	var level slog.Level
	if found && level.UnmarshalText([]byte(strings.Trim(word, "[]:"))) == nil {
		return level, rest
	}
	return slog.LevelWarn, text
}

// fatal reports whether the line comes from log.Fatal or one of its forms, after which the process exits.
func fatal() bool {
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		name, isLog := strings.CutPrefix(frame.Function, "log.")
		if isLog && (strings.HasPrefix(name, "Fatal") || strings.HasPrefix(name, "(*Logger).Fatal")) {
			return true
		}
		if !more {
			return false
		}
	}
}
