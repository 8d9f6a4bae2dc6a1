package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"heliograph/simulator/loopback"
)

// ServeHTTP serves one request to the API.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := a.g
	g.mu.Lock()
	closed := g.closed
	if !closed {
		g.work.Add(1)
	}
	g.mu.Unlock()
	if closed {
		http.Error(w, "the gateway is stopping", http.StatusServiceUnavailable)
		return
	}
	defer g.work.Done()
	if err := g.trust(a, r); err != nil {
		writeError(w, http.StatusForbidden, "ForbiddenException", err.Error())
		return
	}
	if a.config.Protocol == HTTP {
		a.serveHTTP(w, r)
		return
	}
	stage, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s := a.stage(stage)
	id, posts := strings.CutPrefix(rest, "@connections/")
	switch {
	case s == nil || rest != "" && !posts:
		writeError(w, http.StatusForbidden, "ForbiddenException", "Forbidden")
	case posts:
		g.serveConnection(w, r, s, ConnectionID(id))
	default:
		s.serveUpgrade(w, r)
	}
}

// trust keeps out pages of other origins, as far as a real API's secret would. The secret of a local stack may be
// public, so a WebSocket API, which AWS lets every page connect to, accepts only pages of this machine. At an HTTP API,
// CORS decides, as on AWS.
func (g *Gateway) trust(a *API, r *http.Request) error {
	names := loopback.Names(g.options.Hosts)
	if err := names.CheckHost(r); err != nil || a.config.Protocol == HTTP {
		return err
	}
	return names.CheckSocket(r)
}

func (a *API) stage(name string) *Stage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stages[name]
}

// writeError sends an answer of the gateway itself.
func writeError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, code, fmt.Appendf(nil, `{"message":%q}`, message))
}

func writeJSON(w http.ResponseWriter, status int, code string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("x-amzn-RequestId", requestID())
	if code != "" {
		h.Set("x-amzn-ErrorType", code)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// upgrade is a client's request to open a WebSocket. It stays pending until the authorizer and $connect have answered.
type upgrade struct {
	*message
	t           target // of $connect
	hasRoute    bool
	query       url.Values
	subprotocol string
}

// serveUpgrade decides before it answers the handshake, because a refusal is an HTTP status.
func (s *Stage) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	if status, text := checkUpgrade(r); status != 0 {
		s.metric("ClientError", "Count", 1)
		w.Header().Set("Connection", "close") // otherwise net/http would wait for an announced body first
		writeError(w, status, "BadRequestException", text)
		return
	}
	g := s.api.g
	now := g.options.Now()
	c := &connection{
		stage: s, deployment: s.serves.Load(), id: ConnectionID(requestID()), connectedAt: now, lastActive: now,
		host: r.Host, ip: sourceIP(r), agent: r.UserAgent(),
	}
	u := &upgrade{message: c.newMessage("CONNECT", "$connect")}
	u.t, u.hasRoute = c.deployment.routes["$connect"]
	headers := clientHeaders(r)
	u.event.Headers, u.event.MultiValueHeaders = last(headers), headers
	var refused *refusal
	if u.query, refused = parseQuery(r.URL.RawQuery); len(u.query) > 0 {
		u.event.QueryStringParameters, u.event.MultiValueQueryStringParameters = last(u.query), u.query
	}
	if refused == nil {
		refused = u.decide(r)
	}
	if refused == nil {
		refused = u.open(w, r)
	}
	if refused != nil {
		u.refuse(w, refused)
	}
}

// checkUpgrade refuses anything but a WebSocket handshake, before any function is invoked. RFC 6455, section 4.2.1.
func checkUpgrade(r *http.Request) (status int, text string) {
	if len(r.Host)+len(r.RequestURI) > maxSocketURL {
		return http.StatusRequestURITooLong, "URI Too Long"
	}
	if refused := checkHead(r); refused != nil {
		return refused.status, refused.message
	}
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case r.Method != http.MethodGet, !hasToken(r.Header, "Connection", "upgrade"), !hasToken(r.Header, "Upgrade", "websocket"):
		return http.StatusUpgradeRequired, "Upgrade Required"
	case r.Header.Get("Sec-WebSocket-Version") != "13", err != nil || len(key) != 16,
		r.ContentLength != 0: // whoever announces a body and sends none would count as connected, and never read a post
		return http.StatusBadRequest, "Bad Request"
	}
	return 0, ""
}

func hasToken(h http.Header, name, token string) bool {
	for _, v := range h[textproto.CanonicalMIMEHeaderKey(name)] {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// decide consults the throttle, the authorizer and the $connect route, in that order.
func (u *upgrade) decide(r *http.Request) *refusal {
	s := u.c.stage
	if !s.api.g.connects.take() || !s.api.g.requests.take() || !s.requests.take() {
		return &refusal{status: http.StatusTooManyRequests, message: "Too Many Requests"}
	}
	if u.hasRoute && u.t.authorizer != nil {
		if refused := u.authorize(r); refused != nil {
			return refused
		}
	}
	if u.hasRoute { // AWS counts requests sent to the integration, not handshakes
		s.metric("ConnectCount", "Count", 1)
	}
	if u.hasRoute && u.t.integration.Type == "AWS_PROXY" {
		return u.connect()
	}
	return nil
}

// authorize runs the authorizer and adds its answer to this event and to the later ones of the connection.
func (u *upgrade) authorize(r *http.Request) *refusal {
	s := u.c.stage
	var sources []string
	for _, source := range u.t.authorizer.IdentitySources {
		kind, name, _ := strings.Cut(strings.TrimPrefix(source, "route.request."), ".")
		if kind == "header" {
			sources = append(sources, r.Header.Get(name))
		} else {
			sources = append(sources, u.query.Get(name))
		}
	}
	event := authorizerEvent{socketEvent: u.event, StageVariables: map[string]string{}}
	event.Type, event.MethodARN = "REQUEST", s.routeARN("$connect")
	event.QueryStringParameters, event.MultiValueQueryStringParameters = last(u.query), u.query
	for key, v := range s.config.Variables {
		event.StageVariables[key] = v
	}
	began := time.Now()
	a, refused := s.authorize(s.api.g.ending, u.t, event.MethodARN, sources, event, u.values)
	if refused != nil {
		return refused
	}
	u.c.authorizer = map[string]any{"principalId": a.principal}
	for key, v := range a.context {
		u.c.authorizer[key] = text(v)
	}
	u.event.RequestContext.Authorizer = map[string]any{"integrationLatency": time.Since(began).Milliseconds()}
	for key, v := range u.c.authorizer {
		u.event.RequestContext.Authorizer[key] = v
	}
	return nil
}

// connect runs the $connect route, whose answer decides.
func (u *upgrade) connect() *refusal {
	body, err := u.invoke(u.t)
	switch {
	case errors.As(err, new(functionError)):
		return &refusal{status: http.StatusBadGateway, cause: err}
	case errors.Is(err, errTimedOut):
		return &refusal{status: http.StatusGatewayTimeout, message: "Endpoint request timed out", cause: err}
	case err != nil:
		return &refusal{status: http.StatusInternalServerError, cause: err}
	}
	var answer proxyAnswer
	if err := json.Unmarshal(body, &answer); err != nil || answer.StatusCode < 100 || answer.StatusCode > 599 {
		return &refusal{status: http.StatusBadGateway, cause: errors.New("the function's answer is no proxy answer with a statusCode")}
	}
	u.values["integration.status"] = strconv.Itoa(answer.StatusCode)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return &refusal{status: answer.StatusCode, message: http.StatusText(answer.StatusCode)}
	}
	for name, v := range answer.Headers {
		if strings.EqualFold(name, "Sec-WebSocket-Protocol") {
			u.subprotocol = fmt.Sprint(v)
		}
	}
	return nil
}

// refuse answers the handshake with an error.
func (u *upgrade) refuse(w http.ResponseWriter, refused *refusal) {
	s := u.c.stage
	if refused.cause != nil {
		setDefault(&refused.message, "Internal server error")
		u.values["error.message"] = refused.cause.Error()
		if s.api.g.ending.Err() == nil {
			s.metric(errorMetric(refused.cause), "Count", 1)
			s.api.g.problem("%s: the route $connect of %s: %v", s.api.id, s, refused.cause)
		}
	} else {
		s.metric("ClientError", "Count", 1)
		u.values["error.message"] = refused.message
	}
	writeJSON(w, refused.status, "", u.errorBody(refused.message))
	u.done(refused.status)
}

// open sends the client its 101 answer. Posts are accepted from a moment before.
func (u *upgrade) open(w http.ResponseWriter, r *http.Request) *refusal {
	c := u.c
	if !c.open() {
		return &refusal{status: http.StatusServiceUnavailable, message: "Service Unavailable"}
	}
	if u.subprotocol != "" {
		w.Header().Set("Sec-WebSocket-Protocol", u.subprotocol)
	}
	guarded := &guardedWriter{ResponseWriter: w, limit: uint64(c.stage.api.g.options.Limits.Frame)}
	socket, err := websocket.Accept(guarded, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled, // trust has checked the origin
	})
	if err != nil { // the client is gone; the program already saw its $connect
		c.forget()
		c.disconnect(endAbnormal)
		u.done(http.StatusBadRequest)
		return nil
	}
	socket.SetReadLimit(c.stage.api.g.options.Limits.Message)
	c.mu.Lock()
	c.socket, c.guard = socket, guarded.guard
	c.guard.tooLarge = func() { c.stage.api.g.background(func() { c.end(endTooLarge) }) }
	c.mu.Unlock()
	c.start()
	u.done(http.StatusOK) // the status in access logs, although the client got 101
	return nil
}
