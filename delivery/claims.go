package delivery

import "time"

// Target is who a message is claimed for: one user, or one connection id.
type Target string

// ClaimState is what a claim found.
type ClaimState int

const (
	// Claimed: the message is the claimer's to deliver.
	Claimed ClaimState = iota
	// Duplicate: a message of this id was delivered to this target within the idempotency window.
	Duplicate
	// InFlight: another delivery of this id to this target is under way.
	InFlight
)

// ClaimResult is the answer to a claim.
type ClaimResult struct {
	State ClaimState
	// Delivered and Gone are, of a Duplicate, what the delivery before it came to.
	Delivered, Gone int
	// Until is, of one InFlight, when its claim ends unless it is renewed.
	Until time.Time
}
