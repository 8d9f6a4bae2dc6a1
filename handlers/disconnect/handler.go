package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"heliograph"
	"heliograph/observability"
	"heliograph/presence"
)

// event holds the members used here of a WebSocket API's $disconnect event.
type event struct {
	RequestContext struct {
		ConnectionID string `json:"connectionId"`
		// Authorizer is the context of the authorizer's policy on $connect, next to members of API Gateway's own.
		Authorizer map[string]any `json:"authorizer"`
	} `json:"requestContext"`
}

// disconnector closes connections.
type disconnector interface {
	Disconnect(ctx context.Context, user heliograph.UserID, id heliograph.ConnectionID, lastActivity time.Time) error
}

var _ disconnector = (*presence.Store)(nil)

// disconnect closes the connection that the event names. The gateway does not retry: the sweep makes up for a failure.
func disconnect(store disconnector, now func() time.Time) observability.Handler[event, events.APIGatewayProxyResponse] {
	return func(ctx context.Context, e event) (events.APIGatewayProxyResponse, error) {
		id := heliograph.ConnectionID(e.RequestContext.ConnectionID)
		name, _ := e.RequestContext.Authorizer[heliograph.ContextUserID].(string)
		user := heliograph.UserID(name)
		observability.SetProperty(ctx, "connectionId", string(id))
		observability.SetProperty(ctx, "user", observability.HashUser(string(user)))
		if err := store.Disconnect(ctx, user, id, now()); err != nil {
			return events.APIGatewayProxyResponse{}, fmt.Errorf("disconnect: %w", err)
		}
		return events.APIGatewayProxyResponse{StatusCode: http.StatusOK}, nil
	}
}
