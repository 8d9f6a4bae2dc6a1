package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"heliograph"
)

// MinSecretBytes is the minimum length of a secret: the size of HS256's hash, as RFC 7518, section 3.2, requires. A
// shorter one can be guessed offline from a single token.
const MinSecretBytes = 32

// strengths are the bytes that a secret needs for each algorithm: RFC 7518, section 3.2.
var strengths = map[string]int{"HS256": MinSecretBytes, "HS384": 48, "HS512": 64}

// hmacAlgorithms is the family of shared secrets.
var hmacAlgorithms = []string{"HS256", "HS384", "HS512"}

// refusals are the error codes by which SSM says that the secret no longer exists: the parameter or its KMS key is
// gone. All others say nothing about the secret: throttling, a fault, a policy that forbids this function to read it.
var refusals = []string{"ParameterNotFound", "InvalidKeyId"}

// ParameterGetter reads one parameter of SSM's Parameter Store. *ssm.Client is one.
type ParameterGetter interface {
	// GetParameter returns *types.ParameterNotFound if there is no such parameter.
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

var _ ParameterGetter = (*ssm.Client)(nil)

// SecretKeys are secrets shared by the issuer and Heliograph, kept in SSM as SecureString parameters. The parameter
// previous may be ""; during a rotation it holds the outgoing secret, and tokens of both pass. The secret is the
// parameter's value, byte for byte, including any trailing line break.
//
// A secret of fewer bytes than MinSecretBytes makes a read fail, as does an unreadable store; HS384 takes 48 bytes, HS512
// 64. A text written several times counts once. grace is how old the last good secrets
// may get while the store can't be read. A nil now means the wall clock.
func SecretKeys(client ParameterGetter, parameter, previous string, grace time.Duration, now func() time.Time) *Keys {
	if now == nil {
		now = wallClock
	}
	retryer := impatient()
	s := &secrets{client: client, options: func(o *ssm.Options) { o.Retryer = retryer }, parameter: parameter, previous: previous}
	return &Keys{
		source:     "SSM parameter " + parameter,
		algorithms: hmacAlgorithms,
		load:       s.load,
		grace:      grace,
		now:        now,
	}
}

type secrets struct {
	client              ParameterGetter
	options             func(*ssm.Options)
	parameter, previous string
}

// load reads the secret and, during a rotation, the outgoing one. A failure of either fails the load, since a partial
// set would refuse valid tokens.
func (s *secrets) load(ctx context.Context, ask asking) ([]key, error) {
	current, err := s.read(ctx, s.parameter, ask)
	if err != nil {
		return nil, err
	}
	keys := []key{current}
	if s.previous == "" {
		return keys, nil
	}
	previous, err := s.read(ctx, s.previous, ask)
	if gone := new(types.ParameterNotFound); errors.As(err, &gone) {
		// The end of a rotation removes the parameter shortly before this function is updated.
		return keys, nil
	}
	if err != nil {
		return nil, err
	}
	return append(keys, previous), nil
}

// read reads one secret. Only errors about the secret itself are refusals; after any other error the last good secrets
// stay in use for longer.
func (s *secrets) read(ctx context.Context, parameter string, ask asking) (key, error) {
	var out *ssm.GetParameterOutput
	err := ask(ctx, func(ctx context.Context) (err error) {
		out, err = s.client.GetParameter(ctx, &ssm.GetParameterInput{
			Name:           aws.String(parameter),
			WithDecryption: aws.Bool(true),
		}, s.options)
		return err
	})
	if err != nil {
		err = fmt.Errorf("get parameter %s: %w", parameter, err)
		if failure, ok := errors.AsType[smithy.APIError](err); ok && slices.Contains(refusals, failure.ErrorCode()) {
			err = refused(err)
		}
		return key{}, err
	}
	if out.Parameter == nil {
		return key{}, fmt.Errorf("get parameter %s: the answer holds no parameter", parameter)
	}
	secret := []byte(aws.ToString(out.Parameter.Value))
	if err := checkSecret(secret); err != nil {
		return key{}, refused(fmt.Errorf("parameter %s: %w", parameter, err))
	}
	return key{algorithms: algorithmsFor(secret), verify: secret}, nil
}

// checkSecret refuses a secret that can be guessed. Its length may be disclosed.
func checkSecret(secret []byte) error {
	counted := heliograph.SecretBytes(string(secret))
	switch {
	case counted >= MinSecretBytes:
		return nil
	case counted < len(secret):
		return fmt.Errorf("the secret repeats %d bytes, it needs at least %d that don't repeat", counted, MinSecretBytes)
	}
	return fmt.Errorf("the secret has %d bytes, it needs at least %d", len(secret), MinSecretBytes)
}

// algorithmsFor returns the algorithms that a secret is long enough for.
func algorithmsFor(secret []byte) []string {
	counted := heliograph.SecretBytes(string(secret))
	return slices.DeleteFunc(slices.Clone(hmacAlgorithms), func(alg string) bool { return counted < strengths[alg] })
}
