// Package gateway is the simulated API Gateway v2: WebSocket and HTTP APIs that invoke functions, with the
// event shapes, status codes, limits and close codes of AWS, and the @connections API by which
// functions post to connections.
//
// An API is built up as the Pulumi resources are: authorizers, integrations, routes, then a deployment,
// which is a snapshot, and a stage, which serves it. Each API has a loopback listener of its own, since AWS
// gives each a host of its own.
package gateway
