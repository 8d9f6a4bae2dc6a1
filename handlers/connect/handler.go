package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"heliograph"
	"heliograph/observability"
	"heliograph/presence"
)

// event holds the members used here of a WebSocket API's $connect event.
type event struct {
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	RequestContext    struct {
		ConnectionID string `json:"connectionId"`
		ConnectedAt  int64  `json:"connectedAt"` // epoch milliseconds
		Identity     struct {
			SourceIP  string `json:"sourceIp"`
			UserAgent string `json:"userAgent"`
		} `json:"identity"`
		// Authorizer is the context of the authorizer's policy, next to members of API Gateway's own.
		Authorizer map[string]any `json:"authorizer"`
	} `json:"requestContext"`
}

// connector opens connections.
type connector interface {
	Connect(context.Context, presence.Connection) error
}

var _ connector = (*presence.Store)(nil)

// connect admits the client once its connection is recorded. An error refuses it with 500, and a user with too many
// connections gets 429.
func connect(store connector) observability.Handler[event, events.APIGatewayProxyResponse] {
	return func(ctx context.Context, e event) (events.APIGatewayProxyResponse, error) {
		c, err := e.connection()
		if err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
		observability.SetProperty(ctx, "connectionId", string(c.ID))
		observability.SetProperty(ctx, "user", observability.HashUser(string(c.User)))
		err = store.Connect(ctx, c)
		if errors.Is(err, presence.ErrTooManyConnections) {
			observability.Log(ctx).WarnContext(ctx, "connection refused: the user has too many")
			return events.APIGatewayProxyResponse{StatusCode: http.StatusTooManyRequests}, nil
		}
		if err != nil {
			return events.APIGatewayProxyResponse{}, fmt.Errorf("connect: %w", err)
		}
		answer := events.APIGatewayProxyResponse{StatusCode: http.StatusOK}
		if chosen := e.subprotocol(); chosen != "" {
			answer.Headers = map[string]string{"Sec-WebSocket-Protocol": chosen}
		}
		return answer, nil
	}
}

// connection converts the event. The authorizer's values arrive as text, and an event without them is an error.
func (e event) connection() (presence.Connection, error) {
	rc := e.RequestContext
	user, _ := rc.Authorizer[heliograph.ContextUserID].(string)
	tokenExpires, _ := rc.Authorizer[heliograph.ContextTokenExpires].(string)
	expires, err := strconv.ParseInt(tokenExpires, 10, 64)
	if err != nil {
		return presence.Connection{}, fmt.Errorf("the authorizer's %s: %w", heliograph.ContextTokenExpires, err)
	}
	c := presence.Connection{
		User:         heliograph.UserID(user),
		ID:           heliograph.ConnectionID(rc.ConnectionID),
		TokenExpires: time.Unix(expires, 0),
		SourceIP:     rc.Identity.SourceIP,
		UserAgent:    rc.Identity.UserAgent,
		V1:           e.subprotocol() == heliograph.SubprotocolV1,
	}
	if rc.ConnectedAt > 0 {
		c.ConnectedAt = time.UnixMilli(rc.ConnectedAt)
	}
	return c, nil
}

// subprotocol chooses one of the client's offers; "" if none is ours. A browser closes the connection if no offer is
// accepted, and any client does if a subprotocol is returned that it did not offer.
func (e event) subprotocol() string {
	for _, ours := range []string{heliograph.SubprotocolV1, heliograph.Subprotocol} {
		if heliograph.Offers(e.Headers, e.MultiValueHeaders, ours) {
			return ours
		}
	}
	return ""
}
