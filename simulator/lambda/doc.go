// Package lambda simulates AWS Lambda: it runs the real compiled functions as child processes that speak Lambda's
// Runtime API, and starts them for every kind of event source.
//
// A Platform holds the functions. Each function has environments; an environment is one child process that works on one
// event at a time. Environments start on demand (a cold start), are reused while warm, and are reaped when idle. Invoke
// waits for the answer; InvokeAsync returns immediately and retries in the background, like Lambda's event queue.
// QueueSource, StreamSource and Schedule are the event sources: they read a queue, a table's stream, or the clock, and
// invoke a function for what they find.
package lambda
