package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// maxHTTPBody is the largest request body an HTTP API accepts, in bytes.
const maxHTTPBody = 10 << 20

// exchange is one request to an HTTP API in progress.
type exchange struct {
	s      *Stage
	t      target
	r      *http.Request
	query  url.Values
	id     string
	path   string // without the stage
	at     time.Time
	began  time.Time
	body   []byte
	values map[string]string
}

// serveHTTP serves one request to an HTTP API.
func (a *API) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s, path := a.httpStage(r.URL.Path)
	if s == nil {
		writeError(w, http.StatusNotFound, "", "Not Found")
		return
	}
	e := a.newExchange(s, path, r)
	refused := checkHead(r)
	if refused == nil {
		e.query, refused = parseQuery(r.URL.RawQuery)
	}
	counted := &countingWriter{ResponseWriter: w}
	w.Header().Set("Apigw-Requestid", e.id)
	switch t, found := e.s.serves.Load().find(r.Method, path); {
	case refused != nil:
		e.refuse(counted, refused)
	case a.config.CORS.preflight(counted, r):
	case !found:
		e.refuse(counted, &refusal{status: http.StatusNotFound, message: "Not Found"})
	default:
		e.t = t
		e.values["routeKey"] = t.route.Key
		if refused := e.serve(counted); refused != nil {
			e.refuse(counted, refused)
		}
	}
	e.done(counted)
}

// httpStage finds the stage of a path: the one its first segment names, otherwise $default.
func (a *API) httpStage(path string) (s *Stage, rest string) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if s := a.stage(name); s != nil && name != "$default" {
		return s, "/" + rest
	}
	return a.stage("$default"), path
}

// find returns the route of a request: an exact match, one for any method, or $default.
func (d *deployment) find(method, path string) (target, bool) {
	for _, key := range []string{method + " " + path, "ANY " + path, "$default"} {
		if t, ok := d.routes[key]; ok {
			return t, true
		}
	}
	return target{}, false
}

func (a *API) newExchange(s *Stage, path string, r *http.Request) *exchange {
	e := &exchange{s: s, r: r, id: requestID(), path: path, at: a.g.options.Now(), began: time.Now()}
	prefix, _, _ := strings.Cut(r.Host, ".")
	e.values = map[string]string{
		"accountId": a.g.options.Account, "apiId": string(a.id), "domainName": r.Host, "domainPrefix": prefix,
		"extendedRequestId": e.id, "httpMethod": r.Method, "identity.sourceIp": sourceIP(r), "identity.userAgent": r.UserAgent(),
		"path": r.URL.Path, "protocol": r.Proto, "requestId": e.id, "requestTime": formatTime(e.at),
		"requestTimeEpoch": strconv.FormatInt(e.at.Unix(), 10), "stage": s.config.Name,
	}
	return e
}

// serve authorizes the request, then has the function answer it.
func (e *exchange) serve(w http.ResponseWriter) *refusal {
	g := e.s.api.g
	if !g.requests.take() || !e.s.requests.take() {
		return &refusal{status: http.StatusTooManyRequests, message: "Too Many Requests"}
	}
	var err error
	if e.body, err = io.ReadAll(http.MaxBytesReader(w, e.r.Body, maxHTTPBody)); errors.As(err, new(*http.MaxBytesError)) {
		return &refusal{status: http.StatusRequestEntityTooLarge, message: "Request Entity Too Large"}
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		return &refusal{status: http.StatusRequestTimeout, message: "Request Timeout"}
	} else if err != nil {
		return &refusal{status: http.StatusBadRequest, message: "Bad Request"}
	}
	var authorizer *httpAuthorizer
	if e.t.authorizer != nil {
		a, refused := e.authorize()
		if refused != nil {
			return refused
		}
		authorizer = &httpAuthorizer{Lambda: a.context}
	}
	answer, err := e.invoke(authorizer)
	if err != nil {
		return failed(err)
	}
	return e.write(w, answer)
}

func failed(err error) *refusal {
	if errors.Is(err, errTimedOut) {
		return &refusal{status: http.StatusServiceUnavailable, message: "Service Unavailable", cause: err}
	}
	return &refusal{status: http.StatusInternalServerError, cause: err}
}

// authorize collects the request's identity sources and runs the route's authorizer.
func (e *exchange) authorize() (authorization, *refusal) {
	var sources []string
	for _, source := range e.t.authorizer.IdentitySources {
		kind, name, _ := strings.Cut(strings.TrimPrefix(source, "$request."), ".")
		if kind == "header" {
			sources = append(sources, strings.Join(e.r.Header.Values(name), ","))
		} else {
			sources = append(sources, strings.Join(e.query[name], ","))
		}
	}
	return e.s.authorize(e.s.api.g.ending, e.t, e.methodARN(), sources, e.authorizerEvent(sources), e.values)
}

// invoke runs the route's function. It uses the Gateway's context: a client that leaves does not stop the function.
func (e *exchange) invoke(authorizer *httpAuthorizer) ([]byte, error) {
	began := time.Now()
	answer, err := e.s.api.g.invoke(e.s.api.g.ending, e.s.routeARN(e.t.route.Key), e.t.integration.function, e.event(authorizer), e.t.integration.Timeout)
	took := time.Since(began)
	e.s.latency("IntegrationLatency", took)
	e.values["integrationLatency"], e.values["integration.latency"] = milliseconds(took), milliseconds(took)
	if err != nil {
		e.values["integrationErrorMessage"], e.values["integration.error"] = err.Error(), err.Error()
		return nil, err
	}
	e.values["integrationStatus"], e.values["integration.integrationStatus"] = "200", "200"
	return answer, nil
}

// httpAnswer is a function's response in payload format 2.0.
type httpAnswer struct {
	StatusCode      json.RawMessage
	Headers         map[string]any
	Cookies         []string
	Body            *string
	IsBase64Encoded bool
}

// write sends the function's answer to the client. An answer without a statusCode is taken as the body itself.
func (e *exchange) write(w http.ResponseWriter, answer []byte) *refusal {
	if !json.Valid(answer) {
		return &refusal{status: http.StatusInternalServerError, cause: errors.New("the function's answer is no JSON")}
	}
	var said httpAnswer
	if err := json.Unmarshal(answer, &said); err != nil || said.StatusCode == nil {
		if bytes.HasPrefix(bytes.TrimSpace(answer), []byte("{")) && err != nil {
			return &refusal{status: http.StatusInternalServerError, cause: fmt.Errorf("the function's answer is not as expected: %w", err)}
		}
		return e.writeInferred(w, answer)
	}
	status, err := strconv.Atoi(strings.Trim(string(said.StatusCode), `"`))
	if err != nil || status < 100 || status > 599 {
		return &refusal{status: http.StatusInternalServerError, cause: fmt.Errorf("the function answered with the statusCode %s", said.StatusCode)}
	}
	body := []byte{}
	if said.Body != nil {
		body = []byte(*said.Body)
	}
	if said.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(string(body)); err != nil {
			return &refusal{status: http.StatusInternalServerError, cause: fmt.Errorf("the function's body is no base64: %w", err)}
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain;charset=UTF-8")
	for name, v := range said.Headers {
		h.Set(name, fmt.Sprint(v))
	}
	for _, c := range said.Cookies {
		h.Add("Set-Cookie", c)
	}
	e.send(w, status, body)
	return nil
}

func (e *exchange) writeInferred(w http.ResponseWriter, answer []byte) *refusal {
	var text string
	if json.Unmarshal(answer, &text) == nil {
		answer = []byte(text)
	}
	w.Header().Set("Content-Type", "application/json")
	e.send(w, http.StatusOK, answer)
	return nil
}

func (e *exchange) send(w http.ResponseWriter, status int, body []byte) {
	e.values["integration.status"] = strconv.Itoa(status)
	e.s.api.config.CORS.decorate(w.Header(), e.r)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if e.r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// refuse answers instead of the function.
func (e *exchange) refuse(w http.ResponseWriter, refused *refusal) {
	if refused.cause != nil {
		setDefault(&refused.message, "Internal Server Error")
		e.values["error.message"] = refused.cause.Error()
		if e.s.api.g.ending.Err() == nil {
			e.s.api.g.problem("%s: the route %s of %s: %v", e.s.api.id, e.t.route.Key, e.s, refused.cause)
		}
	} else {
		e.values["error.message"] = refused.message
	}
	writeError(w, refused.status, "", refused.message)
}

func (e *exchange) done(w *countingWriter) {
	took := time.Since(e.began)
	e.s.metric("Count", "Count", 1)
	e.s.metric("4xx", "Count", share(w.status >= 400 && w.status < 500))
	e.s.metric("5xx", "Count", share(w.status >= 500))
	e.s.latency("Latency", took)
	e.values["status"], e.values["responseLength"] = strconv.Itoa(w.status), strconv.Itoa(w.length)
	e.values["responseLatency"] = milliseconds(took)
	e.s.accessLog(e.values)
}

func share(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// countingWriter records the status and size of the answer.
type countingWriter struct {
	http.ResponseWriter
	status, length int
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.length += len(p)
	return w.ResponseWriter.Write(p)
}
