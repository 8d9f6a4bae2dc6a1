// Package lambda is the simulated AWS Lambda: it runs the real compiled functions as child processes
// that speak Lambda's Runtime API, and starts them for whatever has an event for them.
//
// A Platform holds the functions. Each function has environments: one child process each, that works
// on one event at a time. Environments start on demand (a cold start), are used again while they are
// warm, and are reaped when idle. Invoke waits for the answer, InvokeAsync retries behind the caller's
// back as Lambda's event queue does. QueueSource, StreamSource and Schedule are the event sources: they
// read a queue, a table's stream, or the clock, and invoke a function for what they find.
package lambda
