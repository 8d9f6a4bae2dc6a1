package cloud

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"heliograph/simulator/gateway"
)

// host is the address on which everything listens. The services trust any access key, so other machines must not reach
// them.
const host = "127.0.0.1"

// ports are a cloud's addresses.
type ports struct {
	first    int          // of three: the AWS APIs', the WebSocket API's, the HTTP API's; 0 picks free ones
	listener net.Listener // for the AWS APIs
}

// openPorts listens on the first of three ports. The gateways open the other two only when their APIs are declared,
// after the functions were compiled, so openPorts tries all three now: a port in use should not cost the time of a
// build.
func openPorts(first int) (*ports, error) {
	for i := 2; i > 0 && first != 0; i-- {
		listener, err := listen(first + i)
		if err != nil {
			return nil, err
		}
		if err := listener.Close(); err != nil {
			return nil, fmt.Errorf("listen on port %d: %w", first+i, err)
		}
	}
	listener, err := listen(first)
	return &ports{first, listener}, err
}

func listen(port int) (net.Listener, error) {
	listener, err := net.Listen("tcp", addressOf(port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use: stop the program that listens there, or choose another first port of three in a row: %w", port, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return listener, nil
}

func addressOf(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func (p *ports) url() string { return "http://" + p.listener.Addr().String() }

// addressFor is the address for the one API of a protocol.
func (p *ports) addressFor(protocol gateway.Protocol) string {
	if p.first == 0 {
		return addressOf(0)
	}
	if protocol == gateway.WebSocket {
		return addressOf(p.first + 1)
	}
	return addressOf(p.first + 2)
}
