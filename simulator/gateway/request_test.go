package gateway

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

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
		"head at the bound":       {web + "user/online", long(maxHTTPHead - 120), 200},
		"head too long":           {web + "user/online", long(maxHTTPHead), 431},
		"query too long":          {web + "user/online?userIds=" + strings.Repeat("x", maxHTTPHead), bearer, 431},
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
