package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// minRSABits is the minimum length of an RSA modulus, as RFC 7518, section 3.3, requires. The maximum is go-jose's,
// 4096; it keeps a mistaken key from costing seconds per token.
const minRSABits = 2048

var rsaAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

// curveAlgorithms maps a curve to its algorithm. ES256 with a key on another curve is not ES256 (RFC 7518, section
// 3.4), and golang-jwt does not check that.
var curveAlgorithms = map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

// webKey holds the members of a JSON Web Key (RFC 7517) that go-jose does not report.
type webKey struct {
	ID         string   `json:"kid"`
	Type       string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Private    any      `json:"d"`
}

// parseKeySet returns the keys of a set that can verify tokens. It leaves out keys for other purposes, and broken or
// weak ones, which skipped lists with the reason: one bad key must not lock out the users of the others. A set without
// any usable key is a refusal; a document without a list of keys is no set, most likely an error page.
//
// The JSON decoder is go-jose's own, so that webKey and go-jose see the same members: it requires exact names, and each
// at most once.
func parseKeySet(document []byte) (keys []key, skipped []string, err error) {
	var set struct {
		// Not a jose.JSONWebKeySet, which fails as a whole if one key is bad.
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(document, &set) != nil || set.Keys == nil {
		// The decoder's error could quote the document.
		return nil, nil, errors.New("the answer is not a JSON Web Key Set")
	}
	for i, raw := range set.Keys {
		var w webKey
		k, err := w.parse(raw)
		switch {
		case errors.Is(err, jose.ErrUnsupportedKeyType):
		case err != nil:
			skipped = append(skipped, fmt.Sprintf("key %d (%q): %v", i, w.ID, err))
		default:
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, skipped, refused(errors.New("the key set holds no key that can verify tokens"))
	}
	return keys, skipped, nil
}

// parse reads one key. For a key that is not meant for tokens it returns go-jose's ErrUnsupportedKeyType.
func (w *webKey) parse(raw []byte) (key, error) {
	switch err := json.Unmarshal(raw, w); {
	case err != nil:
		return key{}, errors.New("not in the form of RFC 7517") // the error could quote a private half
	case !w.forTokens():
		return key{}, jose.ErrUnsupportedKeyType
	case w.Private != nil:
		// Checked here, since go-jose would take the private half for the key.
		return key{}, errors.New("its private half is published too")
	}
	var parsed jose.JSONWebKey
	// This refuses a key whose certificate (x5c), if any, is broken or belongs to another key.
	if err := parsed.UnmarshalJSON(raw); err != nil {
		return key{}, fmt.Errorf("not in the form of RFC 7517: %w", err)
	}
	algorithms, err := algorithmsOf(parsed.Key)
	switch {
	case err != nil:
		return key{}, err
	case parsed.Algorithm == "":
		return key{id: parsed.KeyID, algorithms: algorithms, verify: parsed.Key}, nil
	case !slices.Contains(algorithms, parsed.Algorithm):
		return key{}, fmt.Errorf("alg %q does not fit it", parsed.Algorithm)
	case slices.Contains(ed25519Names, parsed.Algorithm):
		return key{id: parsed.KeyID, algorithms: ed25519Names, verify: parsed.Key}, nil
	}
	return key{id: parsed.KeyID, algorithms: []string{parsed.Algorithm}, verify: parsed.Key}, nil
}

// forTokens reports whether a key is public and meant for verifying signatures. go-jose does not read key_ops.
func (w *webKey) forTokens() bool {
	meant := (w.Use == "" || w.Use == "sig") && (w.Operations == nil || slices.Contains(w.Operations, "verify"))
	return meant && w.Type != "oct"
}

// algorithmsOf returns the algorithms that fit a key. It refuses what go-jose accepts: short moduli, other curves. Odd
// RSA exponents are left to crypto/rsa, which verifies nothing with them.
func algorithmsOf(public any) ([]string, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return rsaAlgorithms, checkRSA(k)
	case *ecdsa.PublicKey:
		// go-jose has checked that the point is on the curve.
		if algorithm, ok := curveAlgorithms[k.Params().Name]; ok {
			return []string{algorithm}, nil
		}
	case ed25519.PublicKey:
		return ed25519Names, nil
	}
	return nil, errors.New("no public key of a kind that tokens use")
}

func checkRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < minRSABits {
		return fmt.Errorf("RSA with %d bits, it needs %d or more", bits, minRSABits)
	}
	return nil
}
