package delivery

import (
	"context"
	"time"
)

// Receipt tells a producer the outcome of a message that requested one.
type Receipt struct {
	// ID is the message's Id.
	ID string
	// Delivered and Gone count connections: those that the body reached, and those that turned out to be closed.
	Delivered, Gone int
	// Offline counts users who had no open connection.
	Offline int
	// Failed counts connections that were given up, and users whose connections could not be read.
	Failed int
	// Expired counts connections and users that were not tried because ExpiresAt had passed.
	Expired int
	// Kept counts users for whom the message was kept.
	Kept int
	// Latency is the time from the producer's send until the message settled.
	Latency time.Duration
	// At is when the message settled.
	At time.Time
}

// Receipts publishes receipts. After an error the receipt may not have been published.
type Receipts interface {
	Publish(context.Context, Receipt) error
}
