// Package auth answers one question: who is this?
//
// A client shows a JSON Web Token. FindToken takes it out of the request, a Verifier checks it against
// Keys, and the result is an Identity: the user, and the moment the token ends.
//
//	keys := auth.SecretKeys(ssmClient, "/WebSocketAdapter/JwtSecret", "", auth.DefaultGrace, nil)
//	verifier := auth.NewVerifier(keys, auth.Rules{})
//	who, err := verifier.Verify(ctx, auth.FindToken(request))
//
// There are two families of keys, and a Keys value is one of them for its whole life: secrets that the
// issuer and Heliograph share (HS256, HS384, HS512), or public keys that the issuer publishes (RS, PS, ES,
// EdDSA). A token can't choose the family. That is what keeps a public key, which everybody knows, from
// being taken for a shared secret; and "none" belongs to neither.
//
// There are two kinds of failure. A Rejection means that the token is no good, and says why in one word.
// Any other error means that the keys could not be read, so that nobody can tell whether it is any good.
// No error and no log line of this package holds a token, a claim or a secret.
package auth
