package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/golang-jwt/jwt/v5"

	"heliograph"
	"heliograph/auth"
)

// tokenCommand prints a signed token for a user.
type tokenCommand struct {
	User string        `required:"" short:"u" help:"The user that the token names."`
	TTL  time.Duration `name:"ttl" default:"1h" help:"How long the token stays valid."`
}

func (tokenCommand) Help() string {
	return `The token is signed with the stack's own secret (SSM parameter JwtSecret), so this needs the right to read it. It has the
issuer, the audience and the claim for the user that the stack is configured to require. For a stack with jwksUrl, only
the identity provider can sign one.

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
	token, err := t.mint(ctx, w.now(), c.User, c.TTL)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.stdout, token)
	return err
}

// errOthersKey reports a stack whose tokens only an identity provider can sign.
var errOthersKey = errors.New("only an identity provider can sign tokens for this stack")

// mint signs a token for a user as the stack demands it.
func (t *target) mint(ctx context.Context, now time.Time, user string, ttl time.Duration) (string, error) {
	sign, err := t.signer(ctx)
	if err != nil {
		return "", err
	}
	return sign(now, user, ttl)
}

// signer reads the stack's secret and returns a function that signs tokens with it, with the claims that the stack's
// configuration names. It is the only place that makes tokens. The error wraps errOthersKey if the stack has no secret.
func (t *target) signer(ctx context.Context) (func(now time.Time, user string, ttl time.Duration) (string, error), error) {
	if t.JWKSURL != "" {
		return nil, fmt.Errorf("%w, by the keys at %s (config jwksUrl): get one from it, and pass it with --token to a command that has this flag",
			errOthersKey, t.JWKSURL)
	}
	secret, err := t.secret(ctx)
	if err != nil {
		return nil, err
	}
	return func(now time.Time, user string, ttl time.Duration) (string, error) {
		return auth.SignHS256(secret, auth.RulesOf(t.Outputs), heliograph.UserID(user), ttl, now)
	}, nil
}

// secret reads the secret that tokens of the stack are signed with.
func (t *target) secret(ctx context.Context) ([]byte, error) {
	name := t.ParameterPrefix + heliograph.ParameterJWTSecret
	out, err := ssm.NewFromConfig(t.aws).GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("read the signing secret, SSM parameter %s: %w", name, err)
	}
	return []byte(aws.ToString(out.Parameter.Value)), nil
}

// credential lets a command that mints its token be given one.
type credential struct {
	Token string `short:"t" placeholder:"TOKEN" help:"Use this token instead of signing one; needed for a stack with jwksUrl."`
}

// token returns the given token, or mints one for a user.
func (c credential) token(ctx context.Context, now time.Time, t *target, user string, ttl time.Duration) (string, error) {
	if c.Token != "" {
		return c.Token, nil
	}
	return t.mint(ctx, now, user, ttl)
}

// userOf reads from a token the user that it names. It verifies nothing: the stack will, when the token is used.
func (t *target) userOf(token string) (string, error) {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser(jwt.WithJSONNumber()).ParseUnverified(token, claims); err != nil {
		return "", fmt.Errorf("--token is not a JSON Web Token: %w", err)
	}
	claim := auth.RulesOf(t.Outputs).Claim()
	switch user := claims[claim].(type) {
	case string:
		return user, nil
	case json.Number:
		return user.String(), nil
	}
	return "", fmt.Errorf("--token has no claim %s (config userIdClaim), which would name the user", claim)
}
