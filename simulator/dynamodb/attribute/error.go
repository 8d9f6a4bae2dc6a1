package attribute

import "fmt"

// Error is the reason for refusing a value or an expression, in the words of AWS's ValidationException.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}
