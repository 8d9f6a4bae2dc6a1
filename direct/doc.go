// Package direct makes the two calls that every message needs, Query and PostToConnection, without the middleware stack
// that AWS's SDK builds for each call: it took most of the CPU time of a delivery (docs/decisions/0029-direct-calls.md). Configuration,
// credentials, signature, HTTP client, retries and the types of errors are still the SDK's, and a call has the same span.
package direct
