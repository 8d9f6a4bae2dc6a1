// Package observability is how Heliograph's functions tell what they did: structured logs, metrics in
// CloudWatch's embedded metric format, and X-Ray traces, all behind one small interface.
//
// A function's main calls Start, which wraps its handler. Everything below takes what it needs from the
// context: Log, Add, SetProperty, Trace, Annotate. In an invocation they write; anywhere else, as in the
// tests of the domain, they do nothing, so that nobody has to check. When the handler returns, fails,
// panics or comes near its deadline, the metrics that it added are written.
//
// Metrics are declared once, in the catalogue, and ids are never their dimensions. X-Ray's SDK is known
// to xray.go and awscalls.go alone.
package observability
