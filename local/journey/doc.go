// Package journey reconstructs a message's way from the log lines and traces that it left, on AWS and on the local
// stack alike. It only interprets them; finding the lines and traces is up to its callers.
package journey
