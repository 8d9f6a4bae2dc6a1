package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/golang-jwt/jwt/v5"

	"heliograph/observability"
)

const (
	// secret is the public default of the system that Heliograph replaces, and seedToken the token of its
	// documentation: userId "1234", exp and iat in 2033.
	secret    = "fdre4t5y6u7i8o9p0o9i8u7y6t5r4e3w2q1"
	seedToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." +
		"eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwidXNlcklkIjoiMTIzNCIsImlhdCI6MjAxNjIzOTAyMiwiZXhwIjoyMDE2MjM5MDIyfQ." +
		"6C7xpaC9_vmadA72tABVkqXH9HWcPY4RE8dGALnT-Hw"

	otherSecret = "another-secret-of-more-than-32-bytes"
	parameter   = "/WebSocketAdapter/JwtSecret"
	outgoing    = "/WebSocketAdapter/JwtSecretPrevious"
)

// start is the current time of the tests.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// clock stands still until a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// store is the part of SSM's Parameter Store that is used here.
type store struct {
	mu     sync.Mutex
	values map[string]string
	err    error // what every call fails with, unless nil
	calls  int
}

var _ ParameterGetter = (*store)(nil)

func newStore(values map[string]string) *store { return &store{values: maps.Clone(values)} }

func (s *store) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	runtime.Gosched() // as a network call would: a caller that does not wait its turn gets ahead
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	value, ok := s.values[aws.ToString(in.Name)]
	switch {
	case s.err != nil:
		return nil, s.err
	case !aws.ToBool(in.WithDecryption):
		return nil, errors.New("a SecureString was asked for without decryption")
	case !ok:
		return nil, &types.ParameterNotFound{}
	}
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{Name: in.Name, Value: aws.String(value)}}, nil
}

func (s *store) Set(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
}

func (s *store) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, name)
}

func (s *store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *store) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// secretVerifier verifies with the one secret, at the time start.
func secretVerifier(rules Rules) *Verifier {
	rules.Now = newClock().Now
	return NewVerifier(SecretKeys(newStore(map[string]string{parameter: secret}), parameter, "", DefaultGrace, rules.Now), rules)
}

// with returns valid claims with some of them changed; a nil value removes a claim.
func with(changes jwt.MapClaims) jwt.MapClaims {
	claims := jwt.MapClaims{"userId": "1234", "exp": start.Add(time.Hour).Unix()}
	for name, value := range changes {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// sign makes a token; header adds header members.
func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims, header map[string]any) Token {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatalf("signing a token: %v", err)
	}
	return Token(signed)
}

// hs256 makes a token with a secret.
func hs256(t testing.TB, with string, claims jwt.MapClaims) Token {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(with), claims, nil)
}

// reasonOf is the reason of a rejection; "" for nil, and the text of any other error.
func reasonOf(err error) Reason {
	var r *Rejection
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r):
		return r.Reason
	}
	return Reason("no rejection: " + err.Error())
}

// invoke runs do within an invocation, and returns everything that the invocation logged and measured.
func invoke(t testing.TB, do func(context.Context)) string {
	t.Helper()
	var out bytes.Buffer
	f := observability.New("authorizer", observability.Settings{Stage: "test", LogLevel: slog.LevelDebug}, &out)
	handler := observability.Wrap(f, func(ctx context.Context, _ struct{}) (struct{}, error) {
		do(ctx)
		return struct{}{}, nil
	})
	if _, err := handler(context.Background(), struct{}{}); err != nil {
		t.Fatalf("the invocation failed: %v", err)
	}
	return out.String()
}
