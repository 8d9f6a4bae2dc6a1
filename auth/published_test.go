package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The issuer's keys. Making an RSA key is slow, so all tests share one of each.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey  = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, 32)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// member is a JSON Web Key as an issuer publishes it, before it is encoded.
type member map[string]any

// but returns the key with some members changed; nil removes one.
func (m member) but(changes member) member {
	m = maps.Clone(m)
	for name, value := range changes {
		m[name] = value
		if value == nil {
			delete(m, name)
		}
	}
	return m
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// publish encodes a public key as RFC 7518 specifies.
func publish(kid string, public crypto.PublicKey) member {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return member{"kty": "RSA", "kid": kid, "n": encode(k.N.Bytes()), "e": encode(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		point := must(k.Bytes())[1:]
		return member{
			"kty": "EC", "kid": kid, "crv": k.Params().Name,
			"x": encode(point[:len(point)/2]), "y": encode(point[len(point)/2:]),
		}
	case ed25519.PublicKey:
		return member{"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": encode(k)}
	}
	panic("a kind of key that the test does not know")
}

// issuer is a server that publishes keys.
type issuer struct {
	mu     sync.Mutex
	status int
	body   string
	calls  int
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	if i.status >= 300 && i.status < 400 {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(i.status)
	_, _ = w.Write([]byte(i.body))
}

// Publish replaces the key set.
func (i *issuer) Publish(keys ...member) {
	body := must(json.Marshal(map[string]any{"keys": keys}))
	i.Answer(http.StatusOK, string(body))
}

// Answer replaces the whole response.
func (i *issuer) Answer(status int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

func (i *issuer) Calls() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls
}

// newIssuer starts a server, and makes a verifier for its tokens.
func newIssuer(t *testing.T, keys ...member) (*issuer, *Verifier, *clock) {
	t.Helper()
	i, c := &issuer{}, newClock()
	i.Publish(keys...)
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	published, err := PublishedKeys(server.URL+"/jwks.json", server.Client(), DefaultGrace, c.Now)
	if err != nil {
		t.Fatalf("PublishedKeys: %v", err)
	}
	return i, NewVerifier(published, Rules{Now: c.Now}), c
}

func TestPublishedKeys(t *testing.T) {
	t.Parallel()
	r, e256, e384, e521, ed := publish("r", rsaKey().Public()), publish("e256", p256().Public()),
		publish("e384", p384().Public()), publish("e521", p521().Public()), publish("ed", edKey().Public())
	asSecret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(rsaKey().Public()))})
	kid := func(id any) map[string]any { return map[string]any{"kid": id} }
	tests := map[string]struct {
		keys   []member
		method jwt.SigningMethod
		key    any
		header map[string]any
		want   Reason
	}{
		"RS256":                     {[]member{ed, r}, jwt.SigningMethodRS256, rsaKey(), kid("r"), ""},
		"RS384":                     {[]member{r}, jwt.SigningMethodRS384, rsaKey(), kid("r"), ""},
		"RS512":                     {[]member{r}, jwt.SigningMethodRS512, rsaKey(), kid("r"), ""},
		"PS256":                     {[]member{r}, jwt.SigningMethodPS256, rsaKey(), kid("r"), ""},
		"PS512":                     {[]member{r}, jwt.SigningMethodPS512, rsaKey(), kid("r"), ""},
		"ES256":                     {[]member{r, e256}, jwt.SigningMethodES256, p256(), kid("e256"), ""},
		"ES384":                     {[]member{e384}, jwt.SigningMethodES384, p384(), kid("e384"), ""},
		"ES512":                     {[]member{e521}, jwt.SigningMethodES512, p521(), kid("e521"), ""},
		"Ed25519":                   {[]member{ed}, ed25519Method{jwt.SigningMethodEdDSA}, edKey(), kid("ed"), ""},
		"Ed25519 by a key of EdDSA": {[]member{ed.but(member{"alg": "EdDSA"})}, ed25519Method{jwt.SigningMethodEdDSA}, edKey(), kid("ed"), ""},
		"EdDSA by a key of Ed25519": {[]member{ed.but(member{"alg": "Ed25519"})}, jwt.SigningMethodEdDSA, edKey(), kid("ed"), ""},
		"Ed25519 by another kind":   {[]member{r}, ed25519Method{jwt.SigningMethodEdDSA}, edKey(), kid("r"), ReasonAlgorithm},
		"EdDSA":                     {[]member{ed}, jwt.SigningMethodEdDSA, edKey(), kid("ed"), ""},
		"key for signatures":        {[]member{r.but(member{"use": "sig", "alg": "RS256", "key_ops": []string{"verify"}})}, jwt.SigningMethodRS256, rsaKey(), kid("r"), ""},
		"no kid":                    {[]member{e256, r, ed}, jwt.SigningMethodRS256, rsaKey(), nil, ""},
		"no kid, keys without one":  {[]member{r.but(member{"kid": nil})}, jwt.SigningMethodRS256, rsaKey(), nil, ""},
		"no kid, no fitting key":    {[]member{ed}, jwt.SigningMethodRS256, rsaKey(), nil, ReasonAlgorithm},
		"two keys of one kid":       {[]member{ed.but(member{"kid": "r"}), r}, jwt.SigningMethodRS256, rsaKey(), kid("r"), ""},
		"kid of nobody":             {[]member{r}, jwt.SigningMethodRS256, rsaKey(), kid("x"), ReasonUnknownKey},
		"kid of another key":        {[]member{r, ed}, jwt.SigningMethodRS256, rsaKey(), kid("ed"), ReasonAlgorithm},
		"kid, but keys without one": {[]member{r.but(member{"kid": nil})}, jwt.SigningMethodRS256, rsaKey(), kid("r"), ReasonUnknownKey},
		"kid no string":             {[]member{r}, jwt.SigningMethodRS256, rsaKey(), kid(1), ReasonMalformed},
		"alg not the key's":         {[]member{r.but(member{"alg": "RS256"})}, jwt.SigningMethodPS256, rsaKey(), kid("r"), ReasonAlgorithm},
		"key for encryption":        {[]member{ed, r.but(member{"use": "enc"})}, jwt.SigningMethodRS256, rsaKey(), kid("r"), ReasonUnknownKey},
		"key for signing only":      {[]member{ed, r.but(member{"key_ops": []string{"sign"}})}, jwt.SigningMethodRS256, rsaKey(), kid("r"), ReasonUnknownKey},
		"private key published":     {[]member{ed, r.but(member{"d": encode(rsaKey().D.Bytes())})}, jwt.SigningMethodRS256, rsaKey(), kid("r"), ReasonUnknownKey},
		"the public key as secret":  {[]member{r}, jwt.SigningMethodHS256, asSecret, kid("r"), ReasonAlgorithm},
		"the modulus as secret":     {[]member{r}, jwt.SigningMethodHS256, rsaKey().N.Bytes(), kid("r"), ReasonAlgorithm},
		"a secret in the set":       {[]member{r, {"kty": "oct", "kid": "o", "k": encode([]byte(secret))}}, jwt.SigningMethodHS256, []byte(secret), kid("o"), ReasonAlgorithm},
		"alg none":                  {[]member{r}, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid("r"), ReasonAlgorithm},
		"a key of the token's own":  {[]member{ed}, jwt.SigningMethodRS256, rsaKey(), map[string]any{"kid": "ed", "jwk": r}, ReasonAlgorithm},
		"another key of that kid":   {[]member{publish("ed", ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32))).Public())}, jwt.SigningMethodEdDSA, edKey(), kid("ed"), ReasonSignature},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, v, _ := newIssuer(t, test.keys...)
			_, err := v.Verify(context.Background(), sign(t, test.method, test.key, with(nil), test.header))
			if got := reasonOf(err); got != test.want {
				t.Errorf("rejected for %q, want %q", got, test.want)
			}
		})
	}
}

// TestSaltOfPSS proves that a PS signature passes with a salt as long as its hash, and with no other: RFC 7518, section
// 3.5.
func TestSaltOfPSS(t *testing.T) {
	t.Parallel()
	_, v, _ := newIssuer(t, publish("r", rsaKey().Public()))
	for _, method := range []*jwt.SigningMethodRSAPSS{jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512} {
		size := method.Hash.Size()
		for _, salt := range []int{rsa.PSSSaltLengthAuto, 1, 20, size - 1, size, size + 1, 32, 48, 64} {
			salted := *method
			salted.Options = &rsa.PSSOptions{SaltLength: salt}
			want := ReasonSignature
			if salt == size {
				want = ""
			}
			_, err := v.Verify(context.Background(), sign(t, &salted, rsaKey(), with(nil), nil))
			if got := reasonOf(err); got != want {
				t.Errorf("%s with a salt of %d bytes: rejected for %q, want %q", method.Name, salt, got, want)
			}
		}
	}
}

// TestPublicKeyTokenWithSecrets proves that a public-key token is refused by a verifier with secrets for its family,
// before any key is tried.
func TestPublicKeyTokenWithSecrets(t *testing.T) {
	t.Parallel()
	for _, token := range []Token{
		sign(t, jwt.SigningMethodRS256, rsaKey(), with(nil), nil),
		sign(t, jwt.SigningMethodEdDSA, edKey(), with(nil), nil),
	} {
		_, err := secretVerifier(Rules{}).Verify(context.Background(), token)
		if got := reasonOf(err); got != ReasonAlgorithm {
			t.Errorf("rejected for %q, want %q", got, ReasonAlgorithm)
		}
	}
}

// TestBadKeySets proves that a document without usable keys is an error rather than an empty set, so the last good keys
// stay.
func TestBadKeySets(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		body   string
		want   string
	}{
		"server error":    {http.StatusInternalServerError, "", "status 500"},
		"redirect":        {http.StatusFound, "", "status 302"},
		"a page":          {http.StatusOK, "<html>", "not a JSON Web Key Set"},
		"keys no list":    {http.StatusOK, `{"keys":{}}`, "not a JSON Web Key Set"},
		"no list of keys": {http.StatusOK, `{}`, "not a JSON Web Key Set"},
		"no keys":         {http.StatusOK, `{"keys":[]}`, "no key that can verify"},
		"unusable keys":   {http.StatusOK, `{"keys":[{"kty":"oct"},7]}`, "no key that can verify"},
		"very large":      {http.StatusOK, `{"keys":[` + strings.Repeat(" ", maxKeySetBytes) + `]}`, "over 131072 bytes"},
		"an empty answer": {http.StatusOK, "", "not a JSON Web Key Set"},
	}
	token := sign(t, jwt.SigningMethodEdDSA, edKey(), longLived, map[string]any{"kid": "ed"})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, v, c := newIssuer(t)
			i.Answer(test.status, test.body)
			_, err := v.Verify(context.Background(), token)
			if err == nil || !strings.HasPrefix(string(reasonOf(err)), "no rejection") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Verify = %v, want an error with %q", err, test.want)
			}
			i.Publish(publish("ed", edKey().Public()))
			c.Move(firstPause)
			if _, err := v.Verify(context.Background(), token); err != nil {
				t.Errorf("with a good set: %v", err)
			}
			i.Answer(test.status, test.body)
			c.Move(keysTTL)
			if _, err := v.Verify(context.Background(), token); err != nil {
				t.Errorf("after a bad set: %v", err)
			}
			if got := i.Calls(); got != 3 {
				t.Errorf("the issuer was asked %d times, want 3", got)
			}
		})
	}
}

// TestUnknownKidReadsAgain proves that keys are read again as soon as a token names a new one.
func TestUnknownKidReadsAgain(t *testing.T) {
	t.Parallel()
	i, v, c := newIssuer(t, publish("old", p256().Public()))
	before := sign(t, jwt.SigningMethodES256, p256(), longLived, map[string]any{"kid": "old"})
	after := sign(t, jwt.SigningMethodEdDSA, edKey(), longLived, map[string]any{"kid": "new"})
	expect := func(when string, token Token, want Reason, calls int) {
		t.Helper()
		_, err := v.Verify(context.Background(), token)
		if got := reasonOf(err); got != want || i.Calls() != calls {
			t.Errorf("%s: rejected for %q after %d calls, want %q after %d", when, got, i.Calls(), want, calls)
		}
	}
	expect("first", before, "", 1)
	i.Publish(publish("old", p256().Public()), publish("new", edKey().Public()))
	expect("within the pause", after, ReasonUnknownKey, 1)
	c.Move(renewPause)
	expect("after the pause", after, "", 2)
	expect("the old one", before, "", 2)
	i.Publish(publish("new", edKey().Public()))
	c.Move(keysTTL)
	expect("the old one, withdrawn", before, ReasonUnknownKey, 3)
}

func TestKeySetAddress(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		address string
		want    string // part of the error; empty: fine
	}{
		"https":                     {"https://id.example/.well-known/jwks.json?v=1", ""},
		"loopback by name":          {"http://localhost:8080/jwks.json", ""},
		"loopback by IPv4":          {"http://127.0.0.2/jwks.json", ""},
		"loopback by IPv6":          {"http://[::1]:8080/jwks.json", ""},
		"http":                      {"http://id.example/jwks.json", "must be https"},
		"a name like a loopback's":  {"http://localhost.example/jwks.json", "must be https"},
		"a private network":         {"http://10.0.0.1/jwks.json", "must be https"},
		"the metadata service":      {"http://169.254.169.254/", "must be https"},
		"a file":                    {"file:///jwks.json", "needs a host"},
		"no address":                {"", "needs a host"},
		"a path":                    {"/jwks.json", "needs a host"},
		"with a password":           {"https://user:hunter2@id.example/jwks.json", "no user or password"},
		"broken, with a password":   {"https://user:hunter2@id.example:port/", "is not a URL"},
		"another scheme, loopback":  {"ftp://localhost/jwks.json", "must be https"},
		"an http host with a query": {"http://id.example/?key=hunter2", "must be https"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := PublishedKeys(test.address, nil, DefaultGrace, nil)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("PublishedKeys: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("PublishedKeys = %v, want an error with %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("the error quotes a secret: %v", err)
			}
		})
	}
}

// TestSlowIssuer proves that a slow issuer delays a client by at most the time-out, and that a failed refresh leaves
// the keys in use.
func TestSlowIssuer(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	keys, err := PublishedKeys(server.URL, nil, DefaultGrace, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerMargin+50*time.Millisecond)
	defer cancel()
	_, err = NewVerifier(keys, Rules{}).Verify(ctx, sign(t, jwt.SigningMethodEdDSA, edKey(), longLived, nil))
	if err == nil || !strings.HasPrefix(string(reasonOf(err)), "no rejection") {
		t.Errorf("Verify = %v, want an error of the source", err)
	}
}

// TestHeaderLeadsNowhere proves that a token can't bring its own key: addresses and keys in its header are neither
// fetched nor used (RFC 8725, section 3.10), and a kid is compared and nothing else.
func TestHeaderLeadsNowhere(t *testing.T) {
	t.Parallel()
	_, v, _ := newIssuer(t, publish("ed", edKey().Public()))
	foreign := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	trap := &issuer{}
	trap.Publish(publish("ed", foreign.Public()))
	server := httptest.NewServer(trap)
	t.Cleanup(server.Close)
	for name, test := range map[string]struct {
		header map[string]any
		want   Reason
	}{
		"jku":            {map[string]any{"kid": "ed", "jku": server.URL}, ReasonSignature},
		"x5u":            {map[string]any{"kid": "ed", "x5u": server.URL}, ReasonSignature},
		"jwk":            {map[string]any{"kid": "ed", "jwk": publish("ed", foreign.Public())}, ReasonSignature},
		"kid an address": {map[string]any{"kid": server.URL}, ReasonUnknownKey},
		"kid a path":     {map[string]any{"kid": "../../dev/null"}, ReasonUnknownKey},
	} {
		_, err := v.Verify(context.Background(), sign(t, jwt.SigningMethodEdDSA, foreign, with(nil), test.header))
		if got := reasonOf(err); got != test.want {
			t.Errorf("%s: rejected for %q, want %q", name, got, test.want)
		}
	}
	if got := trap.Calls(); got != 0 {
		t.Errorf("an address of a token's header was asked %d times", got)
	}
}
