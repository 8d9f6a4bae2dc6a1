package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
)

// maxMessage is API Gateway's limit for one message. The library's default of 32 KB would cut the connection.
const maxMessage = 128 << 10

// errRefused: the gateway rejected the token, so connecting again with it is pointless.
var errRefused = errors.New("the connection was refused")

// dial opens a connection. The token travels as a subprotocol, because URLs end up in the logs of proxies.
func dial(ctx context.Context, address, token string) (*websocket.Conn, error) {
	socket, response, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		Subprotocols: []string{"heliograph", "bearer." + token},
	})
	if err != nil {
		return nil, dialError(response, err)
	}
	socket.SetReadLimit(maxMessage)
	return socket, nil
}

// dialError distinguishes a refusal, which no retry can fix, from a failure to reach the gateway.
func dialError(response *http.Response, err error) error {
	if response != nil && (response.StatusCode == http.StatusForbidden || response.StatusCode == http.StatusUnauthorized) {
		return fmt.Errorf("%w with %s: the token is not valid for this stack, or has expired", errRefused, response.Status)
	}
	return fmt.Errorf("connect: %w", err)
}
