// Package client keeps a user connected to Heliograph: it connects again after each cut, notices a connection that is dead,
// and hands the application each message once, those that were kept without a gap and in order. client/js is the same in
// JavaScript; testdata/scenarios.json holds the two to the same behaviour.
//
// The service sends no rollover and no goodbye yet; that part of this package has nothing to do until then.
//
// One goroutine, Run's, owns all state (session.go). Sockets, timers and the application's callbacks have goroutines of
// their own, and report to it.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"
)

// Options configure a client. URL and Token are required.
type Options struct {
	URL string // of the WebSocket API, such as wss://….execute-api.eu-west-1.amazonaws.com/prod

	// Token returns a fresh token. It is called before each connect; an error counts as a failed connect.
	Token func(context.Context) (string, error)

	// The callbacks are called one at a time, in the order of what they report. If one that can fail does, Run ends
	// with its error; a message that was not handled comes again in the next Run, if it is kept.
	OnMessage func(context.Context, Message) error
	OnLive    func(Live)                  // connected, and all that was missed has been handled
	OnReset   func(context.Context) error // messages may have been missed for good: load the state anew
	OnDown    func(Down)                  // disconnected

	Storage    Storage      // remembers the cursor for the next Run; by default, nothing does
	HTTPClient *http.Client // makes the handshake; http.DefaultClient by default
}

// Live describes the connection that messages now arrive on.
type Live struct {
	Connection   string    `json:"connection"`
	User         string    `json:"user"`
	TokenExpires time.Time `json:"tokenExpires"`
	ClosesAt     time.Time `json:"closesAt"` // when API Gateway cuts the connection at the latest
	// Raw: the service does not speak heliograph.v1, so messages have a body and nothing else.
	Raw bool `json:"-"`
}

// Down says why there is no connection, and when the next attempt will be.
type Down struct {
	Err     error
	RetryIn time.Duration
}

// Storage keeps a cursor: how far the application has handled the user's kept messages.
type Storage interface {
	Load(context.Context) (cursor string, err error) // "" if there is none
	Save(ctx context.Context, cursor string) error
}

// Client is one device of a user.
type Client struct {
	options Options
	random  func() float64 // in [0, 1)
	started atomic.Bool
	calls   chan func(*session)
	ended   chan struct{} // closed when Run has ended
}

// New makes a client; Run connects it.
func New(options Options) (*Client, error) {
	if options.URL == "" || options.Token == nil || options.OnMessage == nil {
		return nil, errors.New("client: the options URL, Token and OnMessage are required")
	}
	return &Client{options: options, random: rand.Float64, calls: make(chan func(*session)), ended: make(chan struct{})}, nil
}

// Run keeps the client connected until ctx is done, whose cause it returns, until the service forbids to connect again
// (an *Error), or until a callback fails. All goroutines have ended when it returns. It can be called once.
func (c *Client) Run(ctx context.Context) error {
	if c.started.Swap(true) {
		return errors.New("client: Run was called before; make a new client")
	}
	defer close(c.ended)
	s := newSession(ctx, c)
	if c.options.Storage != nil {
		var err error
		if s.cursor, err = c.options.Storage.Load(ctx); err != nil {
			return fmt.Errorf("client: load the cursor: %w", err)
		}
	}
	return s.run(c.calls)
}

// Check verifies the connection now, or connects now if it was waiting to: call it when the network or the device wakes up.
func (c *Client) Check() {
	if c.started.Load() {
		select {
		case c.calls <- (*session).check:
		case <-c.ended:
		}
	}
}

// Message is what a producer sent.
type Message struct {
	ID     string          `json:"id,omitempty"` // the producer's, or one that every copy shares
	SentAt time.Time       `json:"sentAt,omitzero"`
	Cursor string          `json:"cursor,omitempty"` // of a kept message
	Body   json.RawMessage `json:"body"`             // any JSON value
}

// Text is the body as a connection without heliograph.v1 delivers it: a string itself, anything else as JSON.
func (m Message) Text() string {
	var text string
	if json.Unmarshal(m.Body, &text) == nil {
		return text
	}
	return string(m.Body)
}
