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

// minRSABits bounds an RSA modulus, as RFC 7518, section 3.3, demands. The upper bound, which keeps a mistaken key
// from costing seconds for each token, is go-jose's: 4096.
const minRSABits = 2048

var rsaAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

// curveAlgorithms says which algorithm belongs to a curve. ES256 with a key on another curve is no ES256
// (RFC 7518, section 3.4), and golang-jwt does not look.
var curveAlgorithms = map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

// webKey is what has to be known of a JSON Web Key (RFC 7517) beside what go-jose makes of it.
type webKey struct {
	ID         string   `json:"kid"`
	Type       string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Private    any      `json:"d"`
}

// parseKeySet returns the keys of a set that can verify tokens. Keys for other purposes are left out; so are
// broken and weak ones, which skipped names with the reason, so that one bad key does not lock out the users
// of the others. A set without any usable key is a refusal.
//
// The JSON decoder is go-jose's own, so that webKey and go-jose see the same members: it wants names exact and
// none twice.
func parseKeySet(document []byte) (keys []key, skipped []string, err error) {
	var set struct {
		// Not a jose.JSONWebKeySet, which fails as a whole if one key does.
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(document, &set) != nil {
		// The decoder's error could quote the document.
		return nil, nil, errors.New("the answer is no JSON Web Key Set")
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

// parse reads one key. A key that is not for tokens gives go-jose's ErrUnsupportedKeyType.
func (w *webKey) parse(raw []byte) (key, error) {
	switch err := json.Unmarshal(raw, w); {
	case err != nil:
		return key{}, errors.New("not in the form of RFC 7517") // the error could quote a private half
	case !w.forTokens():
		return key{}, jose.ErrUnsupportedKeyType
	case w.Private != nil:
		// Said here, since go-jose would take the private half for the key.
		return key{}, errors.New("its private half is published too")
	}
	var parsed jose.JSONWebKey
	// This refuses a key whose certificate (x5c), if there is one, is broken or another key's.
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
	}
	return key{id: parsed.KeyID, algorithms: []string{parsed.Algorithm}, verify: parsed.Key}, nil
}

// forTokens reports whether a key is meant to verify signatures, and no secret. go-jose reads no key_ops.
func (w *webKey) forTokens() bool {
	meant := (w.Use == "" || w.Use == "sig") && (w.Operations == nil || slices.Contains(w.Operations, "verify"))
	return meant && w.Type != "oct"
}

// algorithmsOf returns the algorithms that fit a key. It refuses what go-jose lets pass: short moduli, other curves. Odd
// exponents of RSA are left to crypto/rsa, which verifies nothing with them.
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
		return []string{"EdDSA"}, nil
	}
	return nil, errors.New("no public key of a kind that tokens use")
}

func checkRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < minRSABits {
		return fmt.Errorf("RSA with %d bits, it needs %d or more", bits, minRSABits)
	}
	return nil
}
