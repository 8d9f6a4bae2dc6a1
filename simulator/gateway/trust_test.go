package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// maskedFrame is a client's frame with a mask that changes every byte.
func maskedFrame(opcode byte, payload string) []byte {
	mask := [4]byte{0xa5, 0x5a, 0x3c, 0xc3}
	f := append([]byte{0x80 | opcode, 0x80 | byte(len(payload))}, mask[:]...)
	for i := range len(payload) {
		f = append(f, payload[i]^mask[i%4])
	}
	return f
}

// TestForeignCloseReasons proves how the gateway answers a client's close frame: it echoes a valid one, but never a
// reason that is not UTF-8 or a code that may not be sent.
func TestForeignCloseReasons(t *testing.T) {
	t.Parallel()
	const bye, long = "\x03\xe8", 123
	for name, tt := range map[string]struct {
		payload string
		answer  int     // the code sent to the client
		code    float64 // the code in $disconnect
	}{
		"a reason":               {bye + "bye", 1000, 1000},
		"the longest reason":     {bye + strings.Repeat("x", long), 1000, 1000},
		"a reason of characters": {bye + "tschüß 🙂", 1000, 1000},
		"half a character":       {bye + "tsch\xc3", 1007, 1007},
		"half a surrogate pair":  {bye + "\xed\xa0\x80", 1007, 1007},
		"bytes":                  {"\x0f\xa1" + strings.Repeat("\xff", long), 1007, 1007},
		"a longer reason":        {bye + strings.Repeat("x", long+1), 1002, 1006},
		"half a code":            {"\x03", 1002, 1006},
		"no code's number":       {"\x03\xed", 1002, 1006}, // 1005
		"a reserved code":        {"\x0b\xb7", 1002, 1006}, // 2999
		"a code of no range":     {"\x13\x88", 1002, 1006}, // 5000
	} {
		for way, send := range map[string]func(net.Conn, []byte){
			"whole":        func(c net.Conn, f []byte) { _, _ = c.Write(f) },
			"byte by byte": dribble,
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				f := newFunctions()
				c := rawDial(t, socketStage(t, newGateway(t, f, Options{})))
				defer func() { _ = c.Close() }()
				send(c, maskedFrame(opClose, tt.payload))
				if got := closeCode(t, c); got != tt.answer {
					t.Errorf("the client is told %d, want %d", got, tt.answer)
				}
				if got := f.event(t, "disconnect")["requestContext"].(map[string]any)["disconnectStatusCode"]; got != tt.code {
					t.Errorf("$disconnect is told %v, want %v", got, tt.code)
				}
			})
		}
	}
}

// dribble sends a frame one byte per packet.
func dribble(c net.Conn, frame []byte) {
	for i := range frame {
		_, _ = c.Write(frame[i : i+1])
		time.Sleep(50 * time.Microsecond)
	}
}

// TestUntrustedNamesAndPages proves that no API answers under a foreign name, and that a WebSocket opens only for pages
// of this machine and for programs, before any function is invoked.
func TestUntrustedNamesAndPages(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{Hosts: []string{"stack.test"}})
	s := socketStage(t, g)
	for name, tt := range map[string]struct {
		host, origin string
		want         int
	}{
		"a program":        {"", "", 101},
		"a page":           {"", "http://localhost:3000", 101},
		"a trusted name":   {"stack.test:4701", "https://stack.test", 101},
		"another site":     {"", "https://evil.example", 403},
		"a file":           {"", "null", 403},
		"a rebinding name": {"evil.example:4701", "http://evil.example:4701", 403},
		"a rebinding tool": {"evil.example:4701", "", 403},
	} {
		c, err := net.Dial("tcp", s.api.address)
		if err != nil {
			t.Fatal(err)
		}
		if tt.host == "" {
			tt.host = s.api.address
		}
		head := "GET /local HTTP/1.1\r\nHost: " + tt.host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
		if tt.origin != "" {
			head += "Origin: " + tt.origin + "\r\n"
		}
		asked := f.invoked("authorizer")
		var status int
		_, _ = fmt.Fprint(c, head+"\r\n")
		if _, err := fmt.Fscanf(c, "HTTP/1.1 %d", &status); err != nil || status != tt.want {
			t.Errorf("%s: %d %v, want %d", name, status, err, tt.want)
		}
		if got := f.invoked("authorizer") > asked; got != (tt.want == 101) {
			t.Errorf("%s: the authorizer was asked: %t", name, got)
		}
		_ = c.Close()
	}
}

// TestHTTPAPIUnderAForeignName proves that an HTTP API, where CORS checks origins, rejects foreign names.
func TestHTTPAPIUnderAForeignName(t *testing.T) {
	t.Parallel()
	a := must[*API](t)(newGateway(t, newFunctions(), Options{}).CreateAPI(APIConfig{Name: "http", Protocol: HTTP, Address: "127.0.0.1:0"}))
	for host, want := range map[string]int{"evil.example": http.StatusForbidden, "127.0.0.1:4702": http.StatusNotFound} {
		r := httptest.NewRequest(http.MethodGet, "/user/online", nil)
		r.Host = host
		r.Header.Set("Origin", "https://evil.example")
		w := httptest.NewRecorder()
		if a.ServeHTTP(w, r); w.Code != want {
			t.Errorf("Host %s: %d, want %d", host, w.Code, want)
		}
	}
}
