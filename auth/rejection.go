package auth

// Reason says in one word why a token was refused. The set is small and fixed, because it becomes a property of the
// TokensRejected metric and operators search their logs for it.
type Reason string

// The reasons, in the order in which a token is checked.
const (
	ReasonSeveral     Reason = "several"       // the request carries more than one credential
	ReasonMissing     Reason = "missing"       // the request carries no token
	ReasonTooLong     Reason = "too-long"      // over MaxTokenBytes
	ReasonMalformed   Reason = "malformed"     // not three base64url parts, the first two one JSON object each; or an unsupported critical header
	ReasonAlgorithm   Reason = "algorithm"     // alg is none, unknown, of the other family, or not the key's own
	ReasonUnknownKey  Reason = "unknown-key"   // no published key has the token's kid
	ReasonSignature   Reason = "signature"     // none of the keys made this signature
	ReasonExpired     Reason = "expired"       // exp has passed
	ReasonNotYetValid Reason = "not-yet-valid" // nbf is in the future
	ReasonIssuer      Reason = "issuer"        // iss is not the configured one
	ReasonAudience    Reason = "audience"      // aud does not name the configured one
	ReasonClaims      Reason = "claims"        // a required claim is missing (exp; iss and aud where configured), or has the wrong type
	ReasonUserID      Reason = "user-id"       // the user id claim is missing, empty, too long or not text
)

// Rejection is the error for an invalid token. Match it with errors.As. It carries only the reason: the parser's error
// can quote the token, so it is not wrapped.
type Rejection struct {
	Reason Reason
}

func (r *Rejection) Error() string { return "token rejected: " + string(r.Reason) }

// Expected reports to traces that a refusal is a regular answer, not a failure.
func (*Rejection) Expected() bool { return true }

func reject(r Reason) error { return &Rejection{Reason: r} }
