package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"heliograph"
	"heliograph/observability"
)

// clockSkew is how far an issuer's clock may be ahead of ours: nbf is often the very second of issue, and the client
// connects at once. exp gets no leeway: a lifetime is meant as set, and a connection accepted after its token expired
// would have to be closed right away.
const clockSkew = 5 * time.Second

// Rules are the requirements on a token's claims. The zero value is the least strict.
type Rules struct {
	// UserIDClaim names the claim that holds the user id; "" means DefaultUserIDClaim.
	UserIDClaim string
	// Issuer is the required iss; with "" any iss is accepted, or a missing one.
	Issuer string
	// Audience must equal AudienceClaim or be contained in it; with "" any audience is accepted, or a missing one.
	Audience string
	// AudienceClaim names the claim of the audience; "" means aud. Access tokens of Amazon Cognito have client_id.
	AudienceClaim string
	// ScopeClaim and Scope make Identity.Scoped: the claim, a text of words or a list of texts, must contain Scope. With
	// "" no token is scoped.
	ScopeClaim, Scope string
	// Now is the clock for exp and nbf; nil means the wall clock.
	Now func() time.Time
}

// Claim names the claim that holds the user id.
func (r Rules) Claim() string { return cmp.Or(r.UserIDClaim, DefaultUserIDClaim) }

func (r Rules) audienceClaim() string { return cmp.Or(r.AudienceClaim, DefaultAudienceClaim) }

// Identity is the result of verifying a token.
type Identity struct {
	UserID heliograph.UserID
	// Expires is the token's exp, in whole seconds, rounded down. It lies in the future.
	Expires time.Time
	// Scoped reports whether the token has the scope of Rules.
	Scoped bool
}

// Verifier checks tokens against one family of keys. It is safe for concurrent use.
type Verifier struct {
	keys   *Keys
	parser *jwt.Parser
	rules  Rules // with its defaults
}

// NewVerifier returns a Verifier. It reads no key; the first Verify does.
func NewVerifier(keys *Keys, rules Rules) *Verifier {
	rules.UserIDClaim, rules.AudienceClaim = rules.Claim(), rules.audienceClaim()
	if rules.Now == nil {
		rules.Now = wallClock
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(keys.algorithms),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(clockSkew),
		jwt.WithTimeFunc(rules.Now),
		// Numbers stay as written, so that a long numeric user id is not rounded.
		jwt.WithJSONNumber(),
		// Spare bits at the end of a part must be zero, so that a token can be written in only one way.
		jwt.WithStrictDecoding(),
	}
	if rules.Issuer != "" {
		options = append(options, jwt.WithIssuer(rules.Issuer))
	}
	return &Verifier{keys: keys, parser: jwt.NewParser(options...), rules: rules}
}

// Verify returns the identity that a token proves. An invalid token gives a *Rejection; any other error means that the
// keys could not be read. exp must be present and in the future, nbf must have passed if present, and iat is ignored:
// the system that Heliograph replaces has issued tokens whose iat is years ahead.
//
// It is traced as "verify token", annotated with the outcome: "accepted", "rejected" or "failed".
func (v *Verifier) Verify(ctx context.Context, t Token) (Identity, error) {
	return observability.Trace(ctx, "verify token", func(ctx context.Context) (Identity, error) {
		id, err := v.verify(ctx, t)
		if err == nil {
			observability.Annotate(ctx, "outcome", "accepted")
			return id, nil
		}
		if rejection, ok := errors.AsType[*Rejection](err); ok {
			observability.Annotate(ctx, "outcome", "rejected")
			return Identity{}, rejection
		}
		observability.Annotate(ctx, "outcome", "failed")
		return Identity{}, fmt.Errorf("verify the token: %w", err)
	})
}

func (v *Verifier) verify(ctx context.Context, t Token) (Identity, error) {
	if err := t.wellFormed(); err != nil {
		return Identity{}, err
	}
	ring, err := v.keys.current(ctx)
	if err != nil {
		return Identity{}, err
	}
	id, err := v.check(t, ring)
	if mayBeNewKey(err) {
		if ring = v.keys.newer(ctx, ring); ring != nil {
			return v.check(t, ring)
		}
	}
	return id, err
}

// mayBeNewKey reports whether an error could come from a key made after the last read.
func mayBeNewKey(err error) bool {
	var r *Rejection
	return errors.As(err, &r) && (r.Reason == ReasonSignature || r.Reason == ReasonUnknownKey)
}

// check judges a token with the given keys.
func (v *Verifier) check(t Token, ring *keyring) (Identity, error) {
	claims := jwt.MapClaims{}
	parsed, err := v.parser.ParseWithClaims(string(t), claims, ring.find)
	if err != nil {
		return Identity{}, v.rejection(parsed, err)
	}
	return v.identity(claims)
}

// rejection maps the parser's error to one of our reasons, and drops its text.
func (v *Verifier) rejection(parsed *jwt.Token, err error) error {
	var r *Rejection
	switch {
	case errors.As(err, &r): // from keyring.find
		return r
	case errors.Is(err, jwt.ErrTokenMalformed):
		return reject(ReasonMalformed)
	case parsed == nil || parsed.Method == nil || !slices.Contains(v.keys.algorithms, parsed.Method.Alg()):
		return reject(ReasonAlgorithm)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return reject(ReasonSignature)
	}
	for _, c := range claimReasons {
		if errors.Is(err, c.is) {
			return reject(c.reason)
		}
	}
	return reject(ReasonClaims)
}

// claimReasons orders the parser's findings on claims, since it may report several at once.
var claimReasons = []struct {
	is     error
	reason Reason
}{
	{jwt.ErrTokenExpired, ReasonExpired},
	{jwt.ErrTokenNotValidYet, ReasonNotYetValid},
	{jwt.ErrTokenInvalidIssuer, ReasonIssuer},
}
