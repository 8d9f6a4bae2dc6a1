package delivery

import (
	"context"
	"sync"
	"time"
)

// fakeClaims keep claims as Claims promises it.
type fakeClaims struct {
	window time.Duration // how long they remember

	mu   sync.Mutex
	held map[string]*heldClaim
	// call runs before each call, with its name and the message's id; it may wait and may fail.
	call  func(ctx context.Context, name, id string) error
	calls []string // the names of the calls, in their order
}

type heldClaim struct {
	owner           Owner
	done            bool
	delivered, gone int
	ends            time.Time
}

// before tells whether a claim is that of an owner, or of an earlier step of its chain.
func (o Owner) before(by Owner) bool { return o.Chain == by.Chain && o.Step <= by.Step }

var _ Claims = (*fakeClaims)(nil)

func newClaims() *fakeClaims {
	return &fakeClaims{window: 10 * time.Minute, held: map[string]*heldClaim{}, call: func(context.Context, string, string) error { return nil }}
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
	switch {
	case held == nil || !held.ends.After(now) || (held.owner.Chain == by.Chain && held.owner.Step < by.Step):
		c.held[string(t)+" "+id] = &heldClaim{owner: by, ends: now.Add(claimLease)}
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
	if held == nil || !held.owner.before(by) {
		return ErrClaimLost
	}
	*held = heldClaim{owner: by, done: true, delivered: delivered, gone: gone, ends: time.Now().Add(c.window)}
	return nil
}

func (c *fakeClaims) Release(ctx context.Context, t Target, id string, by Owner) error {
	if err := c.begin(ctx, "release", id); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if held := c.held[string(t)+" "+id]; held != nil && held.owner.before(by) && !held.done {
		delete(c.held, string(t)+" "+id)
	}
	return nil
}

// fakeReceipts keep the receipts that are published.
type fakeReceipts struct {
	mu        sync.Mutex
	published []Receipt
	// publish runs before each one; it may wait and may fail.
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
