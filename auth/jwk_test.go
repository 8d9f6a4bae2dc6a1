package auth

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// TestCurveBelongsToAlgorithm proves that ES256 means P-256. The parser would accept a key on another curve, as long as
// the signature's length fits.
func TestCurveBelongsToAlgorithm(t *testing.T) {
	t.Parallel()
	_, v, _ := newIssuer(t, publish("e", p384().Public()))
	token := sign(t, jwt.SigningMethodES256, p256(), with(nil), map[string]any{"kid": "e"})
	_, err := v.Verify(context.Background(), token)
	if got := reasonOf(err); got != ReasonAlgorithm {
		t.Errorf("rejected for %q, want %q", got, ReasonAlgorithm)
	}
}

// TestUnusableKeys proves that broken and weak keys are skipped and named in the log, and the others keep working.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	r, e, ed := publish("bad", rsaKey().Public()), publish("bad", p256().Public()), publish("bad", edKey().Public())
	weak := make([]byte, 2047/8+1)
	weak[0], weak[255] = 0x40, 1 // 2047 bits
	huge := make([]byte, 8193/8+1)
	huge[0], huge[1024] = 1, 1
	tests := map[string]struct {
		key  member
		want string
	}{
		"weak RSA":               {r.but(member{"n": encode(weak)}), "RSA with 2047 bits"},
		"huge RSA":               {r.but(member{"n": encode(huge)}), "modulus too large"},
		"RSA without modulus":    {r.but(member{"n": nil}), "missing n"},
		"RSA, exponent 1":        {r.but(member{"e": "AQ"}), "bad e value"},
		"RSA, wide exponent":     {r.but(member{"e": encode([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1})}), "bad e value"},
		"RSA, padded modulus":    {r.but(member{"n": "AQAB="}), "RFC 7517"},
		"RSA, no string":         {r.but(member{"n": 7}), "RFC 7517"},
		"EC, unknown curve":      {e.but(member{"crv": "secp256k1"}), "secp256k1"},
		"EC, another curve":      {e.but(member{"crv": "P-384"}), "wrong length"},
		"EC, not on the curve":   {e.but(member{"y": e["x"]}), "not on declared curve"},
		"EC, shifted coordinate": {e.but(member{"x": e["x"].(string) + "AAAA", "y": e["y"].(string)[:32]}), "wrong length"},
		"EC, alg of another":     {e.but(member{"alg": "ES384"}), "does not fit"},
		"Ed25519, short":         {ed.but(member{"x": "AAAA"}), "Ed25519"},
		"Ed25519, long":          {ed.but(member{"x": encode(make([]byte, 33))}), "Ed25519"},
		"Ed25519, empty":         {ed.but(member{"x": ""}), "Ed25519"},
		"Ed25519, private":       {ed.but(member{"d": encode(edKey().Seed())}), "private half"},
		"alg of the secrets":     {r.but(member{"alg": "HS256"}), "does not fit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, v, _ := newIssuer(t, test.key, publish("good", edKey().Public()))
			log := invoke(t, func(ctx context.Context) {
				if _, err := v.Verify(ctx, sign(t, jwt.SigningMethodEdDSA, edKey(), with(nil), map[string]any{"kid": "good"})); err != nil {
					t.Errorf("with the good key: %v", err)
				}
				_, err := v.Verify(ctx, sign(t, jwt.SigningMethodEdDSA, edKey(), with(nil), map[string]any{"kid": "bad"}))
				if got := reasonOf(err); got != ReasonUnknownKey {
					t.Errorf("with the bad key: rejected for %q", got)
				}
			})
			if !strings.Contains(log, `key 0 (\"bad\")`) || !strings.Contains(log, test.want) {
				t.Errorf("the log lacks the key's id and %q:\n%s", test.want, log)
			}
		})
	}
}

// TestKeysForOthers proves that keys of a set that serve other purposes are skipped silently, whether or not their kind
// is known.
func TestKeysForOthers(t *testing.T) {
	t.Parallel()
	r := publish("other", rsaKey().Public())
	tests := map[string]member{
		"a secret":             {"kty": "oct", "k": encode([]byte(secret))},
		"another curve's kind": {"kty": "OKP", "crv": "X25519", "x": encode(make([]byte, 32))},
		"an unknown kind":      {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
		"encryption":           r.but(member{"use": "enc"}),
		"encryption, broken":   r.but(member{"use": "enc", "n": nil}),
		"signing":              r.but(member{"key_ops": []string{"sign"}}),
	}
	for name, other := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := must(json.Marshal(map[string]any{"keys": []member{other, publish("good", edKey().Public())}}))
			keys, skipped, err := parseKeySet(document)
			if err != nil || len(skipped) > 0 {
				t.Errorf("skipped %q, error %v", skipped, err)
			}
			if len(keys) != 1 || keys[0].id != "good" {
				t.Errorf("keys %v, want the good one alone", keys)
			}
		})
	}
}

// TestRSABounds proves that RSA keys of every length within the bounds are accepted, the bounds included.
func TestRSABounds(t *testing.T) {
	t.Parallel()
	for _, bits := range []uint{minRSABits, 3072, 4096} {
		n := new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1)
		document := must(json.Marshal(map[string]any{"keys": []member{publish("r", &rsa.PublicKey{N: n, E: 65537})}}))
		if keys, skipped, err := parseKeySet(document); len(keys) != 1 {
			t.Errorf("%d bits: skipped %q, error %v", bits, skipped, err)
		}
	}
}
