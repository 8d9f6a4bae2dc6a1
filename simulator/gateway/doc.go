// Package gateway simulates API Gateway v2: WebSocket and HTTP APIs that invoke functions, with AWS's event shapes,
// status codes, limits and close codes, and the @connections API through which functions post to connections.
//
// An API is built in the same steps as its Pulumi resources: authorizers, integrations, routes, then a deployment,
// which is a snapshot, and a stage, which serves it. Each API has its own loopback listener, because AWS gives each API
// its own host.
package gateway
