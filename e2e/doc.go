// Package e2e tests a running stack from outside, through nothing but its WebSocket API, its HTTP API and the
// AWS APIs: the simulator's, which the tests start by the same code path as `heliograph local`, or any
// other's, whose endpoints file HELIOGRAPH_TARGET names:
//
//	HELIOGRAPH_TARGET=.heliograph/local.json go test ./e2e
package e2e
