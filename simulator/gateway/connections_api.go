package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"heliograph/simulator/wire"
)

// ConnectionsHandler serves POST, GET and DELETE of …/@connections/{id} for the connections of all APIs. Mount it at an
// AWS endpoint that clients address without a stage in the path.
func (g *Gateway) ConnectionsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, id, found := strings.Cut(r.URL.Path, "/@connections/")
		if !found {
			writeError(w, http.StatusForbidden, "ForbiddenException", "Forbidden")
			return
		}
		g.serveConnection(w, r, g.stageOf(ConnectionID(id)), ConnectionID(id))
	})
}

// stageOf is the stage of a connection. For an unknown connection it is any WebSocket stage, because the caller's
// rights are checked before the answer admits that the connection does not exist.
func (g *Gateway) stageOf(id ConnectionID) *Stage {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.connections[id]; c != nil {
		return c.stage
	}
	for _, a := range g.apis {
		if a.config.Protocol != WebSocket {
			continue
		}
		a.mu.Lock()
		for _, s := range a.stages {
			a.mu.Unlock()
			return s
		}
		a.mu.Unlock()
	}
	return nil
}

// serveConnection is a stage's @connections API.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
func (g *Gateway) serveConnection(w http.ResponseWriter, r *http.Request, s *Stage, id ConnectionID) {
	if failure := g.connectionCall(w, r, s, id); failure != nil {
		writeError(w, failure.HTTPStatus(), failure.Code, failure.Message)
	}
}

// connectionCall carries out one call and, if a fault asks for it, loses the answer afterwards.
func (g *Gateway) connectionCall(w http.ResponseWriter, r *http.Request, s *Stage, id ConnectionID) *wire.Error {
	if s == nil {
		return apiError(http.StatusForbidden, "ForbiddenException", "Forbidden")
	}
	lost, failure := g.permit(r, s, id)
	if failure != nil {
		return failure
	}
	if lost {
		defer panic(http.ErrAbortHandler) // before any of the answer has left its buffer
	}
	if !g.requests.take() {
		return apiError(http.StatusTooManyRequests, "LimitExceededException", "Too Many Requests")
	}
	if !connectionIDs.MatchString(string(id)) {
		return apiError(http.StatusBadRequest, "BadRequestException", "Invalid connectionId: "+string(id))
	}
	g.mu.Lock()
	c := g.connections[id]
	g.mu.Unlock()
	if c == nil || c.stage != s {
		return apiError(http.StatusGone, "GoneException", "")
	}
	switch r.Method {
	case http.MethodPost:
		return c.servePost(w, r)
	case http.MethodGet:
		return c.serveGet(w)
	case http.MethodDelete:
		g.background(func() { c.end(endDeleted) })
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return apiError(http.StatusMethodNotAllowed, "MethodNotAllowedException", "Method Not Allowed")
}

// Disconnect ends a connection as DeleteConnection does, and reports whether it was open.
func (g *Gateway) Disconnect(id ConnectionID) bool {
	g.mu.Lock()
	c := g.connections[id]
	g.mu.Unlock()
	return c != nil && g.background(func() { c.end(endDeleted) })
}

func apiError(status int, code, message string) *wire.Error {
	return &wire.Error{Code: code, Status: status, Message: message}
}

// permit asks Options.Before whether the call is allowed, and whether its answer is to be lost.
func (g *Gateway) permit(r *http.Request, s *Stage, id ConnectionID) (lost bool, failure *wire.Error) {
	key, region, failure := caller(r.Header.Get("Authorization"))
	if failure != nil || g.options.Before == nil {
		return false, failure
	}
	err := g.options.Before(r.Context(), wire.Call{
		Service: "execute-api", Action: "ManageConnections", Permission: "execute-api:ManageConnections", AccessKey: key, Region: region,
		Resources: []string{s.ExecutionARN() + "/" + r.Method + "/@connections/" + string(id)},
	})
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, wire.ErrAnswerLost):
		return true, nil
	case errors.As(err, &failure):
		return false, failure
	}
	return false, apiError(http.StatusForbidden, "ForbiddenException", err.Error())
}

// caller reads the signer of a request from an AWS Signature Version 4 header. The signature itself is not verified:
// any key stands for a user.
func caller(authorization string) (key, region string, failure *wire.Error) {
	_, credential, ok := strings.Cut(authorization, "Credential=")
	if !ok || !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 ") {
		return "", "", apiError(http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	credential, _, _ = strings.Cut(credential, ",")
	parts := strings.Split(credential, "/") // <key>/<date>/<region>/<service>/aws4_request
	if len(parts) != 5 || parts[0] == "" {
		return "", "", apiError(http.StatusForbidden, "IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements")
	}
	if parts[3] != "execute-api" {
		return "", "", apiError(http.StatusForbidden, "InvalidSignatureException", "Credential should be scoped to correct service: 'execute-api'.")
	}
	return parts[0], parts[2], nil
}

func (c *connection) servePost(w http.ResponseWriter, r *http.Request) *wire.Error {
	limit := c.stage.api.g.options.Limits.Message
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return apiError(http.StatusRequestEntityTooLarge, "PayloadTooLargeException", "Message too long")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return apiError(http.StatusRequestTimeout, "RequestTimeoutException", "Request Timeout")
	case err != nil:
		return apiError(http.StatusBadRequest, "BadRequestException", "the body could not be read")
	}
	switch c.send(body) {
	case sendGone:
		return apiError(http.StatusGone, "GoneException", "")
	case sendFull:
		return apiError(http.StatusTooManyRequests, "LimitExceededException", "the WebSocket client side buffer is full")
	}
	w.Header().Set("x-amzn-RequestId", requestID())
	w.WriteHeader(http.StatusOK)
	return nil
}

func (c *connection) serveGet(w http.ResponseWriter) *wire.Error {
	d := c.describe()
	const format = "2006-01-02T15:04:05.000Z"
	type identity struct {
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"` // AWS always has it
	}
	writeJSON(w, http.StatusOK, "", encode(struct {
		ConnectedAt  string   `json:"connectedAt"`
		Identity     identity `json:"identity"`
		LastActiveAt string   `json:"lastActiveAt"`
	}{d.ConnectedAt.UTC().Format(format), identity{d.SourceIP, d.UserAgent}, d.LastActiveAt.UTC().Format(format)}))
	return nil
}
