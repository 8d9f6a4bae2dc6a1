package gateway

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/http"
	"sync/atomic"
	"unicode/utf8"
)

// bufferSize is the size of a connection's read and write buffers. net/http's own are 4 KB each, a lot for a socket
// that mostly waits; a larger message bypasses the buffers.
const bufferSize = 512

// frameGuard reads the headers of a client's frames as they pass through. It is needed because the WebSocket library
// joins frames into messages, whereas API Gateway limits each frame. The library also echoes a close frame's reason
// unchecked, although RFC 6455, section 8.1, requires the connection to fail on text that is not UTF-8.
type frameGuard struct {
	net.Conn
	limit    uint64
	pending  []byte // bytes that net/http had already read
	oversize atomic.Bool
	tooLarge func() // called at the header of the first frame above the limit, which may claim more than ever comes

	header [14]byte
	have   int    // bytes of the header read so far
	skip   uint64 // bytes of the payload still to pass
	opcode byte
	mask   [4]byte
	last   []byte // payload of a close frame, as far as it has arrived

	badReason atomic.Bool // the client's reason is not UTF-8
	told      atomic.Bool // the client has been told
}

// Write passes on the library's output. Once the client has sent a reason that is not UTF-8, that output is an echo of
// it; Write sends 1007 instead, and nothing after it.
func (g *frameGuard) Write(p []byte) (int, error) {
	if !g.badReason.Load() {
		return g.Conn.Write(p)
	}
	if !g.told.Swap(true) {
		if _, err := g.Conn.Write([]byte{0x80 | opClose, 2, 1007 >> 8, 1007 & 0xff}); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// opClose is the opcode of close frames, and the first of control frames.
const opClose = 8

// Read scans every byte on its way to the library, starting with those that net/http had already read.
func (g *frameGuard) Read(p []byte) (int, error) {
	if len(g.pending) > 0 {
		n := copy(p, g.pending)
		g.pending = g.pending[n:]
		g.scan(p[:n])
		return n, nil
	}
	g.pending = nil
	n, err := g.Conn.Read(p)
	g.scan(p[:n])
	return n, err
}

// scan tracks frame boundaries: a header of 2 to 14 bytes, then the payload.
func (g *frameGuard) scan(p []byte) {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, uint64(len(p)))
			g.skip -= n
			g.listen(p[:n])
			p = p[n:]
			continue
		}
		g.header[g.have] = p[0]
		g.have++
		p = p[1:]
		if length, ok := g.payload(); ok {
			g.opcode = g.header[0] & 0xf
			// The library refuses a control frame over 125 bytes, with another code.
			if length > g.limit && g.opcode < opClose && !g.oversize.Swap(true) {
				g.tooLarge()
			}
			copy(g.mask[:], g.header[max(g.have-4, 0):g.have])
			g.have, g.skip = 0, length
		}
	}
}

// listen collects the payload of a close frame and checks its reason once complete. A payload beyond the limit for
// control frames is left to the library, which refuses it.
func (g *frameGuard) listen(p []byte) {
	if g.opcode != opClose || len(g.last) > 125 {
		return
	}
	for _, b := range p {
		g.last = append(g.last, b^g.mask[len(g.last)%4])
	}
	if g.skip == 0 && len(g.last) > 2 && !utf8.Valid(g.last[2:]) {
		g.badReason.Store(true)
	}
}

// payload returns the payload's length once the header is complete. RFC 6455, section 5.2.
func (g *frameGuard) payload() (length uint64, complete bool) {
	if g.have < 2 {
		return 0, false
	}
	size, length := 2, uint64(g.header[1]&0x7f)
	switch length {
	case 126:
		size = 4
		length = uint64(binary.BigEndian.Uint16(g.header[2:]))
	case 127:
		size = 10
		length = binary.BigEndian.Uint64(g.header[2:])
	}
	if g.header[1]&0x80 != 0 {
		size += 4 // the mask
	}
	return length, g.have == size
}

// guardedWriter lets the WebSocket library hijack a request's connection with the guard in between.
type guardedWriter struct {
	http.ResponseWriter
	limit uint64
	guard *frameGuard
}

func (w *guardedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	pending, _ := rw.Reader.Peek(rw.Reader.Buffered())
	w.guard = &frameGuard{Conn: conn, limit: w.limit, pending: append([]byte(nil), pending...)}
	return w.guard, bufio.NewReadWriter(bufio.NewReaderSize(w.guard, bufferSize), bufio.NewWriterSize(w.guard, bufferSize)), nil
}
