package wire

import (
	"net/http"
	"strings"
)

// scope is the caller's credential scope in a Signature Version 4 Authorization header.
type scope struct{ accessKey, region, service string }

// parseAuthorization parses the credential of an Authorization header:
//
//	AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/sqs/aws4_request, SignedHeaders=…, Signature=…
//
// The signature is not verified, see the package comment.
func parseAuthorization(header string) (scope, error) {
	if header == "" {
		return scope{}, &Error{
			Prefix: Coral, Code: "MissingAuthenticationTokenException", QueryCode: "MissingAuthenticationToken",
			Message: "Request is missing Authentication Token: sign it by AWS Signature Version 4, with any access key",
			Status:  http.StatusForbidden,
		}
	}
	fields, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !ok {
		return scope{}, incomplete("Authorization is not of the form AWS4-HMAC-SHA256 Credential=…")
	}
	found := map[string]string{}
	for part := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		found[name] = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if found[name] == "" {
			return scope{}, incomplete("Authorization header requires '" + name + "' parameter.")
		}
	}
	parts := strings.Split(found["Credential"], "/")
	if len(parts) != 5 || parts[0] == "" || parts[4] != "aws4_request" {
		return scope{}, incomplete("Credential must be <access key>/<date>/<region>/<service>/aws4_request")
	}
	return scope{accessKey: parts[0], region: parts[2], service: parts[3]}, nil
}

// incomplete is the error for a malformed header; AWS has the same for all its faults.
func incomplete(message string) error {
	return &Error{
		Prefix: Coral, Code: "IncompleteSignatureException", QueryCode: "IncompleteSignature",
		Message: message, Status: http.StatusForbidden,
	}
}
