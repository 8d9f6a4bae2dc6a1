package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"heliograph/loadtest"
)

// connectCommand keeps a user connected and prints the messages that arrive.
type connectCommand struct {
	User  string `short:"u" xor:"who" required:"" help:"Connect as this user, with a fresh token; not for a stack with jwksUrl."`
	Token string `short:"t" xor:"who" required:"" help:"Connect with this token."`
}

func (connectCommand) Help() string {
	return `Prints each message as one line and connects again when the connection is cut, until Ctrl-C.

Example:
  heliograph connect --user 1234`
}

const (
	// keepAlive is well under the 10 minutes after which API Gateway cuts an idle connection.
	keepAlive = 5 * time.Minute
	// The wait before a reconnect doubles from firstWait to longestWait.
	firstWait, longestWait = 500 * time.Millisecond, 30 * time.Second
	// maxMessage is API Gateway's limit for one message. The library's default of 32 KB would cut the connection.
	maxMessage = 128 << 10

	ping = `{"action":"ping"}`
	pong = `{"action":"pong"}`
)

// errRefused: the gateway rejected the token, so connecting again with it is pointless.
var errRefused = errors.New("the connection was refused")

func (c *connectCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	wait := firstWait
	for {
		established, err := c.connect(ctx, w, t)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errRefused) || errors.Is(err, errOthersKey) {
			return err
		}
		if established {
			wait = firstWait
		}
		fmt.Fprintf(w.stderr, "%s; connecting again in %v\n", escaped(err.Error()), wait.Round(100*time.Millisecond))
		// The random part keeps clients that were cut off together from reconnecting together.
		if !loadtest.Pause(ctx, wait+rand.N(wait/2)) {
			return nil
		}
		wait = min(2*wait, longestWait)
	}
}

// connect opens one connection and prints what arrives until it ends. It makes a new token each time, since the last
// one may have expired while the connection was open.
func (c *connectCommand) connect(ctx context.Context, w world, t *target) (established bool, err error) {
	token, err := credential{c.Token}.token(ctx, w.now(), t, c.User, time.Hour)
	if err != nil {
		return false, err
	}
	socket, err := dial(ctx, t.WebSocketURL, token)
	if err != nil {
		return false, err
	}
	defer socket.CloseNow()
	fmt.Fprintf(w.stderr, "connected to %s\n", t.WebSocketURL)

	// On Ctrl-C a proper close takes the user offline at once; otherwise the lease would have to end first.
	defer context.AfterFunc(ctx, func() { socket.Close(websocket.StatusNormalClosure, "") })()
	alive, stop := context.WithCancel(ctx)
	defer stop()
	go stayAlive(alive, socket)
	// Canceling a Read makes the library drop the connection without a close frame, so reading ends by the Close above.
	return true, receive(context.WithoutCancel(ctx), w, socket)
}

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

// receive prints messages until the connection ends.
func receive(ctx context.Context, w world, socket *websocket.Conn) error {
	for {
		_, message, err := socket.Read(ctx)
		if err != nil {
			return fmt.Errorf("the connection ended: %w", err)
		}
		if string(message) == pong {
			continue
		}
		if _, err := fmt.Fprintf(w.stdout, "%s\n", message); err != nil {
			return err
		}
	}
}

// stayAlive pings with a message rather than a WebSocket ping frame, because only a message is certain to count as
// activity. API Gateway answers it with a mock integration, without running a function.
func stayAlive(ctx context.Context, socket *websocket.Conn) {
	for loadtest.Pause(ctx, keepAlive) {
		if socket.Write(ctx, websocket.MessageText, []byte(ping)) != nil {
			return // the reader sees the same error and says so
		}
	}
}
