package client

const (
	subprotocol = "heliograph.v1"
	// rawSubprotocol is what a service that does not speak v1 chooses.
	rawSubprotocol = "heliograph"

	maxMessage = 128 << 10 // what API Gateway delivers at the most

	pingFrame = `{"action":"ping"}`
	pongFrame = `{"action":"pong"}`
)

// request is a frame from client to service.
type request struct {
	Action string `json:"action"`
	After  string `json:"after,omitempty"`
}

// answer is a frame from service to client. Unknown types and members are ignored.
type answer struct {
	Action string
	Type   string
	Message
	Live
	Replay bool
	Reset  bool
	Reason string
	Again  *bool
}
