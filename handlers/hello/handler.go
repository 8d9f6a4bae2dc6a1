package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"

	"heliograph"
	"heliograph/delivery"
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

// hello answers a client of heliograph.v1. Any other client gets nothing but bodies, so it gets no answer.
func hello(post delivery.Poster) observability.Handler[event, events.APIGatewayProxyResponse] {
	return func(ctx context.Context, e event) (events.APIGatewayProxyResponse, error) {
		observability.SetProperty(ctx, "connectionId", e.RequestContext.ConnectionID)
		observability.SetProperty(ctx, "user", observability.HashUser(e.text(heliograph.ContextUserID)))
		if e.text(heliograph.ContextSubprotocol) != heliograph.SubprotocolV1 {
			observability.Add(ctx, catalogue.FramesIgnored, 1)
			return done, nil
		}
		answer, err := e.greeting()
		if err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
		if err := send(ctx, post, e.RequestContext.ConnectionID, answer); err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
		observability.Add(ctx, catalogue.Hellos, 1)
		return done, nil
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

// send posts a frame to a connection. One that is gone needs no frame.
func send(ctx context.Context, post delivery.Poster, connection string, frame any) error {
	text, err := message.JSON(frame)
	if err != nil {
		return fmt.Errorf("encode a frame: %w", err)
	}
	_, err = post.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &connection, Data: []byte(text)})
	if err == nil || errors.As(err, new(*types.GoneException)) {
		return nil
	}
	return fmt.Errorf("post a frame: %w", err)
}
