package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"heliograph/observability"
)

// maxKeySetBytes is the largest key set that is read: some 150 RSA keys, while issuers publish two to twenty.
const maxKeySetBytes = 128 << 10

// publishedAlgorithms is the family of public keys.
var publishedAlgorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
	"ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

// PublishedKeys are the public keys that an issuer publishes as a JSON Web Key Set (RFC 7517) at an address. A token's
// kid chooses the key; a token without one is tried against every key of its algorithm. The issuer's Cache-Control is
// ignored.
//
// The address must be https: over plain HTTP, anyone on the path could substitute keys. Loopback hosts may use plain
// HTTP, for trials on a laptop. Redirects are not followed. A nil client means a default one; grace is how old the last
// good keys may get while the address can't be read; a nil now means the wall clock.
func PublishedKeys(address string, client *http.Client, grace time.Duration, now func() time.Time) (*Keys, error) {
	u, err := checkAddress(address)
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = wallClock
	}
	p := &published{address: address, client: quietClient(client)}
	return &Keys{
		// Without the query, which may hold an access key.
		source:     "key set " + u.Scheme + "://" + u.Host + u.EscapedPath(),
		algorithms: publishedAlgorithms,
		byID:       true,
		load:       p.load,
		grace:      grace,
		now:        now,
	}, nil
}

func checkAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		// The parser's error quotes the address, which may hold a password.
		return nil, errors.New("the key set's address is not a URL")
	case u.Host == "" || u.User != nil:
		return nil, errors.New("the key set's address needs a host, and no user or password")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("the key set's address must be https (http only on this machine), not %s://%s", u.Scheme, u.Host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// quietClient returns a client that follows no redirects, which could lead from https to http, and keeps no connections
// open, which would be dead after five minutes in a frozen function.
func quietClient(client *http.Client) *http.Client {
	own := &http.Client{}
	if client != nil {
		*own = *client
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.DisableKeepAlives = true
		own.Transport = t
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return own
}

type published struct {
	address string
	client  *http.Client
}

func (p *published) load(ctx context.Context, ask asking) ([]key, error) {
	var document []byte
	err := ask(ctx, func(ctx context.Context) (err error) {
		document, err = p.get(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	keys, skipped, err := parseKeySet(document)
	if len(skipped) > 0 {
		observability.Log(ctx).WarnContext(ctx, "published keys that can't be used", "keys", skipped)
	}
	return keys, err
}

// statusError is the status of an answer without a key set.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("status %d", int(s)) }

// HTTPStatusCode is the status, by the method that errors of the AWS SDK have.
func (s statusError) HTTPStatusCode() int { return int(s) }

// get fetches the document.
func (p *published) get(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address, nil)
	if err != nil {
		return nil, errors.New("make the request") // never quotes the address
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		// *url.Error quotes the whole address; what it wraps does not.
		var quoting *url.Error
		if errors.As(err, &quoting) {
			err = quoting.Err
		}
		return nil, fmt.Errorf("get: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return nil, refused(fmt.Errorf("get: %w", statusError(resp.StatusCode)))
	default:
		return nil, fmt.Errorf("get: %w", statusError(resp.StatusCode))
	}
	document, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySetBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(document) > maxKeySetBytes:
		return nil, fmt.Errorf("the answer is over %d bytes", maxKeySetBytes)
	}
	return document, nil
}
