package client

import "fmt"

// Code is what went wrong, in a word; the client in JavaScript has the same.
type Code string

const (
	CodeGoodbye Code = "goodbye" // the service closed the connection; Reason says why
	CodeToken   Code = "token"   // the application had no token; Err says why
	CodeDenied  Code = "denied"  // two fresh tokens in a row were refused
	CodeSilent  Code = "silent"  // the connection gave no sign of life
	CodeLost    Code = "lost"    // the connection could not be opened, or was cut
	CodeFull    Code = "full"    // too many messages came before those that were missed
)

// meanings complete an error's sentence.
var meanings = map[Code]string{
	CodeGoodbye: "the service closed the connection",
	CodeToken:   "there is no token",
	CodeDenied:  "the token is not valid for this stack, or has expired",
	CodeSilent:  "the connection gave no sign of life",
	CodeLost:    "the connection ended",
	CodeFull:    "too many messages came before those that were missed",
}

// Error is a failure with a code. Match it with errors.AsType[*Error].
type Error struct {
	Code   Code
	Reason string // the service's word, if it gave one
	Err    error  // the cause, if there is one
}

func (e *Error) Error() string {
	text := meanings[e.Code]
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Err != nil {
		text = fmt.Sprintf("%s: %v", text, e.Err)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }
