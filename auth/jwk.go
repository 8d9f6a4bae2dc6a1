package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Bounds of an RSA modulus, in bits. RFC 7518, section 3.3, demands 2048; the upper bound keeps a mistaken key
// from costing seconds for each token.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// webKey is one public key as RFC 7517 and RFC 7518, section 6, write it (OKP: RFC 8037).
type webKey struct {
	Type       string   `json:"kty"`
	ID         string   `json:"kid"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	Curve      string   `json:"crv"`
	Modulus    b64      `json:"n"`
	Exponent   b64      `json:"e"`
	X          b64      `json:"x"`
	Y          b64      `json:"y"`
	Private    b64      `json:"d"`
}

// b64 is a member in unpadded base64url.
type b64 []byte

func (b *b64) UnmarshalText(text []byte) error {
	out, err := base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	*b = out
	return err
}

// curves says which algorithm belongs to a curve. ES256 with a key on another curve is no ES256 (RFC 7518,
// section 3.4), and the parser does not look.
var curves = map[string]struct {
	curve     elliptic.Curve
	algorithm string
}{
	"P-256": {elliptic.P256(), "ES256"},
	"P-384": {elliptic.P384(), "ES384"},
	"P-521": {elliptic.P521(), "ES512"},
}

// parseKeySet returns the keys of a set that can verify tokens. Keys for other purposes are left out; so are
// broken and weak ones, which skipped names with the reason, so that one bad key does not lock out the users
// of the others. A set without any usable key is an error.
func parseKeySet(document []byte) (keys []key, skipped []string, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(document, &set) != nil {
		// The decoder's error could quote the document.
		return nil, nil, errors.New("the answer is no JSON Web Key Set")
	}
	for i, raw := range set.Keys {
		var w webKey
		if json.Unmarshal(raw, &w) != nil {
			skipped = append(skipped, fmt.Sprintf("key %d (%q): not in the form of RFC 7517", i, w.ID))
			continue
		}
		if !w.forTokens() {
			continue
		}
		k, err := w.key()
		if err != nil {
			skipped = append(skipped, fmt.Sprintf("key %d (%q): %v", i, w.ID, err))
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, skipped, errors.New("the key set holds no key that can verify tokens")
	}
	return keys, skipped, nil
}

// forTokens reports whether a key is meant to verify signatures, and of a kind that tokens use.
func (w *webKey) forTokens() bool {
	meant := (w.Use == "" || w.Use == "sig") && (w.Operations == nil || slices.Contains(w.Operations, "verify"))
	known := w.Type == "RSA" || w.Type == "EC" || w.Type == "OKP" && w.Curve == "Ed25519"
	return meant && known
}

func (w *webKey) key() (key, error) {
	if w.Private != nil {
		return key{}, errors.New("its private half is published too")
	}
	verify, algorithms, err := w.public()
	if err != nil {
		return key{}, err
	}
	if w.Algorithm != "" {
		if !slices.Contains(algorithms, w.Algorithm) {
			return key{}, fmt.Errorf("alg %q does not fit it", w.Algorithm)
		}
		algorithms = []string{w.Algorithm}
	}
	return key{id: w.ID, algorithms: algorithms, verify: verify}, nil
}

// public returns the key in the form that the parser wants, and the algorithms that fit it.
func (w *webKey) public() (jwt.VerificationKey, []string, error) {
	switch w.Type {
	case "RSA":
		return w.rsa()
	case "EC":
		return w.ec()
	}
	if len(w.X) != ed25519.PublicKeySize {
		return nil, nil, errors.New("x is not as long as an Ed25519 key")
	}
	return ed25519.PublicKey(w.X), []string{"EdDSA"}, nil
}

func (w *webKey) rsa() (jwt.VerificationKey, []string, error) {
	n, e := new(big.Int).SetBytes(w.Modulus), new(big.Int).SetBytes(w.Exponent)
	switch bits := n.BitLen(); {
	case bits < minRSABits || bits > maxRSABits:
		return nil, nil, fmt.Errorf("RSA with %d bits, it needs %d to %d", bits, minRSABits, maxRSABits)
	case e.BitLen() > 31 || e.Cmp(big.NewInt(3)) < 0 || e.Bit(0) == 0:
		return nil, nil, errors.New("e is no exponent for RSA")
	}
	public := &rsa.PublicKey{N: n, E: int(e.Int64())}
	return public, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
}

func (w *webKey) ec() (jwt.VerificationKey, []string, error) {
	c, ok := curves[w.Curve]
	if !ok {
		return nil, nil, fmt.Errorf("curve %q is not known", w.Curve)
	}
	// Both coordinates have the curve's full length, leading zeros included. Else two halves of a wrong
	// length could make up a point.
	size := (c.curve.Params().BitSize + 7) / 8
	if len(w.X) != size || len(w.Y) != size {
		return nil, nil, fmt.Errorf("x and y are not %d bytes each", size)
	}
	point := slices.Concat([]byte{4}, w.X, w.Y) // 4: an uncompressed point
	public, err := ecdsa.ParseUncompressedPublicKey(c.curve, point)
	if err != nil {
		return nil, nil, errors.New("x and y are no point of the curve")
	}
	return public, []string{c.algorithm}, nil
}
