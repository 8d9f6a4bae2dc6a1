package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"heliograph/client"
)

// TestScenarios proves that the client plays each scenario. Time is synctest's, so that a step that waits for nothing sees
// nothing that needs time; and no goroutine is left in the end, or synctest would complain.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios(t) {
		if s.Only != "" && s.Only != "go" {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				st := newStage(t)
				network := newPipes()
				server := &http.Server{Handler: st}
				go server.Serve(network)
				d := &goDevice{t: t, network: network, happened: make(chan json.RawMessage, 1000), handled: make(chan string)}
				st.device = d
				st.play(s)
				d.cancel()
				close(d.handled)
				d.running.Wait()
				server.Close()
				network.Close()
			})
		})
	}
}

// goDevice is an application that uses the client in Go.
type goDevice struct {
	t        *testing.T
	network  *pipes
	client   *client.Client
	cancel   context.CancelFunc
	running  sync.WaitGroup
	happened chan json.RawMessage
	handled  chan string
	manual   bool
	tokens   int
	without  int // tokens that it has not
	cursor   string
}

var _ device = (*goDevice)(nil)

func (d *goDevice) events() <-chan json.RawMessage { return d.happened }
func (d *goDevice) stored() string                 { return d.cursor }
func (d *goDevice) settle()                        { synctest.Wait() }

func (d *goDevice) do(command map[string]any) {
	for name, value := range command {
		switch name {
		case "start":
			d.manual, d.cursor = command["manual"].(bool), value.(string)
			d.without = command["failTokens"].(int)
			d.start()
		case "check":
			d.client.Check()
		case "end":
			d.cancel()
		case "handle":
			d.handled <- value.(string)
			synctest.Wait()
		case "advance":
			time.Sleep(time.Duration(value.(int64)) * time.Millisecond)
			synctest.Wait()
		}
	}
}

func (d *goDevice) start() {
	c, err := client.New(client.Options{
		URL: "ws://service",
		Token: func(context.Context) (string, error) {
			if d.tokens++; d.tokens <= d.without {
				return "", errors.New("no token")
			}
			return fmt.Sprintf("token-%d", d.tokens), nil
		},
		OnMessage: d.onMessage,
		OnLive: func(l client.Live) {
			d.emit("live", map[string]any{"connection": l.Connection, "user": l.User, "raw": l.Raw})
		},
		OnReset:    func(context.Context) error { d.emit("reset", true); return nil },
		OnDown:     func(down client.Down) { d.emit("down", failure(down.Err, "retryIn", down.RetryIn.Milliseconds())) },
		Storage:    d,
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: d.network.dial, DisableKeepAlives: true}},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	client.SetRandom(c, func() float64 { return 0.5 })
	d.client = c
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.running.Go(func() {
		err := c.Run(ctx)
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		d.emit("end", failure(err))
	})
}

func (d *goDevice) onMessage(_ context.Context, m client.Message) error {
	seen := map[string]any{"body": m.Body}
	if m.ID != "" {
		seen["id"] = m.ID
	}
	d.emit("message", seen)
	if !d.manual {
		return nil
	}
	if <-d.handled == "fail" {
		return &client.Error{Code: "application"}
	}
	return nil
}

func (d *goDevice) emit(name string, value any) {
	text, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		d.t.Error(err)
	}
	d.happened <- text
}

// failure is an error as the scenarios write it: a code, and the service's reason.
func failure(err error, more ...any) map[string]any {
	if err == nil {
		return nil
	}
	shown := map[string]any{"code": err.Error()}
	if e, is := errors.AsType[*client.Error](err); is {
		shown["code"] = e.Code
		if e.Reason != "" {
			shown["reason"] = e.Reason
		}
	}
	for i := 0; i < len(more); i += 2 {
		shown[more[i].(string)] = more[i+1]
	}
	return shown
}

func (d *goDevice) Load(context.Context) (string, error) { return d.cursor, nil }

func (d *goDevice) Save(_ context.Context, cursor string) error {
	d.cursor = cursor
	return nil
}

// pipes is a network in memory, since time in a synctest bubble stands still while a real one is waited for.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }
