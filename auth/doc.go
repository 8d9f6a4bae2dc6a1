// Package auth answers one question: who is this?
//
// A client presents a JSON Web Token. FindToken extracts it from the request, a Verifier checks it against Keys, and
// the result is an Identity: the user, and the moment the token expires.
//
//	keys := auth.SecretKeys(ssmClient, "/WebSocketAdapter/JwtSecret", "", auth.DefaultGrace, nil)
//	verifier := auth.NewVerifier(keys, auth.Rules{})
//	token, err := auth.FindToken(request)
//	who, err := verifier.Verify(ctx, token)
//
// There are two families of keys, and a Keys value belongs to one of them for its whole life: secrets shared by the
// issuer and Heliograph (HS256, HS384, HS512), or public keys that the issuer publishes (RS, PS, ES, EdDSA). A token
// can't choose the family. That keeps a public key, which everyone knows, from being used as a shared secret; and
// "none" belongs to neither.
//
// There are two kinds of failure. A Rejection means that the token is invalid, and gives the reason in one word. Any
// other error means that the keys could not be read, so the token can't be judged. No error and no log line of this
// package contains a token, a claim or a secret.
package auth
