package gateway

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

type usage struct {
	goroutines int
	bytes      int64
}

func measure() usage {
	http.DefaultClient.CloseIdleConnections()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{runtime.NumGoroutine(), int64(m.HeapAlloc + m.StackInuse)}
}

// rawDial opens a WebSocket without a library, whose memory would exceed the gateway's own.
func rawDial(t testing.TB, s *Stage) net.Conn {
	c, err := net.Dial("tcp", s.api.address)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", s.config.Name, s.api.address)
	head := bufio.NewReaderSize(c, 512)
	line, err := head.ReadString('\n')
	if err != nil || !strings.Contains(line, " 101 ") {
		t.Fatalf("the handshake is answered with %q, %v", line, err)
	}
	for line != "\r\n" {
		if line, err = head.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// frame is a client's frame with an all-zero mask.
func frame(opcode byte, final bool, payload []byte) []byte {
	first := opcode
	if final {
		first |= 0x80
	}
	f := []byte{first}
	switch {
	case len(payload) < 126:
		f = append(f, 0x80|byte(len(payload)))
	case len(payload) < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(len(payload)))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(len(payload)))
	}
	return append(append(f, 0, 0, 0, 0), payload...)
}

// closeCode reads frames up to a close frame and returns its code.
func closeCode(t *testing.T, c net.Conn) int {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(c)
	for {
		head := make([]byte, 2)
		if _, err := in.Read(head[:1]); err != nil {
			t.Fatalf("the connection ended without a close frame: %v", err)
		}
		head[1], _ = in.ReadByte()
		payload := make([]byte, head[1]&0x7f)
		for i := range payload {
			payload[i], _ = in.ReadByte()
		}
		if head[0]&0xf == 8 {
			return int(binary.BigEndian.Uint16(payload))
		}
	}
}
