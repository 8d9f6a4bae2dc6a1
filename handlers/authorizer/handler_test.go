package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"heliograph"
	"heliograph/auth"
	"heliograph/observability"
)

const (
	secret       = "fdre4t5y6u7i8o9p0o9i8u7y6t5r4e3w2q1" // the public default that signed the samples' token
	webSocketArn = "arn:aws:execute-api:eu-west-1:123456789012:f00dcafe01/dev/$connect"
	httpArn      = "arn:aws:execute-api:eu-west-1:123456789012:beefc0de02/$default/GET/user/online"
)

// parameters is a parameter store that holds one secret, or fails.
type parameters struct{ err error }

func (p parameters) GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	if p.err != nil {
		return nil, p.err
	}
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: aws.String(secret)}}, nil
}

// invoke runs the handler as Lambda does, from the event's JSON to the response's, at the given time. It also returns
// the function's log.
func invoke(t *testing.T, store parameters, at time.Time, event []byte) (answer []byte, output string, err error) {
	t.Helper()
	var out bytes.Buffer
	now := func() time.Time { return at }
	handler := authorize(auth.NewVerifier(auth.SecretKeys(store, "/p", "", auth.DefaultGrace, now), auth.Rules{Now: now}))
	f := observability.New("authorizer", observability.Settings{Stage: "test", LogLevel: slog.LevelDebug}, &out)
	in := decode(t, event)
	response, err := observability.Wrap(f, handler)(context.Background(), in)
	answer, marshalErr := json.Marshal(response)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	return answer, out.String(), err
}

func decode(t *testing.T, document []byte) (e event) {
	t.Helper()
	if err := json.Unmarshal(document, &e); err != nil {
		t.Fatalf("decoding the event: %v", err)
	}
	return e
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// answerOf decodes the response that API Gateway gets, for comparison by value.
func answerOf(t *testing.T, document []byte) (r events.APIGatewayCustomAuthorizerResponse) {
	t.Helper()
	if err := json.Unmarshal(document, &r); err != nil {
		t.Fatalf("decoding the answer: %v", err)
	}
	return r
}

func want(principal, effect, arn string, context map[string]any) events.APIGatewayCustomAuthorizerResponse {
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: principal,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{
			Version: "2012-10-17",
			Statement: []events.IAMPolicyStatement{
				{Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: []string{arn}},
			},
		},
		Context: context,
	}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	present, future := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2034, 1, 1, 0, 0, 0, 0, time.UTC)
	identity := map[string]any{"userId": "1234", "tokenExpires": "2016239022"}
	tests := map[string]struct {
		fixture string
		at      time.Time
		want    events.APIGatewayCustomAuthorizerResponse
		reason  string // of the metric; empty: accepted
	}{
		"WebSocket, query":       {"websocket-query", present, want("1234", "Allow", webSocketArn, identity), ""},
		"WebSocket, subprotocol": {"websocket-subprotocol", present, want("1234", "Allow", webSocketArn, identity), ""},
		"WebSocket, no token":    {"websocket-none", present, want("nobody", "Deny", webSocketArn, nil), "missing"},
		"WebSocket, expired":     {"websocket-query", future, want("nobody", "Deny", webSocketArn, nil), "expired"},
		"HTTP":                   {"http-online", present, want("1234", "Allow", httpArn, identity), ""},
		"HTTP, expired":          {"http-online", future, want("nobody", "Deny", httpArn, nil), "expired"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, output, err := invoke(t, parameters{}, test.at, fixture(t, test.fixture))
			if err != nil {
				t.Fatalf("the invocation failed: %v", err)
			}
			if diff := cmp.Diff(test.want, answerOf(t, answer)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			checkOutput(t, output, test.reason)
		})
	}
}

// checkOutput checks that one token was counted, by the right metric, and that a rejection was logged with its reason
// but without the token.
func checkOutput(t *testing.T, output, reason string) {
	t.Helper()
	var accepted, rejected float64
	var logged []string
	for line := range strings.Lines(output) {
		var l struct {
			TokensAccepted, TokensRejected float64
			Reason, Message, Level, User   string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("a line is no JSON: %v\n%s", err, line)
		}
		accepted, rejected = accepted+l.TokensAccepted, rejected+l.TokensRejected
		if l.Reason != reason {
			t.Errorf("reason %q, want %q: %s", l.Reason, reason, line)
		}
		if reason == "" && l.User != observability.HashUser("1234") {
			t.Errorf("user %q is not the hash: %s", l.User, line)
		}
		if l.Message != "" {
			logged = append(logged, l.Level+" "+l.Message)
		}
	}
	wantAccepted, wantRejected, wantLogged := 1.0, 0.0, []string(nil)
	if reason != "" {
		wantAccepted, wantRejected, wantLogged = 0, 1, []string{"DEBUG token rejected"}
	}
	if accepted != wantAccepted || rejected != wantRejected {
		t.Errorf("%v accepted, %v rejected, want %v, %v:\n%s", accepted, rejected, wantAccepted, wantRejected, output)
	}
	if diff := cmp.Diff(wantLogged, logged); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	for _, part := range []string{"eyJ", "6C7xpaC9", secret} {
		if strings.Contains(output, part) {
			t.Errorf("the output holds %q:\n%s", part, output)
		}
	}
}

// TestEventMembers proves that each member of the event that can hold a token is searched for one.
func TestEventMembers(t *testing.T) {
	t.Parallel()
	token := decode(t, fixture(t, "websocket-query")).Query["Authorization"]
	for _, member := range []string{
		`"headers":{"authorization":"Bearer ` + token + `"}`,
		`"multiValueHeaders":{"authorization":["Bearer ` + token + `"]}`,
		`"queryStringParameters":{"Authorization":"` + token + `"}`,
		`"multiValueQueryStringParameters":{"Authorization":["` + token + `"]}`,
	} {
		answer, _, err := invoke(t, parameters{}, time.Unix(0, 0), []byte(`{"methodArn":"arn",`+member+`}`))
		if got := answerOf(t, answer).PrincipalID; err != nil || got != "1234" {
			t.Errorf("%.30s…: principal %q, %v", member, got, err)
		}
	}
}

// TestAuthorizeFails proves that an unreadable store and a foreign event are errors: no client is let in, no good token
// is rejected, and no token is counted.
func TestAuthorizeFails(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	tests := map[string]struct {
		store parameters
		event []byte
		want  string
	}{
		"store away":     {parameters{away}, fixture(t, "websocket-query"), "away"},
		"an empty event": {parameters{}, []byte(`{}`), "methodArn"},
		"a long ARN":     {parameters{}, []byte(`{"methodArn":"` + strings.Repeat("x", maxArnBytes+1) + `"}`), "methodArn"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, output, err := invoke(t, test.store, time.Now(), test.event)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if diff := cmp.Diff(events.APIGatewayCustomAuthorizerResponse{}, answerOf(t, answer)); diff != "" {
				t.Errorf("an answer beside the error (-want +got):\n%s", diff)
			}
			if strings.Contains(output, `"TokensAccepted":1`) || strings.Contains(output, `"TokensRejected":1`) {
				t.Errorf("a token was counted:\n%s", output)
			}
			if strings.Contains(output, "eyJ") {
				t.Errorf("the output holds the token:\n%s", output)
			}
		})
	}
}

// known is a verifier that identifies every client as one user.
type known auth.Identity

func (k known) Verify(context.Context, auth.Token) (auth.Identity, error) {
	return auth.Identity(k), nil
}

// TestScopeReachesFunctions proves that a token with the scope, and no other, is marked in the context of later events.
func TestScopeReachesFunctions(t *testing.T) {
	t.Parallel()
	for scoped, want := range map[bool]any{true: "anyone", false: nil} {
		response, err := authorize(known{UserID: "ada", Expires: time.Unix(1, 0), Scoped: scoped})(t.Context(), event{MethodArn: httpArn})
		if got := response.Context[heliograph.ContextMayQuery]; err != nil || got != want {
			t.Errorf("scoped %v: the context has %v, %v, want %v", scoped, got, err, want)
		}
	}
}

// TestAnswerFits proves that the largest response stays under the 8 KB that API Gateway accepts of an authorizer.
func TestAnswerFits(t *testing.T) {
	t.Parallel()
	// The JSON encoder writes a control character, and "<" as well, as six bytes.
	worst := known{UserID: heliograph.UserID(strings.Repeat("\x01", heliograph.MaxUserID)), Expires: time.Unix(253402300799, 0), Scoped: true}
	for _, arn := range []string{strings.Repeat("<", maxArnBytes), webSocketArn} {
		response, err := authorize(worst)(context.Background(), event{MethodArn: arn})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := json.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		if len(answer) > 7<<10 {
			t.Errorf("the answer has %d bytes", len(answer))
		}
	}
}

// TestSubprotocolReachesFunctions proves that a client that offers heliograph.v1, beside its token or alone, and no other, is
// marked in the context of later events.
func TestSubprotocolReachesFunctions(t *testing.T) {
	t.Parallel()
	for offered, want := range map[string]any{"heliograph.v1": "heliograph.v1", "heliograph, heliograph.v1, bearer.x": "heliograph.v1", "heliograph": nil} {
		e := event{MethodArn: webSocketArn}
		e.Headers = map[string]string{"Sec-WebSocket-Protocol": offered}
		if !strings.Contains(offered, "bearer.") {
			e.Query = map[string]string{"Authorization": "x"}
		}
		response, err := authorize(known{UserID: "ada", Expires: time.Unix(1, 0)})(t.Context(), e)
		if got := response.Context[heliograph.ContextSubprotocol]; err != nil || got != want {
			t.Errorf("%s: the context has %v, %v, want %v", offered, got, err, want)
		}
	}
}
