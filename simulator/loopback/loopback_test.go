package loopback

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// served reports whether a handler that answers 204 was reached.
func served(h func(http.Handler) http.Handler, method, host string, headers ...string) bool {
	r := httptest.NewRequest(method, "http://127.0.0.1:4700/", nil)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, r)
	return w.Code == http.StatusNoContent
}

// TestHost proves which names are answered: no name that somebody's DNS can point at this machine is among them.
func TestHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1:4700": true, "127.0.0.1": true, "127.9.9.9:1": true, "localhost:4700": true, "LOCALHOST.": true, "[::1]:4700": true, "[::1]": true,
		"bucket.localhost:4700": true, "[::ffff:127.0.0.1]:1": true, "stack.test:4700": true, "Stack.Test": true,
		"evil.example:4700": false, "127.0.0.1.evil.example": false, "localhost.evil.example:4700": false, "evillocalhost": false, "not.stack.test": false,
		"0.0.0.0:4700": false, "[::]:4700": false, "192.168.1.2:4700": false, "2130706433": false, "0x7f.1": false, "": false, "127.0.0.1:80:90": false,
		"127.0.0.1@evil.example": false,
	} {
		if got := served(Names{"stack.test"}.Guard, http.MethodGet, host); got != want {
			t.Errorf("Host %q: served %t, want %t", host, got, want)
		}
	}
}

// TestOrigin proves that neither a read nor a write of another origin's page is served, and that programs, the server's own
// pages and links are.
func TestOrigin(t *testing.T) {
	t.Parallel()
	const origin, site = "Origin", "Sec-Fetch-Site"
	link := []string{site, "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for name, tt := range map[string]struct {
		read, write bool
		headers     []string
	}{
		"a program":          {true, true, nil},
		"its own page":       {true, true, []string{origin, "http://127.0.0.1:4700", site, "same-origin"}},
		"its own read":       {true, true, []string{site, "same-origin"}},
		"an address typed":   {true, true, []string{site, "none"}},
		"a trusted name":     {true, true, []string{origin, "https://stack.test", site, "cross-site"}},
		"a link":             {true, false, link},
		"a frame":            {false, false, append(link[:4:4], "Sec-Fetch-Dest", "iframe")},
		"another site":       {false, false, []string{origin, "https://evil.example", site, "cross-site"}},
		"without Sec-Fetch":  {false, false, []string{origin, "http://evil.example"}},
		"an image":           {false, false, []string{site, "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}},
		"another port":       {false, false, []string{origin, "http://127.0.0.1:3000", site, "same-site"}},
		"another port, read": {false, false, []string{site, "same-site"}},
		"another name":       {false, false, []string{origin, "http://localhost:4700", site, "cross-site"}},
		"another scheme":     {false, false, []string{origin, "https://127.0.0.1:4700"}},
		"a sandboxed frame":  {false, false, []string{origin, "null"}},
		"no URL":             {false, false, []string{origin, "http://%zz"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, want := range map[string]bool{http.MethodGet: tt.read, http.MethodPost: tt.write, http.MethodOptions: tt.write} {
				if got := served(Names{"stack.test"}.Guard, method, "127.0.0.1:4700", tt.headers...); got != want {
					t.Errorf("%s: served %t, want %t", method, got, want)
				}
			}
		})
	}
}

// TestWrites proves that a change needs the header, and a read does not.
func TestWrites(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		if served(Writes, method, "127.0.0.1") {
			t.Errorf("%s without the header is served", method)
		}
		if !served(Writes, method, "127.0.0.1", WriteHeader, "1") {
			t.Errorf("%s with the header is refused", method)
		}
	}
	if !served(Writes, http.MethodGet, "127.0.0.1") {
		t.Error("a read without the header is refused")
	}
}

// TestSocket proves which pages may open a WebSocket: those from this machine.
func TestSocket(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]bool{
		"": true, "http://localhost:3000": true, "http://127.0.0.1:5173": true, "https://app.localhost": true, "http://stack.test:8080": true,
		"https://evil.example": false, "http://localhost.evil.example": false, "null": false, "http://[": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if err := (Names{"stack.test"}).CheckSocket(r); (err == nil) != want {
			t.Errorf("Origin %q: %v", origin, err)
		}
	}
}
