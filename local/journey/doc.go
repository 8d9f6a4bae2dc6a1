// Package journey tells what became of one message, from the log lines and traces that it left: on AWS and on the local
// stack alike. It reads; finding the lines and traces is up to its callers.
package journey
