package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"heliograph"
	"heliograph/auth"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// event is the event of both APIs: a WebSocket API's REQUEST authorizer event, and an HTTP API's in payload format 1.0.
// They agree in these members, except that the HTTP API's lacks the multi-value ones.
type event struct {
	auth.Request

	MethodArn string `json:"methodArn"`
}

type response = events.APIGatewayCustomAuthorizerResponse

// verifier identifies a token's user. A *auth.Rejection means that the token is invalid; any other error, that it can't
// be judged.
type verifier interface {
	Verify(context.Context, auth.Token) (auth.Identity, error)
}

var _ verifier = (*auth.Verifier)(nil)

// maxArnBytes bounds the only part of the response that comes from the event, since API Gateway accepts 8 KB. The ARNs
// of our routes have some 150 bytes. Even if every byte of it and of the longest user id, which the response holds
// twice, is escaped to six, the response stays under 7 KB.
const maxArnBytes = 512

// authorize responds with a policy. Unreadable keys and malformed events are errors: 500 for the client, and an alarm.
func authorize(v verifier) observability.Handler[event, response] {
	return func(ctx context.Context, e event) (response, error) {
		if e.MethodArn == "" || len(e.MethodArn) > maxArnBytes {
			return response{}, fmt.Errorf("authorizer event: methodArn has %d bytes, want 1 to %d", len(e.MethodArn), maxArnBytes)
		}
		id, err := identify(ctx, v, e.Request)
		var rejection *auth.Rejection
		switch {
		case errors.As(err, &rejection):
			observability.SetProperty(ctx, "reason", string(rejection.Reason))
			observability.Add(ctx, catalogue.TokensRejected, 1)
			// At debug, since the metric's line has the reason, and a flood should not cost a second line each.
			observability.Log(ctx).DebugContext(ctx, "token rejected")
			// API Gateway requires a principal even here.
			return response{PrincipalID: "nobody", PolicyDocument: policy("Deny", e.MethodArn)}, nil
		case err != nil:
			return response{}, err
		}
		observability.SetProperty(ctx, "user", observability.HashUser(string(id.UserID)))
		observability.Add(ctx, catalogue.TokensAccepted, 1)
		return response{PrincipalID: string(id.UserID), PolicyDocument: policy("Allow", e.MethodArn), Context: contextOf(id, e.Request)}, nil
	}
}

// contextOf is what the functions behind the APIs learn about a client.
func contextOf(id auth.Identity, r auth.Request) map[string]any {
	c := map[string]any{
		heliograph.ContextUserID:       string(id.UserID),
		heliograph.ContextTokenExpires: strconv.FormatInt(id.Expires.Unix(), 10),
	}
	if heliograph.Offers(r.Headers, r.MultiValueHeaders, heliograph.SubprotocolV1) {
		c[heliograph.ContextSubprotocol] = heliograph.SubprotocolV1 // so that a later event needs no look at the table
	}
	if id.Scoped {
		c[heliograph.ContextMayQuery] = heliograph.Anyone
	}
	return c
}

// identify verifies the token of a request.
func identify(ctx context.Context, v verifier, r auth.Request) (auth.Identity, error) {
	token, err := auth.FindToken(r)
	if err != nil {
		return auth.Identity{}, err
	}
	return v.Verify(ctx, token)
}

// policy covers only the request's own ARN: nothing is cached, so it need not cover more.
func policy(effect, arn string) events.APIGatewayCustomAuthorizerPolicy {
	return events.APIGatewayCustomAuthorizerPolicy{
		Version:   "2012-10-17",
		Statement: []events.IAMPolicyStatement{{Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: []string{arn}}},
	}
}
