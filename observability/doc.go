// Package observability is how Heliograph's functions tell what they did: structured logs, metrics in
// CloudWatch's embedded metric format, and X-Ray traces, all behind one small interface.
package observability
