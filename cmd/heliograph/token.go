package main

import (
	"context"
	"fmt"
	"time"
)

// tokenCommand prints a signed token for a user.
type tokenCommand struct {
	User  string        `required:"" short:"u" help:"The user that the token names."`
	TTL   time.Duration `name:"ttl" default:"1h" help:"How long it is valid."`
	Claim string        `default:"userId" help:"The claim that names the user, as the stack's config userIdClaim."`
}

func (tokenCommand) Help() string {
	return `The token is signed with the stack's own secret (SSM parameter JwtSecret), so this needs the right to read it.

Example:
  wscat -c "$(jq -r .webSocketUrl .heliograph/local.json)?Authorization=$(heliograph token --user 1234)"`
}

func (c *tokenCommand) Run(ctx context.Context, w world, line *commands) error {
	if c.TTL <= 0 { // such a token could be signed, but the stack would refuse it without a reason
		return fmt.Errorf("--ttl is %v: it must be more than 0, such as 1h", c.TTL)
	}
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	token, err := t.token(ctx, w.now(), c.Claim, c.User, c.TTL)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.stdout, token)
	return err
}
