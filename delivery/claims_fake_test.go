package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// fakeClaims is an in-memory Claims.
type fakeClaims struct {
	window time.Duration // how long deliveries are remembered

	mu   sync.Mutex
	held map[string]*heldClaim
	// call runs before each call, with its name and the message's id; it may block or fail.
	call  func(ctx context.Context, name, id string) error
	calls []string // names of the calls, in order
	// answered is told the result of each call.
	answered func(id string, what ...any)
}

type heldClaim struct {
	owner           string
	done            bool
	delivered, gone int
	ends            time.Time
}

// holds reports whether an owner holds a claim with this token.
func (o Owner) holds(token string) bool { return token == o.Token || token == o.After }

var _ Claims = (*fakeClaims)(nil)

func (h *heldClaim) String() string {
	if h == nil {
		return "free"
	}
	return fmt.Sprintf("held by %v, done %v (%d), until %s", h.owner, h.done, h.delivered, h.ends.Format("15:04:05"))
}

func newClaims() *fakeClaims {
	return &fakeClaims{window: 10 * time.Minute, answered: func(string, ...any) {}, held: map[string]*heldClaim{}, call: func(context.Context, string, string) error { return nil }}
}

func (c *fakeClaims) begin(ctx context.Context, name, id string) error {
	err := c.call(ctx, name, id)
	c.mu.Lock()
	c.calls = append(c.calls, name)
	if err != nil {
		c.mu.Unlock()
	}
	return err
}

func (c *fakeClaims) Claim(ctx context.Context, t Target, id string, by Owner) (ClaimResult, error) {
	if err := c.begin(ctx, "claim", id); err != nil {
		return ClaimResult{}, err
	}
	defer c.mu.Unlock()
	held, now := c.held[string(t)+" "+id], time.Now()
	c.answered(id, "claim", t, "by", by, held)
	switch {
	case held == nil || !held.ends.After(now) || by.holds(held.owner):
		c.held[string(t)+" "+id] = &heldClaim{owner: by.Token, ends: now.Add(claimLease)}
		return ClaimResult{}, nil
	case held.done:
		return ClaimResult{State: Duplicate, Delivered: held.delivered, Gone: held.gone}, nil
	}
	return ClaimResult{State: InFlight, Until: held.ends}, nil
}

func (c *fakeClaims) Done(ctx context.Context, t Target, id string, by Owner, delivered, gone int) error {
	if err := c.begin(ctx, "done", id); err != nil {
		return err
	}
	defer c.mu.Unlock()
	held := c.held[string(t)+" "+id]
	c.answered(id, "done", t, "by", by, held)
	if held == nil || !by.holds(held.owner) {
		return ErrClaimLost
	}
	*held = heldClaim{owner: held.owner, done: true, delivered: delivered, gone: gone, ends: time.Now().Add(c.window)}
	return nil
}

func (c *fakeClaims) Release(ctx context.Context, t Target, id string, by Owner) error {
	if err := c.begin(ctx, "release", id); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.answered(id, "release", t, "by", by, c.held[string(t)+" "+id])
	if held := c.held[string(t)+" "+id]; held != nil && by.holds(held.owner) && !held.done {
		delete(c.held, string(t)+" "+id)
	}
	return nil
}

// fakeReceipts records the receipts that are published.
type fakeReceipts struct {
	mu        sync.Mutex
	published []Receipt
	// publish runs before each one; it may block or fail.
	publish func(context.Context) error
}

var _ Receipts = (*fakeReceipts)(nil)

func (r *fakeReceipts) Publish(ctx context.Context, receipt Receipt) error {
	if r.publish != nil {
		if err := r.publish(ctx); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.published = append(r.published, receipt)
	return nil
}
