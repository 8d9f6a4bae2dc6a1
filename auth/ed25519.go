package auth

import "github.com/golang-jwt/jwt/v5"

// ed25519Names are the names of one algorithm: a key that states either verifies tokens of both. RFC 9864 gives it the
// name Ed25519 and deprecates EdDSA, which could also be Ed448.
var ed25519Names = []string{"Ed25519", "EdDSA"}

// ed25519Method is golang-jwt's EdDSA by the name that golang-jwt does not know.
type ed25519Method struct{ *jwt.SigningMethodEd25519 }

var _ jwt.SigningMethod = ed25519Method{}

// Alg is the header's alg.
func (ed25519Method) Alg() string { return "Ed25519" }

func init() {
	jwt.RegisterSigningMethod("Ed25519", func() jwt.SigningMethod { return ed25519Method{jwt.SigningMethodEdDSA} })
}
