package gateway

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestParseQuery proves that no parameter from a client is dropped silently.
func TestParseQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]url.Values{
		"":                    {},
		"limit=5":             {"limit": {"5"}},
		"limit=5;x":           {"limit": {"5;x"}},
		"a;b=1":               {"a;b": {"1"}},
		"userId=a%2Cb&userId": {"userId": {"a,b", ""}},
		"a=1&&b=x+y&a=2":      {"a": {"1", "2"}, "b": {"x y"}},
		"=":                   {"": {""}},
		"limit=%zz":           nil,
		"%=1":                 nil,
	} {
		got, refused := parseQuery(raw)
		if diff := cmp.Diff(want, got); diff != "" || (refused != nil) != (want == nil) {
			t.Errorf("%q: refused %v\n%s", raw, refused, diff)
		}
	}
}

// TestUnreadableRequest proves that both kinds of API refuse unparseable requests, and requests beyond AWS's limits,
// before invoking any function.
func TestUnreadableRequest(t *testing.T) {
	t.Parallel()
	f := newFunctions()
	g := newGateway(t, f, Options{})
	web, socket := httpStage(t, g, nil).InvokeURL(), strings.Replace(socketStage(t, g).InvokeURL(), "ws:", "http:", 1)
	upgrade := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-WebSocket-Version": {"13"}, "Sec-WebSocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	long := func(n int) http.Header { return http.Header{"Authorization": {strings.Repeat("x", n)}} }
	for name, c := range map[string]struct {
		url    string
		header http.Header
		status int
	}{
		"escape, HTTP":            {web + "user/online?limit=%zz", bearer, 400},
		"escape, WebSocket":       {socket + "?Authorization=%zz", upgrade, 400},
		"head at the bound":       {web + "user/online", long(maxHead - 120), 200},
		"head too long":           {web + "user/online", long(maxHead), 431},
		"query too long":          {web + "user/online?userIds=" + strings.Repeat("x", maxHead), bearer, 431},
		"WebSocket head too long": {socket, with(upgrade, "Cookie", strings.Repeat("x", maxHead)), 431},
		"WebSocket URL too long":  {socket + "?Authorization=" + strings.Repeat("x", maxSocketURL), upgrade, 414},
		"semicolon is no mistake": {web + "user/online?limit=5;x", bearer, 200},
	} {
		before := f.invoked("authorizer")
		got := request(t, "GET", c.url, c.header)
		if got.Status != c.status || !strings.HasPrefix(got.Body, `{"message":`) && got.Status != 200 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if invoked := f.invoked("authorizer") > before; invoked != (c.status == 200) {
			t.Errorf("%s: the authorizer was invoked: %v", name, invoked)
		}
	}
}

func with(h http.Header, name, value string) http.Header {
	h = h.Clone()
	h.Set(name, value)
	return h
}

// TestHandshakesWithABody proves that a handshake that announces a body is refused before any function is invoked. If it
// were accepted, the client would wait to send the body, and count as connected without ever reading a post.
func TestHandshakesWithABody(t *testing.T) {
	t.Parallel()
	for name, announced := range map[string]string{"a length": "Content-Length: 5", "chunks": "Transfer-Encoding: chunked"} {
		f := newFunctions()
		g := newGateway(t, f, Options{})
		s := socketStage(t, g)
		c := must[net.Conn](t)(net.Dial("tcp", s.api.address))
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n\r\n", s.config.Name, s.api.address, announced)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.Contains(line, " 400 ") || len(g.Connections()) > 0 || f.invoked("authorizer")+f.invoked("connect") > 0 {
			t.Errorf("%s: %q, %v; %d are connected", name, line, err, len(g.Connections()))
		}
	}
}

// TestSlowBodies proves that a client that announces a body and does not send it is answered after the limit, by both
// kinds of API.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	g := newGateway(t, newFunctions(), Options{Limits: Limits{Body: 100 * time.Millisecond}})
	web, socket := httpStage(t, g, nil), socketStage(t, g)
	id := g.waitForConnection(t, socket)
	for name, c := range map[string]struct{ address, head string }{
		"HTTP":         {web.api.address, "GET /user/online HTTP/1.1\r\nAuthorization: x"},
		"@connections": {socket.api.address, "POST /" + socket.config.Name + "/@connections/" + string(id) + " HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20260102/eu-west-1/execute-api/aws4_request, SignedHeaders=host, Signature=0"},
	} {
		conn := must[net.Conn](t)(net.Dial("tcp", c.address))
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "%s\r\nHost: %s\r\nContent-Length: 100\r\n\r\nslow", c.head, c.address)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, " 408 ") {
			t.Errorf("%s: %q, %v", name, line, err)
		}
	}
}

// waitForConnection opens a WebSocket and returns its id.
func (g *Gateway) waitForConnection(t *testing.T, s *Stage) ConnectionID {
	t.Helper()
	c := rawDial(t, s)
	t.Cleanup(func() { _ = c.Close() })
	return g.Connections()[0].ID
}
