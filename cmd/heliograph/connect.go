package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"heliograph/client"
)

// connectCommand keeps a user connected and prints the messages that arrive.
type connectCommand struct {
	User  string `short:"u" xor:"who" required:"" help:"Connect as this user, with a fresh token; not for a stack with jwksUrl."`
	Token string `short:"t" xor:"who" required:"" help:"Connect with this token."`
	Since string `placeholder:"CURSOR" help:"Begin after this cursor, which --json printed; by default, with all that is kept for the user."`
	JSON  bool   `name:"json" help:"Print each message as a JSON object with its id, sentAt, cursor and body."`
}

func (connectCommand) Help() string {
	return `Prints each message as one line and connects again when the connection is cut, until Ctrl-C.

Examples:
  heliograph connect --user 1234
  heliograph connect --user 1234 --json
  heliograph connect --user 1234 --since KZ3MBQ7XH2LA.42`
}

func (c *connectCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	device, err := client.New(c.options(w, t, end))
	if err != nil {
		return err
	}
	return device.Run(ctx)
}

// options describe the device; end ends the command.
func (c *connectCommand) options(w world, t *target, end func(error)) client.Options {
	return client.Options{
		URL: t.WebSocketURL, Storage: since(c.Since),
		// Each connect gets a new token, since the last one may have expired while the connection was open.
		Token: func(ctx context.Context) (string, error) {
			token, err := credential{c.Token}.token(ctx, w.now(), t, c.User, time.Hour)
			if errors.Is(err, errOthersKey) {
				end(err)
			}
			return token, err
		},
		OnMessage: func(_ context.Context, m client.Message) error { return c.print(w, m) },
		OnReset: func(context.Context) error {
			fmt.Fprintln(w.stderr, "the cursor is unknown here, or too old: messages may be missing")
			return nil
		},
		OnLive: func(l client.Live) {
			fmt.Fprintf(w.stderr, "connected to %s\n", t.WebSocketURL)
			if l.Raw && c.Since != "" {
				end(errors.New("--since needs a stack that keeps messages, and this one does not"))
			}
		},
		OnDown: func(d client.Down) {
			fmt.Fprintf(w.stderr, "%s; connecting again in %v\n", escaped(d.Err.Error()), d.RetryIn.Round(100*time.Millisecond))
		},
	}
}

// print writes a message: its body as it is, or all of it as JSON.
func (c *connectCommand) print(w world, m client.Message) error {
	if c.JSON {
		out := json.NewEncoder(w.stdout)
		out.SetEscapeHTML(false)
		return out.Encode(m)
	}
	_, err := fmt.Fprintf(w.stdout, "%s\n", m.Text())
	return err
}

// since is a storage with the cursor to begin after; where the command gets to is printed, not saved.
type since string

var _ client.Storage = since("")

func (s since) Load(context.Context) (string, error) { return string(s), nil }
func (s since) Save(context.Context, string) error   { return nil }
