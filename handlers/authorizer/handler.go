package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"heliograph/auth"
	"heliograph/observability"
)

// event is what both APIs send: a WebSocket API's REQUEST authorizer event, and an HTTP API's in payload
// format 1.0. They agree in these members; the HTTP API's lacks the ones with several values.
type event struct {
	MethodArn             string              `json:"methodArn"`
	Headers               map[string]string   `json:"headers"`
	MultiValueHeaders     map[string][]string `json:"multiValueHeaders"`
	QueryStringParameters map[string]string   `json:"queryStringParameters"`
	MultiValueQuery       map[string][]string `json:"multiValueQueryStringParameters"`
}

// verifier says who a token belongs to. A *auth.Rejection means that the token is no good, any other error
// that nobody can tell.
type verifier interface {
	Verify(context.Context, auth.Token) (auth.Identity, error)
}

var _ verifier = (*auth.Verifier)(nil)

// nobody is the principal of a denied request: API Gateway wants one.
const nobody = "nobody"

// maxArnBytes bounds the one part of the answer that comes from the event, for API Gateway takes 8 KB. The ARNs
// of our routes have some 150 bytes. Even if every byte of it and of the longest user id, which the answer
// holds twice, is escaped to six, the answer stays under 7 KB.
const maxArnBytes = 512

// authorize answers with a policy on the request's own ARN: nothing is cached, so it needs to cover no more.
// Keys that can't be read, and an event that is none, are errors: 500 for the client, and an alarm.
func authorize(v verifier) observability.Handler[event, events.APIGatewayCustomAuthorizerResponse] {
	return func(ctx context.Context, e event) (events.APIGatewayCustomAuthorizerResponse, error) {
		var none events.APIGatewayCustomAuthorizerResponse
		if e.MethodArn == "" || len(e.MethodArn) > maxArnBytes {
			return none, fmt.Errorf("authorizer event: methodArn has %d bytes, want 1 to %d", len(e.MethodArn), maxArnBytes)
		}
		id, err := v.Verify(ctx, auth.FindToken(auth.Request{
			Headers:           e.Headers,
			MultiValueHeaders: e.MultiValueHeaders,
			Query:             e.QueryStringParameters,
			MultiValueQuery:   e.MultiValueQuery,
		}))
		var rejection *auth.Rejection
		switch {
		case errors.As(err, &rejection):
			return denied(ctx, e.MethodArn, rejection.Reason), nil
		case err != nil:
			return none, err
		}
		return allowed(ctx, e.MethodArn, id), nil
	}
}

func denied(ctx context.Context, arn string, reason auth.Reason) events.APIGatewayCustomAuthorizerResponse {
	observability.SetProperty(ctx, "reason", string(reason))
	observability.Add(ctx, observability.TokensRejected, 1)
	observability.Log(ctx).InfoContext(ctx, "token rejected")
	return events.APIGatewayCustomAuthorizerResponse{PrincipalID: nobody, PolicyDocument: policy("Deny", arn)}
}

// allowed hands the identity on: both APIs show the context to their functions, as strings.
func allowed(ctx context.Context, arn string, id auth.Identity) events.APIGatewayCustomAuthorizerResponse {
	observability.SetProperty(ctx, "user", observability.HashUser(string(id.UserID)))
	observability.Add(ctx, observability.TokensAccepted, 1)
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID:    string(id.UserID),
		PolicyDocument: policy("Allow", arn),
		Context: map[string]any{
			"userId":       string(id.UserID),
			"tokenExpires": strconv.FormatInt(id.Expires.Unix(), 10),
		},
	}
}

func policy(effect, arn string) events.APIGatewayCustomAuthorizerPolicy {
	return events.APIGatewayCustomAuthorizerPolicy{
		Version: "2012-10-17",
		Statement: []events.IAMPolicyStatement{{
			Action:   []string{"execute-api:Invoke"},
			Effect:   effect,
			Resource: []string{arn},
		}},
	}
}
