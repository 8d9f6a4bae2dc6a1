package observability

import (
	"fmt"
	"runtime"
	"strings"
)

// maxFrames bounds a panic's stack: what is further out is the Lambda runtime.
const maxFrames = 16

// panicError is a panic as the log and the trace show it.
type panicError struct {
	value any // nil: the goroutine ended by runtime.Goexit
	stack []uintptr
}

var _ error = (*panicError)(nil)

func (p *panicError) Error() string {
	if p.value == nil {
		return "the handler's goroutine ended without returning"
	}
	return fmt.Sprintf("panic: %v", p.value)
}

// newPanicError notes what a deferred function recovered. It must be called from there, while the
// stack of the panic still stands.
func newPanicError(value any) *panicError {
	p := &panicError{value: value}
	stack := make([]uintptr, 64)
	stack = stack[:runtime.Callers(2, stack)]
	// A panic that was recovered and raised again stands there several times. The place to look at is
	// below the first panic, which is the outermost frame of that name.
	for i := len(stack) - 1; i >= 0; i-- {
		if runtime.FuncForPC(stack[i]-1).Name() == "runtime.gopanic" {
			stack = stack[i+1:]
			break
		}
	}
	p.stack = stack[:min(len(stack), maxFrames)]
	return p
}

// frames is the stack as text, a frame per entry, innermost first.
func (p *panicError) frames() []string {
	var out []string
	frames := runtime.CallersFrames(p.stack)
	for {
		f, more := frames.Next()
		if f.Function != "" {
			out = append(out, fmt.Sprintf("%s %s:%d", f.Function, shortFile(f.File), f.Line))
		}
		if !more {
			return out
		}
	}
}

// shortFile keeps the folder and the file: the rest of the path is the same everywhere.
func shortFile(path string) string {
	dir := strings.LastIndexByte(path, '/')
	if dir < 0 {
		return path
	}
	return path[strings.LastIndexByte(path[:dir], '/')+1:]
}

// Safely calls do and makes an error of its panic, with the stack in it. It is for goroutines: nobody else can recover
// their panics, which end the process with the metrics, the debug lines and the trace of the whole invocation.
func Safely[T any](do func() (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
	}()
	return do()
}
