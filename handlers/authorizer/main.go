// Command authorizer is the function that both APIs call before they admit a client: it identifies the token's user.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"heliograph"
	"heliograph/auth"
	"heliograph/observability"
)

// environment is the configuration set by the Pulumi program. It never contains the secret itself, only its location.
type environment struct {
	observability.Settings

	SecretParameter         string `env:"JWT_SECRET_PARAMETER,required"`          // SSM parameter; empty with JWKS_URL
	PreviousSecretParameter string `env:"JWT_SECRET_PREVIOUS_PARAMETER,required"` // SSM parameter; empty outside a rotation
	KeySetURL               string `env:"JWKS_URL,required"`                      // empty with JWT_SECRET_PARAMETER
	Issuer                  string `env:"JWT_ISSUER,required"`                    // empty: any
	Audience                string `env:"JWT_AUDIENCE,required"`                  // empty: any
	AudienceClaim           string `env:"JWT_AUDIENCE_CLAIM,required,notEmpty"`
	UserIDClaim             string `env:"USER_ID_CLAIM,required,notEmpty"`

	// The claim, and its value, by which a token may ask about every user's presence; empty: none may, by a claim.
	OnlineQueryClaim string `env:"ONLINE_QUERY_CLAIM,required"`
	OnlineQueryScope string `env:"ONLINE_QUERY_SCOPE,required"`

	KeyGrace time.Duration `env:"KEY_GRACE,required,notEmpty"` // how old keys may get while they can't be read again
}

func main() {
	observability.Start(heliograph.Authorizer, build)
}

func build(_ context.Context, cfg aws.Config, env environment) (observability.Handler[event, response], error) {
	keys, err := keysOf(cfg, env)
	if err != nil {
		return nil, err
	}
	return authorize(auth.NewVerifier(keys, auth.Rules{
		UserIDClaim:   env.UserIDClaim,
		Issuer:        env.Issuer,
		Audience:      env.Audience,
		AudienceClaim: env.AudienceClaim,
		ScopeClaim:    env.OnlineQueryClaim,
		Scope:         env.OnlineQueryScope,
	})), nil
}

// keysOf chooses the family of keys, once for all tokens.
func keysOf(cfg aws.Config, env environment) (*auth.Keys, error) {
	switch {
	case (env.SecretParameter == "") == (env.KeySetURL == ""):
		return nil, errors.New("exactly one of JWT_SECRET_PARAMETER and JWKS_URL must be set")
	case env.KeySetURL != "" && env.PreviousSecretParameter != "":
		return nil, errors.New("JWT_SECRET_PREVIOUS_PARAMETER must be empty with JWKS_URL")
	case env.KeySetURL == "":
		return auth.SecretKeys(ssm.NewFromConfig(cfg), env.SecretParameter, env.PreviousSecretParameter, env.KeyGrace, nil), nil
	}
	keys, err := auth.PublishedKeys(env.KeySetURL, nil, env.KeyGrace, nil)
	if err != nil {
		return nil, fmt.Errorf("JWKS_URL: %w", err)
	}
	return keys, nil
}
