package lambda

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// serveRuntime is Lambda's Runtime API. Each environment has its own path prefix, which it takes for part of the API's
// host: http://127.0.0.1:<port>/<token>/2018-06-01/runtime/…
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func (p *Platform) serveRuntime(w http.ResponseWriter, r *http.Request) {
	token, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	p.mu.Lock()
	e := p.environments[token]
	p.mu.Unlock()
	if e == nil {
		runtimeError(w, http.StatusForbidden, "UnknownEnvironment", "no environment has this path")
		return
	}
	call, versioned := strings.CutPrefix(path, "2018-06-01/runtime/")
	id, action := splitCall(call)
	switch {
	case !versioned:
		runtimeError(w, http.StatusNotFound, "UnknownAPI", "the simulator has no "+path)
	case r.Method == http.MethodGet && call == "invocation/next":
		e.serveNext(w, r)
	case r.Method == http.MethodPost && call == "init/error":
		e.serveInitError(w, r)
	case r.Method == http.MethodPost && action == "response":
		e.serveAnswer(w, r, id, false)
	case r.Method == http.MethodPost && action == "error":
		e.serveAnswer(w, r, id, true)
	default:
		runtimeError(w, http.StatusNotFound, "UnknownAPI", "the Runtime API has no "+r.Method+" "+call)
	}
}

// splitCall splits invocation/<id>/<action>.
func splitCall(call string) (id, action string) {
	parts := strings.Split(call, "/")
	if len(parts) != 3 || parts[0] != "invocation" {
		return "", ""
	}
	return parts[1], parts[2]
}

// serveNext waits for the environment's next event.
func (e *environment) serveNext(w http.ResponseWriter, r *http.Request) {
	e.asksNext()
	select {
	case inv := <-e.events:
		e.writeEvent(w, inv)
	case <-e.exited:
	case <-r.Context().Done():
	}
}

func (e *environment) writeEvent(w http.ResponseWriter, inv *invocation) {
	// The headers have Lambda's own case, which equals Go's canonical form.
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(inv.payload)))
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", inv.f.ARN)
	h.Set("Lambda-Runtime-Trace-Id", inv.trace.header())
	_, _ = w.Write(inv.payload) // a failure means that the process is dying
}

// serveAnswer accepts the answer to, or the error of, the event under way.
func (e *environment) serveAnswer(w http.ResponseWriter, r *http.Request, id string, isError bool) {
	e.mu.Lock()
	inv := e.current
	e.mu.Unlock()
	if inv == nil || inv.id != id {
		runtimeError(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	switch tooLarge := new(http.MaxBytesError); {
	case errors.As(err, &tooLarge):
		text := "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
		payload, _ := json.Marshal(map[string]string{"errorType": "Function.ResponseSizeTooLarge", "errorMessage": text})
		inv.answered(answer{payload: payload, isError: true, errorType: "Function.ResponseSizeTooLarge"})
		runtimeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", text)
		return
	case err != nil:
		runtimeError(w, http.StatusBadRequest, "InvalidBody", err.Error())
		return
	}
	if inv.kill != nil { // it answered before its time to die
		e.end(inv, false)
		<-e.exited
		return
	}
	a := answer{payload: body, isError: isError}
	if trailer := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); trailer != "" { // writing the answer failed halfway
		a.isError = true
		a.payload, _ = json.Marshal(map[string]string{"errorType": trailer, "errorMessage": "the answer ended with an error"})
	}
	if !inv.answered(a) {
		runtimeError(w, http.StatusBadRequest, "InvalidStateTransition", "the event was answered before")
		return
	}
	accepted(w)
}

// serveInitError accepts the error that a process reports when its init fails.
func (e *environment) serveInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	if err != nil {
		runtimeError(w, http.StatusBadRequest, "InvalidBody", err.Error())
		return
	}
	e.mu.Lock()
	e.initError = body
	e.mu.Unlock()
	accepted(w)
}

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
}

func runtimeError(w http.ResponseWriter, status int, errorType, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errorType": errorType, "errorMessage": message})
}
