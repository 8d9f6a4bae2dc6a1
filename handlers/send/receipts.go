package main

import (
	"context"

	"heliograph/delivery"
	"heliograph/handlers/internal/topic"
)

// receipts publishes delivery receipts.
type receipts struct{ topic topic.Topic }

var _ delivery.Receipts = receipts{}

// receipt is a receipt in the form that subscribers read.
type receipt struct {
	ID        string `json:"Id"`
	Delivered int
	Gone      int
	Offline   int
	Failed    int
	Expired   int
	Kept      int `json:",omitempty"` // of a message with Keep
	LatencyMs int64
	At        string
}

// Publish publishes one receipt.
func (p receipts) Publish(ctx context.Context, r delivery.Receipt) error {
	return p.topic.Publish(ctx, "MessageSettled", receipt{
		ID: r.ID, Delivered: r.Delivered, Gone: r.Gone, Offline: r.Offline, Failed: r.Failed, Expired: r.Expired, Kept: r.Kept,
		LatencyMs: r.Latency.Milliseconds(), At: topic.Time(r.At),
	}, nil)
}
