package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

type connectCommand struct {
	User  string `short:"u" xor:"who" required:"" help:"Connect as this user, with a fresh token."`
	Token string `short:"t" xor:"who" required:"" help:"Connect with this token."`
	Claim string `default:"userId" help:"The claim that names the user, as the stack's config userIdClaim."`
}

func (connectCommand) Help() string {
	return `Prints each message as one line and connects again when the connection is cut, until Ctrl-C.

Example:
  heliograph connect --user 1234`
}

const (
	// keepAlive is well under the 10 minutes after which API Gateway cuts an idle connection.
	keepAlive = 5 * time.Minute
	// Waits between two tries to connect grow from the first to the second.
	firstWait, longestWait = 500 * time.Millisecond, 30 * time.Second
	// maxMessage is API Gateway's limit of one message, 128 KB.
	maxMessage = 128 << 10

	ping = `{"action":"ping"}`
	pong = `{"action":"pong"}`
)

// errRefused says that trying again with the same token is of no use.
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
		if errors.Is(err, errRefused) {
			return err
		}
		if established {
			wait = firstWait
		}
		fmt.Fprintf(w.stderr, "%v; connecting again in %v\n", err, wait.Round(100*time.Millisecond))
		if !sleep(ctx, wait+rand.N(wait/2)) {
			return nil
		}
		wait = min(2*wait, longestWait)
	}
}

// connect opens one connection and prints what arrives until it ends.
func (c *connectCommand) connect(ctx context.Context, w world, t *target) (established bool, err error) {
	token := c.Token
	if token == "" {
		if token, err = t.token(ctx, w.now(), c.Claim, c.User, time.Hour); err != nil {
			return false, err
		}
	}
	// The token travels as a subprotocol, since URLs end up in the logs of proxies.
	socket, response, err := websocket.Dial(ctx, t.WebSocketURL, &websocket.DialOptions{
		Subprotocols: []string{"heliograph", "bearer." + token},
	})
	if err != nil {
		return false, dialError(response, err)
	}
	defer socket.CloseNow()
	socket.SetReadLimit(maxMessage)
	fmt.Fprintf(w.stderr, "connected to %s\n", t.WebSocketURL)

	// The other side is told goodbye, so that the user is offline at once and not when a lease ends.
	defer context.AfterFunc(ctx, func() { socket.Close(websocket.StatusNormalClosure, "") })()
	alive, stop := context.WithCancel(ctx)
	defer stop()
	go stayAlive(alive, socket)
	return true, receive(context.WithoutCancel(ctx), w, socket)
}

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

// stayAlive sends a message now and then: API Gateway counts it as activity, and answers it without a function.
func stayAlive(ctx context.Context, socket *websocket.Conn) {
	for sleep(ctx, keepAlive) {
		if socket.Write(ctx, websocket.MessageText, []byte(ping)) != nil {
			return // the reader sees the same error and says so
		}
	}
}

// sleep waits, and tells whether it was not interrupted.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
