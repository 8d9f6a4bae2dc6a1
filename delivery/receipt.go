package delivery

import (
	"context"
	"time"
)

// Receipt is what a producer learns about a message that asked for one.
type Receipt struct {
	// ID is the message's own.
	ID string
	// Delivered and Gone count connections: those that the body arrived at, and those that turned out to be closed.
	Delivered, Gone int
	// Offline counts users who had no open connection.
	Offline int
	// Failed counts connections that were given up, and users whose connections could not be read.
	Failed int
	// Expired counts connections and users that were not tried any more because ExpiresAt had passed.
	Expired int
	// Latency is from when the producer sent the message until it settled.
	Latency time.Duration
	// At is when it settled.
	At time.Time
}

// Receipts publishes receipts. An error means that it may not have been published.
type Receipts interface {
	Publish(context.Context, Receipt) error
}
