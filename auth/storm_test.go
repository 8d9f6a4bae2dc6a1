package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	"github.com/golang-jwt/jwt/v5"
)

// ssmRate is how many GetParameter a second SSM answers an account by default.
const ssmRate = 40

// throttling is SSM's HTTP endpoint at its default rate: a bucket that holds a second's worth of answers and is full at
// the start.
type throttling struct {
	mu     sync.Mutex
	values map[string]string
	rate   float64
	tokens float64
	filled time.Time
	asked  int // requests, throttled ones included
}

func newThrottling(values map[string]string) *throttling {
	return &throttling{values: values, rate: ssmRate, tokens: ssmRate, filled: time.Now()}
}

var _ ssm.HTTPClient = (*throttling)(nil)

// Do answers a GetParameter after a network's delay.
func (s *throttling) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(20 * time.Millisecond)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	status, answer := s.answer(string(body))
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:       io.NopCloser(strings.NewReader(answer)),
		Request:    r,
	}, nil
}

func (s *throttling) answer(body string) (int, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.tokens = min(s.rate, s.tokens+s.rate*time.Since(s.filled).Seconds())
	s.filled = time.Now()
	if s.tokens < 1 {
		return http.StatusBadRequest, `{"__type":"ThrottlingException","message":"Rate exceeded"}`
	}
	s.tokens--
	for name, value := range s.values {
		if strings.Contains(body, fmt.Sprintf("%q", name)) {
			return http.StatusOK, fmt.Sprintf(`{"Parameter":{"Name":%q,"Value":%q}}`, name, value)
		}
	}
	return http.StatusBadRequest, `{"__type":"ParameterNotFound"}`
}

// set changes a parameter; "" removes it.
func (s *throttling) set(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
	if value == "" {
		delete(s.values, name)
	}
}

// authorizer is a cold authorizer that reads its secrets by the unmodified AWS SDK.
func (s *throttling) authorizer(previous string) *Verifier {
	client := ssm.New(ssm.Options{
		Region:     "eu-west-1",
		HTTPClient: s,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
	return NewVerifier(SecretKeys(client, parameter, previous, DefaultGrace, nil), Rules{})
}

// lasting is a token by a secret that outlives a synctest bubble, which begins in the year 2000.
func lasting(t testing.TB, with string) Token {
	t.Helper()
	return hs256(t, with, jwt.MapClaims{"userId": "1234", "exp": time.Now().AddDate(1, 0, 0).Unix()})
}

// invocation is the context of an invocation of the authorizer, whose time-out is 9 s.
func invocation(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), 9*time.Second)
}

// TestStorm proves that 300 authorizers that start at once all get the secret from an SSM that answers 40 reads a
// second, within the time of their first invocations.
func TestStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, token, began := newThrottling(map[string]string{parameter: secret}), lasting(t, secret), time.Now()
		refused, slowest := 0, time.Duration(0)
		var mu sync.Mutex
		var wait sync.WaitGroup
		for range 300 {
			wait.Go(func() {
				ctx, cancel := invocation(t)
				defer cancel()
				_, err := server.authorizer("").Verify(ctx, token)
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, time.Since(began))
				if err != nil {
					refused++
				}
			})
		}
		wait.Wait()
		t.Logf("%d of 300 refused, the slowest took %v, SSM was asked %d times", refused, slowest, server.asked)
		if refused > 0 {
			t.Error("a client was refused")
		}
	})
}

// TestPatienceEnds proves that an authorizer without keys gives up while there is still time to say so, with the
// source's error, and that one with keys asks no second time and keeps them.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, token := newThrottling(map[string]string{parameter: secret}), lasting(t, secret)
		warm, cold := server.authorizer(""), server.authorizer("")
		if _, err := warm.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(keysTTL)
		server.rate, server.tokens = 0, 0
		before, began := server.asked, time.Now()
		log := invoke(t, func(ctx context.Context) {
			if _, err := warm.Verify(ctx, token); err != nil {
				t.Errorf("with the last good keys: %v", err)
			}
		})
		if asked := server.asked - before; asked != 1 || !strings.Contains(log, `"KeyRefreshFailures":1`) || !strings.Contains(log, `"KeyTimeLeft":3299`) {
			t.Errorf("with keys, SSM was asked %d times, want once, and both metrics:\n%s", asked, log)
		}
		ctx, cancel := invocation(t)
		defer cancel()
		_, err := cold.Verify(ctx, token)
		failure, ok := errors.AsType[smithy.APIError](err)
		if !ok || failure.ErrorCode() != "ThrottlingException" {
			t.Errorf("without keys: %v, want SSM's error", err)
		}
		if took := time.Since(began); took < firstTimeout-lastBackoff || took > firstTimeout+time.Second/10 {
			t.Errorf("without keys, it gave up after %v, want %v", took, firstTimeout)
		}
	})
}

// TestExpiredKeysAreReadPatiently proves that an authorizer whose keys are older than the grace waits out a throttle as
// one without keys does, since it has none to fall back on.
func TestExpiredKeysAreReadPatiently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, token := newThrottling(map[string]string{parameter: secret}), lasting(t, secret)
		frozen := server.authorizer("")
		for _, when := range []string{"cold", "frozen for as long as the grace", "and again"} {
			server.tokens, server.filled = -ssmRate, time.Now() // throttled for a second
			if _, err := frozen.Verify(t.Context(), token); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			time.Sleep(DefaultGrace)
		}
	})
}

// busy answers with its statuses, one after the other, and then with a key set.
type busy struct {
	statuses []int
	keys     string
}

var _ http.RoundTripper = (*busy)(nil)

func (b *busy) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, b.keys
	if len(b.statuses) > 0 {
		status, body, b.statuses = b.statuses[0], "", b.statuses[1:]
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestBusyIssuer proves that an issuer's 429 and 503 are waited out while there are no keys, and that nothing else is.
func TestBusyIssuer(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{http.StatusTooManyRequests: true, http.StatusServiceUnavailable: true, http.StatusInternalServerError: false, http.StatusForbidden: false} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				set := must(json.Marshal(map[string]any{"keys": []member{publish("ed", edKey().Public())}}))
				client := &http.Client{Transport: &busy{[]int{status, status, status}, string(set)}}
				keys := must(PublishedKeys("https://id.example/jwks", client, DefaultGrace, nil))
				token := sign(t, jwt.SigningMethodEdDSA, edKey(), jwt.MapClaims{"userId": "1234", "exp": time.Now().Add(time.Hour).Unix()}, nil)
				if _, err := NewVerifier(keys, Rules{}).Verify(t.Context(), token); (err == nil) != want {
					t.Errorf("after three answers with status %d: %v", status, err)
				}
			})
		})
	}
}
