package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxAuthorizerAnswer is the size limit of an authorizer's answer, in bytes, from API Gateway's quotas.
const maxAuthorizerAnswer = 8 << 10

// authorization is a Lambda authorizer's verdict on a request.
type authorization struct {
	principal string
	context   map[string]any // strings, numbers (json.Number) and booleans
	allowed   bool
}

// statement is a statement of the IAM policy that an authorizer returns.
type statement struct {
	Effect    string
	Action    oneOrMany
	Resource  oneOrMany
	Condition json.RawMessage
	// A Lambda authorizer's policy may not have these, or the simulator does not support them.
	NotAction, NotResource, Principal json.RawMessage
}

// oneOrMany is a string or a list of strings.
type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

// readAuthorization parses an authorizer's answer and applies its policy to a route. An answer that API Gateway would
// not understand is an error.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
func readAuthorization(answer []byte, routeARN string) (authorization, error) {
	if len(answer) > maxAuthorizerAnswer {
		return authorization{}, fmt.Errorf("the authorizer answered %d bytes; the limit is %d", len(answer), maxAuthorizerAnswer)
	}
	var said struct {
		PrincipalID    *string
		PolicyDocument *struct{ Statement []statement }
		Context        map[string]any
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if err := d.Decode(&said); err != nil {
		return authorization{}, fmt.Errorf("the authorizer's answer is not as expected: %w", err)
	}
	if said.PrincipalID == nil || said.PolicyDocument == nil {
		return authorization{}, errors.New("the authorizer's answer has no principalId or no policyDocument")
	}
	for key, v := range said.Context {
		switch v.(type) {
		case string, bool, json.Number, nil:
		default:
			return authorization{}, fmt.Errorf("the context of the authorizer's answer has an object or a list as %s", key)
		}
	}
	allowed, err := evaluate(said.PolicyDocument.Statement, routeARN)
	return authorization{principal: *said.PrincipalID, context: said.Context, allowed: allowed}, err
}

// evaluate applies a policy: any Deny wins, and without an Allow the request is denied.
func evaluate(statements []statement, routeARN string) (allowed bool, err error) {
	denied := false
	for _, s := range statements {
		if s.Condition != nil || s.NotAction != nil || s.NotResource != nil || s.Principal != nil {
			return false, errors.New("the authorizer's policy has a part that the simulator does not know")
		}
		matches := anyMatches(s.Action, "(?i)", "execute-api:Invoke") && anyMatches(s.Resource, "", routeARN)
		switch s.Effect {
		case "Allow":
			allowed = allowed || matches
		case "Deny":
			denied = denied || matches
		default:
			return false, fmt.Errorf("the authorizer's policy has the effect %q", s.Effect)
		}
	}
	return allowed && !denied, nil
}

// anyMatches applies IAM's matching: * stands for any characters, ? for exactly one. flags are those of the regular
// expression: actions ignore case.
func anyMatches(patterns []string, flags, value string) bool {
	for _, p := range patterns {
		quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(p))
		if ok, err := regexp.MatchString(flags+"^(?s:"+quoted+")$", value); err == nil && ok {
			return true
		}
	}
	return false
}

// text is a context value in the form used by WebSocket APIs and logs.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	}
	return ""
}
