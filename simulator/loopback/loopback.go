// Package loopback keeps web pages out of servers that listen on this machine only.
//
// Listening on loopback keeps other machines out, but not the browser that runs here: a page from anywhere may send
// requests to 127.0.0.1, and one whose name is made to resolve to 127.0.0.1 (DNS rebinding) may also read the answers.
// A browser always says under which name it calls (Host) and which page asked (Origin, Sec-Fetch-Site), so these headers
// decide. Programs such as the AWS CLI, the SDKs and curl send no Origin; they only need to call by a loopback name.
package loopback

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// WriteHeader is required, with any value, of a request that changes something of the simulator's own. A page of another
// origin can't send it without asking first (CORS), and nothing here gives leave.
const WriteHeader = "X-Heliograph"

// Names are the host names that a server answers to besides those of loopback, such as host.docker.internal. Pages served
// under these names are trusted as the server's own are.
type Names []string

// Refusal says why a request was not answered.
type Refusal struct{ reason string }

func (r *Refusal) Error() string { return r.reason }

// CheckHost refuses a request that was sent to a name that may belong to anybody.
func (n Names) CheckHost(r *http.Request) error {
	if host := hostname(r.Host); !n.trusts(host) {
		return &Refusal{fmt.Sprintf("the host %q is refused: call 127.0.0.1 or localhost, or allow the name with --allow-host", host)}
	}
	return nil
}

// CheckSocket refuses a WebSocket handshake, which no same-origin policy covers, of a page from elsewhere. Pages on other
// loopback ports may connect: that is how a web application is developed.
func (n Names) CheckSocket(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if at, err := url.Parse(origin); origin != "" && (err != nil || !n.trusts(at.Hostname())) {
		return &Refusal{fmt.Sprintf("a page of the origin %q is refused: serve it from localhost, or allow its host with --allow-host", origin)}
	}
	return nil
}

// Guard lets a request pass to next unless a page of another origin sent it, or it was sent to an untrusted name.
func (n Names) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "frame-ancestors 'none'") // the console sets a stricter one
		err := n.CheckHost(r)
		if err == nil {
			err = n.checkOrigin(r)
		}
		if err != nil {
			Refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkOrigin refuses what another origin's page asks for. A link to a page here is no harm: its text can't be read from
// there, nor can it be framed.
func (n Names) checkOrigin(r *http.Request) error {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	link := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	at, err := url.Parse(origin)
	switch {
	case origin != "" && err == nil && at.Scheme == "http" && at.Host == r.Host:
		return nil
	case origin != "" && err == nil && slices.Contains(n, at.Hostname()):
		return nil
	case origin != "":
		return &Refusal{fmt.Sprintf("a page of the origin %q is refused: only pages of http://%s may ask here", origin, r.Host)}
	case site == "" || site == "none" || site == "same-origin" || link:
		return nil
	}
	return &Refusal{fmt.Sprintf("a page of another origin (Sec-Fetch-Site: %s) is refused: only pages of http://%s may ask here", site, r.Host)}
}

// Writes lets a request pass to next if it changes nothing or has WriteHeader. It stands behind Guard.
func Writes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get(WriteHeader) == "" {
			Refuse(w, &Refusal{"a request that changes something needs the header " + WriteHeader + ", with any value"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// BodyWithin lets next read a request's body for no longer than a limit, so that a client that sends slowly holds nothing for
// good. Reading fails with os.ErrDeadlineExceeded then.
func BodyWithin(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 { // a stream of events has no body, and no end
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit)) // net/http supports it, and ends it with the request
		}
		next.ServeHTTP(w, r)
	})
}

// Keyed lets a request for a path below prefix pass to next only if it carries the key: in WriteHeader or, since a browser's
// EventSource sends no headers of its own, in the query parameter key. It keeps out the machine's other users. An empty key
// lets everything pass.
func Keyed(key, prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get(WriteHeader)
		if query := r.URL.Query().Get("key"); query != "" {
			given = query
		}
		if key != "" && strings.HasPrefix(r.URL.Path, prefix) && subtle.ConstantTimeCompare([]byte(given), []byte(key)) == 0 {
			Refuse(w, &Refusal{"this needs the key of the running stack: open the console at the address that was printed at its start, or send the key in the header " + WriteHeader})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Refuse answers 403. The console and the command line read the member error, AWS's SDKs message and the header.
func Refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
	w.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error(), "message": err.Error()}) // a client that is gone needs no answer
}

// trusts reports whether a host name can't lead here by anybody's doing but this machine's. Browsers resolve localhost and
// the names below it to loopback themselves.
func (n Names) trusts(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(n, host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// hostname is the name in a Host header, without port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}
