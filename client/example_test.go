package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/coder/websocket"

	"heliograph/client"
)

// A device that prints the messages of its user. Here, the first one is enough.
func Example() {
	service := httptest.NewServer(http.HandlerFunc(greet)) // instead of a stack's webSocketUrl
	defer service.Close()

	ctx, stop := context.WithCancel(context.Background())
	device, err := client.New(client.Options{
		URL: service.URL,
		Token: func(context.Context) (string, error) {
			return "a new token from your backend", nil
		},
		OnMessage: func(_ context.Context, m client.Message) error {
			fmt.Println(m.ID, m.Text())
			stop()
			return nil
		},
		OnLive: func(l client.Live) { fmt.Println("connected as", l.User) },
		OnDown: func(d client.Down) { fmt.Println(d.Err, "; again in", d.RetryIn) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(device.Run(ctx))
	// Output:
	// connected as 1234
	// order-7 Shipped
	// context canceled
}

// greet is the least that a service of heliograph.v1 says.
func greet(w http.ResponseWriter, r *http.Request) {
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"heliograph.v1"}})
	if err != nil {
		return
	}
	defer socket.CloseNow()
	for _, frame := range []string{
		`{"type":"hello","connection":"v1:L0SM9cOFvHcCIhw=","user":"1234"}`,
		`{"type":"live","cursor":"-.1767323045"}`,
		`{"type":"message","id":"order-7","sentAt":"2026-01-02T03:04:05.678Z","body":"Shipped"}`,
	} {
		if socket.Write(r.Context(), websocket.MessageText, []byte(frame)) != nil {
			return
		}
	}
	socket.Read(r.Context())
}
