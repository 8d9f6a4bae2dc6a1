package xray

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Options configure a Daemon. The comments give the meaning of zero values.
type Options struct {
	// Address is the UDP address to listen on. Empty means a free port of 127.0.0.1.
	Address string
	// Traces is how many traces are kept; the oldest of the most frequent kind are dropped first. 0 means 1,000.
	Traces int
	// Rejected receives the reason why a document was dropped. nil: not reported.
	Rejected func(reason string)
}

// Daemon receives segment documents over UDP, as the X-Ray daemon does, and keeps the traces. It is safe for concurrent
// use.
type Daemon struct {
	options Options
	conn    *net.UDPConn
	done    chan struct{}

	mu        sync.Mutex
	traces    map[TraceID]*trace
	order     []TraceID      // oldest first
	kinds     map[string]int // how many traces of each kind there are
	documents uint64
}

// Listen starts a Daemon.
func Listen(o Options) (*Daemon, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Traces == 0 {
		o.Traces = 1000
	}
	address, err := net.ResolveUDPAddr("udp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("the address of the X-Ray daemon: %w", err)
	}
	if !address.IP.IsLoopback() {
		return nil, fmt.Errorf("the X-Ray daemon would listen at %s, which is not on loopback", o.Address)
	}
	conn, err := net.ListenUDP("udp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for X-Ray segments: %w", err)
	}
	_ = conn.SetReadBuffer(4 << 20) // buffers a burst while traces are listed; the kernel may grant less
	d := &Daemon{options: o, conn: conn, done: make(chan struct{}), traces: map[TraceID]*trace{}, kinds: map[string]int{}}
	go d.receive()
	return d, nil
}

// Address returns host:port, as expected in AWS_XRAY_DAEMON_ADDRESS.
func (d *Daemon) Address() string { return d.conn.LocalAddr().String() }

// Close stops listening and waits for the receiver to end. The traces can still be read.
func (d *Daemon) Close() error {
	err := d.conn.Close()
	<-d.done
	return err
}

func (d *Daemon) receive() {
	defer close(d.done)
	datagram := make([]byte, 64<<10)
	for {
		n, err := d.conn.Read(datagram)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			err = d.takeDatagram(datagram[:n])
		}
		if err != nil && d.options.Rejected != nil {
			d.options.Rejected(err.Error())
		}
	}
}

// takeDatagram processes a header line and a document.
func (d *Daemon) takeDatagram(datagram []byte) error {
	header, document, found := bytes.Cut(datagram, []byte("\n"))
	if !found {
		return errors.New("a datagram without a header line")
	}
	if err := checkHeader(header); err != nil {
		return err
	}
	return d.Put(document)
}
