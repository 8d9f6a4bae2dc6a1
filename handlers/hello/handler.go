package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"heliograph"
	"heliograph/delivery"
	"heliograph/mailbox"
	"heliograph/message"
	"heliograph/observability"
	"heliograph/observability/catalogue"
)

// event holds the members used here of a WebSocket API's event for a message.
type event struct {
	RequestContext struct {
		ConnectionID string `json:"connectionId"`
		ConnectedAt  int64  `json:"connectedAt"` // epoch milliseconds
		// Authorizer is the context of the authorizer's policy on $connect, next to members of API Gateway's own.
		Authorizer map[string]any `json:"authorizer"`
	} `json:"requestContext"`
	Body string `json:"body"`
}

// connectionLife is how long API Gateway lets a connection live.
const connectionLife = 2 * time.Hour

// greeting is the answer to a client's hello.
type greeting struct {
	Type         string            `json:"type"`
	Connection   string            `json:"connection"`
	User         heliograph.UserID `json:"user"`
	TokenExpires string            `json:"tokenExpires"`
	ClosesAt     string            `json:"closesAt"`
}

// mailboxes hold what was kept for users.
type mailboxes interface {
	// Since passes what was kept after a cursor to visit, by pages, and returns where the user's client stands then.
	Since(ctx context.Context, user heliograph.UserID, cursor string, visit func([]mailbox.Kept) error) (mailbox.Live, error)
}

var _ mailboxes = (*mailbox.Store)(nil)

// hello answers a client of heliograph.v1: who it is, what it has missed, and where it stands then. Any other client gets nothing
// but bodies, so it gets no answer.
func hello(post delivery.Poster, boxes mailboxes) observability.Handler[event, events.APIGatewayProxyResponse] {
	return func(ctx context.Context, e event) (events.APIGatewayProxyResponse, error) {
		observability.SetProperty(ctx, "connectionId", e.RequestContext.ConnectionID)
		observability.SetProperty(ctx, "user", observability.HashUser(e.text(heliograph.ContextUserID)))
		if e.text(heliograph.ContextSubprotocol) != heliograph.SubprotocolV1 {
			observability.Add(ctx, catalogue.FramesIgnored, 1)
			return done, nil
		}
		err := client{post, e.RequestContext.ConnectionID}.welcome(ctx, e, boxes)
		if errors.As(err, new(*types.GoneException)) { // it has left, and will come back
			err = nil
		}
		return done, err
	}
}

// done is the response to the gateway, which sends the client nothing of it.
var done = events.APIGatewayProxyResponse{StatusCode: http.StatusOK}

// text returns one of the authorizer's values; "" if it is missing.
func (e event) text(key string) string {
	value, _ := e.RequestContext.Authorizer[key].(string)
	return value
}

// greeting tells the client about its connection, by what the event says of it.
func (e event) greeting() (greeting, error) {
	expires, err := strconv.ParseInt(e.text(heliograph.ContextTokenExpires), 10, 64)
	if err != nil {
		return greeting{}, fmt.Errorf("the authorizer's %s: %w", heliograph.ContextTokenExpires, err)
	}
	return greeting{
		Type:         "hello",
		Connection:   message.NameOf(heliograph.ConnectionID(e.RequestContext.ConnectionID)),
		User:         heliograph.UserID(e.text(heliograph.ContextUserID)),
		TokenExpires: message.Time(time.Unix(expires, 0)),
		ClosesAt:     message.Time(time.UnixMilli(e.RequestContext.ConnectedAt).Add(connectionLife)),
	}, nil
}

// after returns the cursor of a client's hello; "" if it has none, and one that is unknown everywhere if it is no text.
func (e event) after() string {
	var said struct {
		After any `json:"after"`
	}
	_ = json.Unmarshal([]byte(e.Body), &said) // the gateway found the action in it, so it is JSON
	switch cursor := said.After.(type) {
	case nil:
		return ""
	case string:
		return cursor
	}
	return "?"
}
