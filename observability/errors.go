package observability

import (
	"errors"
	"log/slog"
	"reflect"
	"strings"
)

// Bounds on what is written of an error.
const (
	maxErrorText = 4 << 10 // bytes of its text in a trace
	maxChain     = 8       // errors that it wraps
)

// error writes an error as an object: its text, its type, AWS's error code if there is one, and the typed errors that it
// wraps, so that a query can find a kind of error whatever its text.
func (e *encoder) error(key string, err error) {
	if may := judge(key); may != free {
		e.text(may.of(err.Error()))
		return
	}
	e.nested(func() {
		e.b = append(e.b, '{')
		e.attrs(errorAttrs(err), false)
		e.b = append(e.b, '}')
	})
}

func errorAttrs(err error) []slog.Attr {
	chain := errorTypes(err)
	attrs := []slog.Attr{slog.String("message", err.Error()), slog.String("type", chain[0])}
	if coded, ok := errors.AsType[interface {
		error
		ErrorCode() string
	}](err); ok {
		attrs = append(attrs, slog.String("code", coded.ErrorCode()))
	}
	if len(chain) > 1 {
		attrs = append(attrs, slog.Any("chain", chain))
	}
	return attrs
}

// errorTypes are the types of an error and of those that it wraps, outermost first, without the wrappers that say
// nothing. There is always one.
func errorTypes(err error) []string {
	var types []string
	var walk func(error)
	walk = func(err error) {
		if err == nil || len(types) == maxChain {
			return
		}
		if name := reflect.TypeOf(err).String(); !strings.HasPrefix(name, "*fmt.") && name != "*errors.joinError" {
			types = append(types, name)
		}
		for _, wrapped := range wrappedBy(err) {
			walk(wrapped)
		}
	}
	walk(err)
	if len(types) == 0 {
		return []string{reflect.TypeOf(err).String()}
	}
	return types
}

// wrappedBy are the errors that an error wraps directly.
func wrappedBy(err error) []error {
	switch w := err.(type) {
	case interface{ Unwrap() error }:
		return []error{w.Unwrap()}
	case interface{ Unwrap() []error }:
		return w.Unwrap()
	}
	return nil
}

// errorText is an error's text as it may go into a trace.
func errorText(err error) string {
	text := scrub(strings.ToValidUTF8(err.Error(), "\uFFFD"))
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	return text
}

// unexpected is err, or nil if err says of itself that it is an answer.
func unexpected(err error) error {
	if e, ok := errors.AsType[interface {
		error
		Expected() bool
	}](err); ok && e.Expected() {
		return nil
	}
	return err
}
